import type { JsonObject, JsonValue } from '../../model/records.js'
import { callPart, otherPart, type Segment, strayPart } from '../parts.js'
import { isObject, objectOf, textOf, without } from '../values.js'

/** Where one step of an answer ends, and the model that the next one is of. */
export interface StepStart {
  readonly kind: 'step'
  readonly model: string | null
}

const ANSWERED = ['result', 'output-error', 'output-available']

function invocation(part: JsonObject): Segment[] {
  const { toolCallId, toolName, args, result, state, errorText } = part
  const id = textOf(toolCallId ?? null) ?? ''
  const name = textOf(toolName ?? null)
  const more = without(part, 'toolCallId', 'toolName', 'args', 'result', 'state', 'errorText', 'step')
  const answered = ANSWERED.includes(textOf(state ?? null) ?? '')
  const beside = answered ? {} : more
  const call: Segment = { kind: 'call', part: callPart(id, name ?? 'unknown', args ?? {}, beside) }
  if (!answered) return [call]
  const failed = result === undefined && errorText !== undefined
  const output = failed ? (errorText as JsonValue) : (result ?? null)
  return [
    call,
    {
      kind: 'result',
      result: { toolCallId: id, toolName: name, output, more: failed ? { ...more, isError: true } : more },
    },
  ]
}

function reasoning(part: JsonObject): Segment {
  const text = textOf(part.reasoning ?? part.text ?? null) ?? ''
  const details = Array.isArray(part.details) ? part.details.filter(isObject) : []
  const same = details.length === 1 && details[0]?.text === text && Object.keys(details[0]).length === 2
  const rest = without(part, 'type', 'reasoning', 'text', ...(same ? ['details'] : []))
  return { kind: 'part', part: { type: 'reasoning', text, ...rest } }
}

/** Plain words need no part: when they came is about when the message did. */
function words(part: JsonObject): Segment {
  const text = textOf(part.text ?? null) ?? ''
  const plain = Object.keys(without(part, 'type', 'text', 'createdAt')).length === 0
  return { kind: 'text', text, part: plain ? undefined : part }
}

/** One entry of a message's parts, in the second format of messages or the first. */
function segmentsOfPart(part: JsonValue): (Segment | StepStart)[] {
  if (typeof part === 'string') return [{ kind: 'text', text: part }]
  if (!isObject(part)) return strayPart(part)
  switch (part.type) {
    case 'text':
      return [words(part)]
    case 'reasoning':
      return [reasoning(part)]
    case 'step-start':
      return [{ kind: 'step', model: textOf(part.model ?? null) }]
    case 'tool-invocation':
      return invocation({ ...objectOf(part.toolInvocation), ...without(part, 'type', 'toolInvocation', 'createdAt') })
    case 'tool-call':
      return invocation({ ...without(part, 'type'), args: part.args ?? part.input ?? {}, state: 'call' })
    case 'tool-result':
      return invocation({
        ...without(part, 'type'),
        result: part.result ?? part.output ?? null,
        state: 'result',
      }).slice(1)
    default:
      return [otherPart(part)]
  }
}

/** What stands in a message of the second format beside its parts, as far as it is not in them too. */
function beside(content: JsonObject, known: ReadonlySet<string>): (Segment | StepStart)[] {
  const calls = Array.isArray(content.toolInvocations) ? content.toolInvocations.filter(isObject) : []
  const files = Array.isArray(content.experimental_attachments) ? content.experimental_attachments.filter(isObject) : []
  return [
    ...calls.filter((call) => !known.has(textOf(call.toolCallId ?? null) ?? '')).flatMap(invocation),
    ...files.map((file) => otherPart({ type: 'file', ...file })),
  ]
}

/** What a message's `content` says: an object of the second format, or text or parts of the first. */
export function segmentsOf(content: unknown): (Segment | StepStart)[] {
  if (typeof content === 'string') return [{ kind: 'text', text: content }]
  if (Array.isArray(content)) return (content as JsonValue[]).flatMap(segmentsOfPart)
  if (!isObject(content)) return []
  const parts = Array.isArray(content.parts) ? content.parts.flatMap(segmentsOfPart) : []
  const known = new Set(parts.map((each) => (each.kind === 'call' ? String(each.part.toolCallId) : '')))
  const rest = beside(content, known)
  const has = (type: string): boolean =>
    parts.some((each) => (each.kind === 'part' ? each.part.type === type : each.kind === type))
  const thought = has('reasoning') ? null : textOf(content.reasoning ?? null)
  return [
    ...(thought ? [reasoning({ reasoning: thought })] : []),
    ...parts,
    ...rest,
    ...(typeof content.content === 'string' && !has('text') ? segmentsOf(content.content) : []),
  ]
}

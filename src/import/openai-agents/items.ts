import type { NewMessage } from '../../model/inputs.js'
import type { JsonObject, JsonValue, MessageStatus, Role } from '../../model/records.js'
import { answerOf, callPart, inputOf, otherPart, type Segment, saidOf, strayPart } from '../parts.js'
import { given, isObject, joined, objectOf, textOf, under, without } from '../values.js'

const SAID =
  /^(message|reasoning|compaction|function_call|hosted_tool_call|item_reference|.+_call|.+_(output|result|approval_request))$/
const ROLES: Readonly<Record<string, Role>> = {
  user: 'user',
  assistant: 'assistant',
  system: 'system',
  developer: 'system',
  tool: 'tool',
}

/** Whether the first element of an array is an item of a session: a message with a role, or one of the known types. */
export function isSession(first: unknown): boolean {
  if (!isObject(first) || 'mapping' in first) return false
  if (typeof first.role === 'string' && 'content' in first) return true
  return typeof first.type === 'string' && SAID.test(first.type)
}

/** What a message is made of, but for its id. */
export type Heard = Omit<NewMessage, 'id'>

const callIdOf = (item: JsonObject): string | null =>
  textOf(item.callId ?? null) ?? textOf(item.call_id ?? null) ?? textOf(item.id ?? null)
const nameOf = (item: JsonObject): string =>
  textOf(item.name ?? null) ?? textOf(item.toolName ?? null) ?? textOf(item.type ?? null) ?? 'unknown'

const statusOf = (item: JsonObject): MessageStatus =>
  item.status === 'in_progress' || item.status === 'incomplete' ? 'aborted' : 'complete'

/** What stands beside what was said, such as `providerData`, under one name. */
const rest = (item: JsonObject, ...names: readonly string[]): JsonObject =>
  under('openai', without(item.status === 'completed' ? without(item, 'status') : item, 'id', 'type', 'role', ...names))

function entry(part: JsonValue): Segment[] {
  if (typeof part === 'string') return [{ kind: 'text', text: part }]
  if (!isObject(part)) return strayPart(part)
  const { type, text, refusal } = part
  if (type === 'refusal') return [{ kind: 'text', text: textOf(refusal ?? null) ?? '', part }]
  if (typeof text !== 'string') return [otherPart(part)]
  const plain = Object.keys(without(part, 'type', 'text')).length === 0
  return [{ kind: 'text', text, part: plain ? undefined : { ...part, type: 'text' } }]
}

const segmentsOf = (content: JsonValue | undefined): Segment[] =>
  Array.isArray(content) ? content.flatMap(entry) : content === undefined ? [] : entry(content)

const messageOf = (item: JsonObject): Heard | string => {
  const role = ROLES[textOf(item.role ?? null) ?? '']
  if (!role) return `role must be one of ${Object.keys(ROLES).join(', ')}`
  const metadata = { ...rest(item, 'content', 'name'), ...(item.role === 'developer' ? { developer: true } : {}) }
  return {
    role,
    ...saidOf(segmentsOf(item.content)),
    name: textOf(item.name ?? null),
    status: statusOf(item),
    metadata,
  }
}

function reasoningOf(item: JsonObject): Heard {
  const entries = [item.content, item.summary].flatMap((value) => (Array.isArray(value) ? value : []))
  const text = joined(entries.map((entry) => textOf(objectOf(entry).text ?? null) ?? ''))
  const plain = entries.every((entry) => Object.keys(without(objectOf(entry), 'type', 'text')).length === 0)
  const rest = without(item, 'id', 'type', 'status', ...(plain ? ['content', 'summary'] : []))
  return { role: 'assistant', content: '', parts: [{ type: 'reasoning', text, ...rest }], status: statusOf(item) }
}

/** A call of a function. All that is said of it stands in its part: several calls may be one message. */
function functionCallOf(item: JsonObject): Heard {
  const beside = without(item.status === 'completed' ? without(item, 'status') : item, 'type', 'name', 'arguments')
  const part = callPart(callIdOf(item) ?? '', nameOf(item), inputOf(item.arguments), {
    ...under('openai', without(beside, 'callId', 'call_id')),
  })
  return { role: 'assistant', content: '', parts: [part], status: statusOf(item) }
}

/** A call of a tool that ran elsewhere, which may carry its outcome as well. */
function hostedCallOf(item: JsonObject): Heard {
  const args = item.arguments ?? without(item, 'type', 'id', 'status', 'name', 'callId', 'call_id')
  const parts = [callPart(callIdOf(item) ?? '', nameOf(item), inputOf(args)), { type: String(item.type), data: item }]
  return { role: 'assistant', content: '', parts, status: statusOf(item) }
}

/** `{ type: 'text', text }` says no more than its text. */
const outputOf = (output: JsonValue | undefined): JsonValue => {
  const isText = isObject(output) && typeof output.text === 'string' && Object.keys(output).length === 2
  return isText && /text$/.test(String(output.type)) ? (output.text as string) : (output ?? null)
}

function resultOf(item: JsonObject): Heard {
  const toolCallId = callIdOf(item)
  const name = textOf(item.name ?? null)
  const said = answerOf({ toolCallId: toolCallId ?? '', toolName: name, output: outputOf(item.output) })
  const metadata = rest(item, 'callId', 'call_id', 'name', 'output')
  return { role: 'tool', ...said, toolCallId, name, status: statusOf(item), metadata }
}

/** The message that an item of a session becomes, or why it becomes none. */
export function heardOf(item: unknown): Heard | string {
  if (!isObject(item)) return 'must be an object'
  const type = textOf(item.type ?? null) ?? 'message'
  if (type === 'message') return messageOf(item)
  if (type === 'reasoning') return reasoningOf(item)
  if (isCall(item)) return functionCallOf(item)
  if (/_call$/.test(type)) return hostedCallOf(item)
  if (/_(output|result)$/.test(type)) return resultOf(item)
  const data = without(item, 'id', 'type')
  return { role: 'assistant', content: '', parts: [{ type, ...(given(data) ? { data } : {}) }] }
}

/** Whether an item belongs to the message of the item in front of it: calls that were made together. */
export const isCall = (item: unknown): boolean => isObject(item) && item.type === 'function_call'

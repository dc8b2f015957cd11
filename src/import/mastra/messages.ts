import { v5 as uuidv5 } from 'uuid'
import { ValidationError } from '../../errors.js'
import type { NewMessage } from '../../model/inputs.js'
import { type JsonObject, ROLES, type Role } from '../../model/records.js'
import { answerOf, type Segment, saidOf, type ToolResult } from '../parts.js'
import { cellInstant, cellText, type Row } from '../sqlite.js'
import { isObject, objectOf, textOf, under, without } from '../values.js'
import { segmentsOf } from './segments.js'

/** Ids that Mastra's file does not name are made in this namespace. */
export const NAMESPACE = 'b5b0c2a4-7e0c-5d55-9a53-0f4b6c1f7a21'

/** One step of an answer: what was said, then what the tools called by it answered. */
interface Step {
  readonly segments: Segment[]
  readonly results: ToolResult[]
  readonly model: string | null
}

/** Cuts an answer behind the results of tools, so that what comes after stands after. */
function stepsOf(content: unknown): Step[] {
  const steps: Step[] = []
  let model: string | null = null
  let ended = true
  const open = (): Step => {
    if (ended) steps.push({ segments: [], results: [], model })
    ended = false
    return steps.at(-1) as Step
  }
  for (const segment of segmentsOf(content)) {
    const answered = (steps.at(-1)?.results.length ?? 0) > 0
    if (segment.kind === 'step') {
      model = segment.model ?? model
      ended ||= answered
    } else if (segment.kind === 'result') open().results.push(segment.result)
    else {
      // Calls that stand behind a result were made together with the one that was answered.
      ended ||= answered && segment.kind !== 'call'
      open().segments.push(segment)
    }
  }
  return steps
}

const KNOWN = ['format', 'parts', 'content', 'toolInvocations', 'experimental_attachments', 'metadata', 'reasoning']

/** What its author put on a message stays where it was; what Mastra did stands under `mastra`. */
function metadataOf(content: unknown, resourceId: string | null): JsonObject {
  const own = objectOf(objectOf(content).metadata)
  const model = textOf(own.modelId ?? null)
  const rest = { ...without(objectOf(content), ...KNOWN), ...(resourceId === null ? {} : { resourceId }) }
  return { ...(model ? { model } : {}), ...own, ...under('mastra', rest) }
}

/** The content of a row: JSON, or in files of the first versions also bare text. */
function contentOf(row: Row): unknown {
  const text = cellText(row.content) ?? ''
  if (!/^\s*[[{"]/.test(text)) return text
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' || Array.isArray(value) || (isObject(value) && 'format' in value) ? value : text
  } catch {
    if (row.type === 'v2') throw new ValidationError('content', 'is not JSON')
    return text
  }
}

type Input = NewMessage & { readonly id: string }

/**
 * The messages of a row. An answer in which tools were called is one row: it becomes the message with the calls, which
 * keeps the row's id, the tools' results, and what was said after them, with ids made from the row's. `userId`: the
 * thread's own; a message of another resource says so in its metadata.
 */
export function messagesOf(row: Row, userId: string | null): Input[] {
  const id = cellText(row.id) ?? ''
  const role = cellText(row.role) ?? ''
  if (!ROLES.includes(role as Role)) throw new ValidationError('role', `must be one of ${ROLES.join(', ')}`)
  const content = contentOf(row)
  const createdAt = cellInstant(row.createdAt, 'createdAt')
  const resourceId = cellText(row.resourceId)
  const metadata = metadataOf(content, resourceId === userId ? null : resourceId)
  const messages: Input[] = []
  const add = (input: Omit<Input, 'id'>): void => {
    const first = messages.length === 0
    const made = first ? id : uuidv5(JSON.stringify(['message', id, messages.length]), NAMESPACE)
    const of = first ? metadata : { mastra: { messageId: id } }
    messages.push({ ...input, id: made, metadata: { ...of, ...input.metadata }, ...(createdAt ? { createdAt } : {}) })
  }
  for (const { segments, results, model } of stepsOf(content)) {
    const mine = model && !('model' in metadata) ? { metadata: { model } } : {}
    if (segments.length > 0) add({ role: role as Role, ...saidOf(segments), ...mine })
    for (const result of results)
      add({ role: 'tool', name: result.toolName, toolCallId: result.toolCallId, ...answerOf(result) })
  }
  return messages.filter((message) => message.content?.trim() !== '' || message.parts !== null)
}

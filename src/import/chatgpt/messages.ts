import type { NewMessage } from '../../model/inputs.js'
import { type JsonObject, type MessageStatus, ROLES, type Role } from '../../model/records.js'
import { given, objectOf, textOf } from '../values.js'
import { type Said, sayingOf } from './content.js'
import type { ExportedMessage, Node } from './shape.js'

/** A node on its way: a message, or why there is none. */
export type Turn =
  | { readonly id: string; readonly input: NewMessage & { readonly id: string } }
  | { readonly id: string; readonly skipped: string }
  | { readonly id: string; readonly refused: { readonly field: string; readonly reason: string } }

export interface TurnOptions {
  /** Also import what ChatGPT does not show: system prompts and custom instructions. */
  readonly includeHidden: boolean
  /** For messages without a time: that of the conversation. */
  readonly startedAt: Date | null
}

const CONTEXT_TYPES = ['user_editable_context', 'model_editable_context']
const STATUSES: Readonly<Record<string, MessageStatus>> = {
  in_progress: 'aborted',
  finished_partial_completion: 'aborted',
}

const isInstructions = (message: ExportedMessage): boolean =>
  CONTEXT_TYPES.includes(message.contentType) || (message.role === 'system' && message.hidden)

/** The call that a tool's answer belongs to: the nearest one above it to that tool, else the nearest one. */
function callOf(message: ExportedMessage, above: readonly ExportedMessage[]): string | null {
  if (message.role !== 'tool') return null
  let nearest: string | null = null
  for (let i = above.length - 1; i >= 0; i--) {
    const candidate = above[i] as ExportedMessage
    if (candidate.role === 'user') break
    if (candidate.role !== 'assistant' || candidate.recipient === null) continue
    if (candidate.recipient === message.authorName) return candidate.id
    nearest ??= candidate.id
  }
  return nearest
}

/** What the export says beside the text, kept under one name, without what is empty or says nothing. */
function rawOf({ raw }: ExportedMessage): JsonObject {
  const { metadata, channel, weight, end_turn, update_time, status } = raw
  const author = objectOf(objectOf(raw.author).metadata)
  return Object.fromEntries(
    Object.entries({
      metadata: Object.fromEntries(Object.entries(objectOf(metadata)).filter(([, value]) => given(value))),
      channel,
      weight: weight === 1 ? null : weight,
      end_turn: end_turn === true ? null : end_turn,
      update_time,
      status: status === 'finished_successfully' ? null : status,
      author,
    }).filter(([, value]) => given(value)),
  ) as JsonObject
}

function metadataOf(message: ExportedMessage): JsonObject {
  const model = textOf(objectOf(message.raw.metadata).model_slug)
  const chatgpt = rawOf(message)
  return {
    ...(model ? { model } : {}),
    ...(message.hidden ? { hidden: true } : {}),
    ...(given(chatgpt) ? { chatgpt } : {}),
  }
}

function inputOf(
  message: ExportedMessage,
  said: Said,
  callId: string | null,
  parentId: string | null,
  at: Date | null,
): NewMessage & { id: string } {
  return {
    id: message.id,
    parentId,
    role: message.role as Role,
    type: said.type,
    content: said.text,
    parts: said.parts.length > 0 ? said.parts : null,
    name: message.role === 'tool' ? message.authorName : null,
    toolCallId: callId,
    status: STATUSES[textOf(message.raw.status) ?? ''] ?? 'complete',
    metadata: metadataOf(message),
    ...(at ? { createdAt: at } : {}),
  }
}

/** The messages of one run, each linked to the nearest one above it that was imported. */
export function turnsOf(nodes: readonly Node[], options: TurnOptions): Turn[] {
  const turns: Turn[] = []
  const above: ExportedMessage[] = []
  let parentId: string | null = null
  let at = options.startedAt
  for (const { message } of nodes) {
    // The root of a tree and placeholders of an answer that never came.
    if (!message) continue
    at = message.createdAt ?? at
    const turn = turnOf(message, above, parentId, at, options)
    turns.push(turn)
    if (!('input' in turn)) continue
    above.push(message)
    parentId = message.id
  }
  return turns
}

function turnOf(
  message: ExportedMessage,
  above: readonly ExportedMessage[],
  parentId: string | null,
  at: Date | null,
  options: TurnOptions,
): Turn {
  const { id } = message
  if (!options.includeHidden && isInstructions(message)) return { id, skipped: 'hidden instructions' }
  const callId = callOf(message, above)
  const said = sayingOf(message, callId)
  if (said.text.trim() === '' && (said.parts.length === 0 || holdsNothing(message.content)))
    return { id, skipped: 'empty' }
  if (!ROLES.includes(message.role as Role))
    return { id, refused: { field: 'author.role', reason: `must be one of ${ROLES.join(', ')}` } }
  return { id, input: inputOf(message, said, callId, parentId, at) }
}

/** Whether content holds nothing at all: a placeholder. */
const holdsNothing = (content: JsonObject): boolean =>
  Object.entries(content).every(
    ([name, value]) => name === 'content_type' || !(Array.isArray(value) ? value.some(given) : given(value)),
  )

import { v5 as uuidv5 } from 'uuid'
import { BrunoMemoryError, ValidationError } from '../../errors.js'
import type { JsonObject } from '../../model/records.js'
import { ArraySplitter, type Element } from '../json-array.js'
import { aboutRecord, parseJson } from '../text.js'
import type { ImportItem, Place } from '../types.js'
import { given, isObject, textOf } from '../values.js'
import { turnsOf } from './messages.js'
import { nodesOf, timeOf } from './shape.js'
import { type Branch, branchesOf } from './tree.js'

export interface ChatGptOptions {
  readonly file: string
  readonly userId: string
  /** Also import what ChatGPT does not show: system prompts and custom instructions. Default false. */
  readonly includeHidden?: boolean | undefined
}

/** The largest conversation that is held in memory. */
export const MAX_CONVERSATION_BYTES = 128 * 1024 * 1024
/** Ids of conversations that the export does not name, the branches among them, are made in this namespace. */
const NAMESPACE = '6f0d5c0e-27a5-5b7c-9a35-2c1d8e5f4b90'

/**
 * The conversations of a ChatGPT data export, one at a time.
 *
 * The path to the current node becomes the conversation, so that reading it gives what was on the screen. Every other
 * branch (an answer made again, a question edited) becomes a conversation of its own that holds what is only in it;
 * its `metadata.branch` names the conversation and message that it leaves. No message is imported twice, and none is
 * left out but the empty ones and hidden instructions, which are counted.
 */
export async function* readChatGpt(
  chunks: AsyncIterable<Buffer>,
  options: ChatGptOptions,
): AsyncGenerator<ImportItem[]> {
  const splitter = new ArraySplitter(MAX_CONVERSATION_BYTES)
  const broken = (error: unknown): ImportItem[] => {
    if (!(error instanceof BrunoMemoryError)) throw error
    return [
      { kind: 'conversation', outcome: 'refused', field: 'file', reason: error.message, place: { file: options.file } },
    ]
  }
  for await (const chunk of chunks) {
    let elements: Element[]
    try {
      elements = splitter.push(chunk)
    } catch (error) {
      yield broken(error)
      return
    }
    for (const element of elements) yield itemsOf(element, options)
  }
  try {
    splitter.end()
  } catch (error) {
    yield broken(error)
  }
}

function itemsOf(element: Element, options: ChatGptOptions): ImportItem[] {
  const place = { file: options.file, index: element.index, offset: element.offset }
  try {
    if (element.bytes === null)
      throw new ValidationError('conversation', `must be at most ${MAX_CONVERSATION_BYTES} bytes`)
    const value = parseJson(element.bytes, 'conversation')
    if (!isObject(value)) throw new ValidationError('conversation', 'must be an object')
    if (!isObject(value.mapping))
      throw new ValidationError('mapping', 'is required: this is no conversation of a ChatGPT export')
    return conversationItems(value, value.mapping, place, options)
  } catch (error) {
    const { field, problem } = aboutRecord(error, 'conversation')
    return [{ kind: 'conversation', outcome: 'refused', field, reason: problem, place }]
  }
}

const DROPPED = ['mapping', 'title', 'create_time', 'update_time', 'current_node', 'conversation_id', 'id']

function conversationItems(value: JsonObject, mapping: JsonObject, at: Place, options: ChatGptOptions): ImportItem[] {
  const nodes = nodesOf(mapping)
  const id = textOf(value.conversation_id) || textOf(value.id) || uuidv5(Object.keys(mapping)[0] ?? '', NAMESPACE)
  const current = textOf(value.current_node)
  const branches = branchesOf(nodes, current !== null && nodes.has(current) ? current : null)
  const rest = Object.entries(value).filter(([name, v]) => !DROPPED.includes(name) && given(v) && v !== false)
  const shared = {
    title: textOf(value.title) || null,
    createdAt: timeOf(value.create_time),
    updatedAt: timeOf(value.update_time),
    metadata: { source: 'chatgpt', ...(rest.length > 0 ? { chatgpt: Object.fromEntries(rest) } : {}) },
  }
  const owners = new Map<string, string>()
  return branches.flatMap((branch, i) =>
    branchItems(branch, i, { id, shared, owners, nodes, place: { ...at, id }, options }),
  )
}

interface Context {
  readonly id: string
  readonly shared: { title: string | null; createdAt: Date | null; updatedAt: Date | null; metadata: JsonObject }
  /** In which conversation each message went. */
  readonly owners: Map<string, string>
  readonly nodes: ReadonlyMap<
    string,
    { readonly parent: string | null; readonly message: { readonly id: string } | null }
  >
  readonly place: Place
  readonly options: ChatGptOptions
}

/** The message that a branch answers, with its conversation: the nearest above it that was imported. */
function originOf({ from }: Branch, { owners, nodes }: Context): JsonObject | null {
  const seen = new Set<string>()
  for (let id = from; id !== null && !seen.has(id); id = nodes.get(id)?.parent ?? null) {
    seen.add(id)
    const messageId = nodes.get(id)?.message?.id
    const conversationId = messageId === undefined ? undefined : owners.get(messageId)
    if (messageId !== undefined && conversationId !== undefined) return { conversationId, messageId }
  }
  return null
}

function branchItems(branch: Branch, index: number, context: Context): ImportItem[] {
  const { shared, owners, place, options } = context
  const turns = turnsOf(branch.nodes, { includeHidden: options.includeHidden === true, startedAt: shared.createdAt })
  const main = index === 0
  const id = main ? context.id : uuidv5(`${context.id}\n${branch.nodes[0]?.id ?? ''}`, NAMESPACE)
  const items: ImportItem[] = turns.flatMap((turn): ImportItem[] => {
    const at = { ...place, id: turn.id }
    if ('skipped' in turn)
      return [{ kind: 'message', outcome: 'skipped', field: 'message', reason: turn.skipped, place: at }]
    if ('refused' in turn) return [{ kind: 'message', outcome: 'refused', ...turn.refused, place: at }]
    owners.set(turn.id, id)
    const size = (turn.input.content?.length ?? 0) + 500
    return [{ kind: 'message', tenant: null, place: at, size, conversationId: id, input: turn.input }]
  })
  // A branch of which nothing is kept is no conversation; the main one stands even when it is empty.
  if (!main && !turns.some((turn) => 'input' in turn)) return items
  const origin = main ? null : { ...originOf(branch, context), root: context.id }
  const first = turns.find((turn) => 'input' in turn)
  const createdAt = main
    ? shared.createdAt
    : ((first && 'input' in first ? first.input.createdAt : undefined) ?? shared.createdAt)
  const input = {
    id,
    userId: options.userId,
    title: shared.title,
    metadata: origin ? { ...shared.metadata, branch: origin } : shared.metadata,
    ...(createdAt ? { createdAt } : {}),
    ...(main && shared.updatedAt ? { updatedAt: shared.updatedAt } : {}),
  }
  return [{ kind: 'conversation', tenant: null, place, size: 1000, input }, ...items]
}

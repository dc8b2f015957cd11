import { basename } from 'node:path'
import { v5 as uuidv5 } from 'uuid'
import { BrunoMemoryError, ValidationError } from '../../errors.js'
import { canonicalJson } from '../../model/canonical.js'
import type { JsonValue } from '../../model/records.js'
import { ArraySplitter, type Element } from '../json-array.js'
import { aboutRecord, parseJson } from '../text.js'
import { type ImportItem, type ItemOf, isLeftOut, type Place } from '../types.js'
import { isObject } from '../values.js'
import { type Heard, heardOf, isCall } from './items.js'

export interface AgentsOptions {
  readonly file: string
  readonly userId: string
}

/** The largest item that is held in memory. */
const MAX_ITEM_BYTES = 128 * 1024 * 1024
/** Ids of items that have none are made in this namespace. */
const NAMESPACE = '3d1f7a0e-8c55-5e0b-b0a1-6b7c2f9e4d18'

/** The name of a file without its endings: a session's id. */
export const sessionIdOf = (file: string): string =>
  basename(file)
    .replace(/\.gz$/i, '')
    .replace(/\.json$/i, '')

/**
 * The items of a session of the OpenAI Agents SDK, as `session.getItems()` gives them: one conversation, which has the
 * name of the file. Items carry no times, so the messages have those of the import.
 */
export async function* readAgents(chunks: AsyncIterable<Buffer>, options: AgentsOptions): AsyncGenerator<ImportItem[]> {
  const session = new Session(options)
  const splitter = new ArraySplitter(MAX_ITEM_BYTES)
  try {
    for await (const chunk of chunks) for (const element of splitter.push(chunk)) yield session.take(element)
    splitter.end()
  } catch (error) {
    if (!(error instanceof BrunoMemoryError)) throw error
    yield [...session.take(null), session.refused('file', error.message, { file: options.file })]
    return
  }
  yield session.take(null)
}

class Session {
  readonly #id: string
  #begun = false
  readonly #ids = new Set<string>()
  readonly #same = new Map<string, number>()
  /** Calls wait for those made together with them: a tool's answer belongs to the message right in front of it. */
  #waiting: ItemOf<'message'> | null = null

  constructor(readonly options: AgentsOptions) {
    this.#id = sessionIdOf(options.file)
  }

  /** The conversation begins with its first message. */
  #begin(items: readonly ImportItem[]): ImportItem[] {
    if (this.#begun || items.every((item) => item.kind === null || isLeftOut(item))) return [...items]
    this.#begun = true
    const { file, userId } = this.options
    const input = { id: this.#id, userId, metadata: { source: 'openai-agents' } }
    return [{ kind: 'conversation', tenant: null, place: { file, id: this.#id }, size: 500, input }, ...items]
  }

  refused(field: string, reason: string, place: Place): ImportItem {
    return { kind: 'message', outcome: 'refused', field, reason, place }
  }

  /** The messages that are complete by this item; null: the end. */
  take(element: Element | null): ImportItem[] {
    return this.#begin(this.#take(element))
  }

  #take(element: Element | null): ImportItem[] {
    const waiting = this.#waiting ? [this.#waiting] : []
    if (!element) return waiting
    const place = { file: this.options.file, index: element.index, offset: element.offset }
    try {
      const item = itemOf(element)
      if (this.#waiting && isCall(item) && this.#joins(item)) return []
      this.#waiting = null
      const message = this.#message(item, place, element.bytes?.length ?? 0)
      if (!isCall(item)) return [...waiting, message]
      this.#waiting = message.kind === 'message' && 'input' in message ? message : null
      return this.#waiting ? waiting : [...waiting, message]
    } catch (error) {
      this.#waiting = null
      const { field, problem } = aboutRecord(error, 'item')
      return [...waiting, this.refused(field, problem, place)]
    }
  }

  #joins(item: unknown): boolean {
    const heard = heardOf(item)
    if (typeof heard === 'string' || !this.#waiting) return false
    const { input } = this.#waiting
    const parts = [...(input.parts ?? []), ...(heard.parts ?? [])]
    const status = heard.status === 'aborted' ? heard.status : input.status
    this.#waiting = {
      ...this.#waiting,
      input: { ...input, parts, status, metadata: { ...heard.metadata, ...input.metadata } },
    }
    return true
  }

  #message(item: unknown, place: Place, size: number): ImportItem {
    const heard = heardOf(item)
    const id = this.#idOf(item)
    const at = { ...place, id }
    if (typeof heard === 'string') return this.refused('item', heard, at)
    if (isEmpty(heard)) return { kind: 'message', outcome: 'skipped', field: 'item', reason: 'empty', place: at }
    return {
      kind: 'message',
      tenant: null,
      place: at,
      size: size + 500,
      conversationId: this.#id,
      input: { ...heard, id },
    }
  }

  /** Its own where it has one that no item in front of it had; otherwise made from what it says. */
  #idOf(item: unknown): string {
    const own = isObject(item) && typeof item.id === 'string' ? item.id : ''
    if (own !== '' && !this.#ids.has(own)) {
      this.#ids.add(own)
      return own
    }
    const says = canonicalJson([this.#id, item as JsonValue])
    const before = this.#same.get(says) ?? 0
    this.#same.set(says, before + 1)
    return uuidv5(canonicalJson([says, before]), NAMESPACE)
  }
}

const isEmpty = ({ content, parts }: Heard): boolean => (content ?? '').trim() === '' && (parts ?? []).length === 0

function itemOf({ bytes }: Element): unknown {
  if (bytes === null) throw new ValidationError('item', `must be at most ${MAX_ITEM_BYTES} bytes`)
  return parseJson(bytes, 'item')
}

import { v5 as uuidv5 } from 'uuid'
import { ValidationError } from '../../errors.js'
import { canonicalJson } from '../../model/canonical.js'
import type { JsonValue } from '../../model/records.js'
import { readSqlite, type SqliteFile } from '../sqlite.js'
import { aboutRecord } from '../text.js'
import type { ImportItem, Place } from '../types.js'
import { isRemoval, messageOf, writtenOf } from './messages.js'
import { storeItems } from './store.js'
import { idOf, otherChannels, type Thread, threadsOf } from './threads.js'

export interface LangGraphOptions {
  readonly userId: string
  /** What has expired by then is skipped. */
  readonly now: Date
}

/** Ids of messages that have none are made in this namespace. */
const NAMESPACE = '5d8e4b17-03c9-5a6f-b2d4-8f1e7a9c6053'
/** In an import, how many messages of a thread are handed on at a time. */
const AT_ONCE = 1000

/**
 * The threads in the file of a LangGraph SQLite checkpointer: of each, the messages of the last checkpoint. Everything
 * else is named and passed over: earlier checkpoints, those of graphs within graphs, writes that no checkpoint has yet,
 * and the values of other channels. Items of a store are documents.
 */
export class LangGraphReader {
  readonly #channels = new Map<string, number>()
  #earlier = 0

  constructor(
    readonly file: SqliteFile,
    readonly options: LangGraphOptions,
  ) {}

  *items(): Generator<ImportItem[]> {
    if (this.file.tables.has('checkpoints')) {
      for (const thread of threadsOf(this.file)) yield* this.#thread(thread)
      yield this.#passedOver()
    }
    if (this.file.tables.has('store')) yield* storeItems(this.file, this.options.now)
  }

  *#thread(thread: Thread): Generator<ImportItem[]> {
    const { id, channels } = thread
    const place = { file: this.file.path, table: 'checkpoints', id }
    this.#earlier += thread.checkpoints - 1
    if (channels instanceof ValidationError) {
      const { field, problem } = channels
      yield [{ kind: 'conversation', outcome: 'refused', field, reason: problem, place }]
      return
    }
    for (const name of otherChannels(channels)) this.#channels.set(name, (this.#channels.get(name) ?? 0) + 1)
    const messages = Array.isArray(channels.messages) ? channels.messages : []
    if (messages.length === 0) {
      yield [{ kind: 'conversation', outcome: 'skipped', field: 'messages', reason: 'thread without messages', place }]
      return
    }
    yield [this.#conversation(thread, place)]
    const seen = new Set<string>()
    for (let at = 0; at < messages.length; at += AT_ONCE)
      yield messages.slice(at, at + AT_ONCE).map((message) => messageItem(message, thread, seen, place))
  }

  #conversation({ id, startedAt, endedAt }: Thread, place: Place): ImportItem {
    const times = { ...(startedAt ? { createdAt: startedAt } : {}), ...(endedAt ? { updatedAt: endedAt } : {}) }
    const input = { id, userId: this.options.userId, metadata: { source: 'langgraph' }, ...times }
    return { kind: 'conversation', tenant: null, place, size: 500, input }
  }

  #passedOver(): ImportItem[] {
    const last = `(SELECT max(c."checkpoint_id") FROM checkpoints c
      WHERE c."thread_id" = writes."thread_id" AND c."checkpoint_ns" = '')`
    const waiting = `"checkpoint_ns" = '' AND "checkpoint_id" = ${last}`
    const passed: [what: string, rows: number][] = [
      ['earlier checkpoints', this.#earlier],
      ['checkpoints of graphs within graphs', this.file.count('checkpoints', `"checkpoint_ns" <> ''`)],
      ['writes that no checkpoint has yet', this.file.tables.has('writes') ? this.file.count('writes', waiting) : 0],
      ...[...this.#channels].map(([name, rows]): [string, number] => [`values of the channel ${name}`, rows]),
    ]
    return passed.flatMap(([what, rows]) => (rows > 0 ? [{ kind: null, what, rows }] : []))
  }
}

function messageItem(message: JsonValue, thread: Thread, seen: Set<string>, at: Place): ImportItem {
  const own = idOf(message)
  const says = () => uuidv5(canonicalJson([thread.id, seen.size, message]), NAMESPACE)
  const id = own !== null && !seen.has(own) ? own : says()
  seen.add(id)
  const place = { ...at, id }
  try {
    const written = writtenOf(message)
    if (!written) throw new ValidationError('messages', 'is no message of LangChain')
    const reason = isRemoval(written) ? 'removal of a message' : 'empty'
    const said = isRemoval(written) ? null : messageOf(written)
    if (!said || ((said.content ?? '').trim() === '' && !said.parts))
      return { kind: 'message', outcome: 'skipped', field: 'messages', reason, place }
    const createdAt = thread.times.get(id) ?? thread.endedAt
    const size = (said.content?.length ?? 0) + (said.parts ? 2000 : 500)
    const input = { ...said, id, ...(createdAt ? { createdAt } : {}) }
    return { kind: 'message', tenant: null, place, size, conversationId: thread.id, input }
  } catch (error) {
    const { field, problem } = aboutRecord(error, 'messages')
    return { kind: 'message', outcome: 'refused', field, reason: problem, place }
  }
}

export const readLangGraph = (path: string, options: LangGraphOptions): AsyncIterable<ImportItem[]> =>
  readSqlite(path, (file) => new LangGraphReader(file, options).items())

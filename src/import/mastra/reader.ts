import { v5 as uuidv5 } from 'uuid'
import type { NewMemory } from '../../model/inputs.js'
import type { JsonObject, RecordKind } from '../../model/records.js'
import { cellInstant, cellJson, cellText, jsonColumn, type Row, readSqlite, type SqliteFile } from '../sqlite.js'
import { aboutRecord } from '../text.js'
import type { ImportItem, Place } from '../types.js'
import { objectOf } from '../values.js'
import { MASTRA } from './layout.js'
import { messagesOf, NAMESPACE } from './messages.js'

const times = (row: Row): { createdAt?: Date; updatedAt?: Date } => {
  const createdAt = cellInstant(row.createdAt, 'createdAt')
  const updatedAt = cellInstant(row.updatedAt, 'updatedAt')
  return { ...(createdAt ? { createdAt } : {}), ...(updatedAt ? { updatedAt } : {}) }
}
const metadataOf = (row: Row): JsonObject => objectOf(cellJson(row.metadata, 'metadata'))
const blank = (value: unknown): boolean => (cellText(value) ?? '').trim() === ''

/**
 * The memory in the file of a Mastra LibSQL store. A resource is a user, and its working memory a memory of theirs; a
 * thread is a conversation; what was observed (`mastra_observational_memory`) is a memory. Every other table of
 * Mastra's, such as traces and snapshots of workflows, is passed over and named.
 */
export class MastraReader {
  constructor(
    readonly file: SqliteFile,
    /** Of threads without a resource. */
    readonly userId: string,
  ) {}

  *items(): Generator<ImportItem[]> {
    yield* this.#resources()
    yield* this.#threads()
    yield* this.#workingMemory()
    yield* this.#observations()
    for (const table of this.file.tables.keys()) {
      const rows = table.startsWith('mastra_') && !(table in MASTRA.columns) ? this.file.count(table) : 0
      if (rows > 0) yield [{ kind: null, what: `rows of ${table}`, rows }]
    }
  }

  #has = (table: string): boolean => this.file.tables.has(table)

  #place = (table: string, row: Row): Place => ({ file: this.file.path, table, id: cellText(row.id) ?? undefined })

  /** The items of a row; one refusal where it cannot be read. */
  #read(kind: RecordKind, table: string, row: Row, make: (place: Place) => ImportItem[]): ImportItem[] {
    const place = this.#place(table, row)
    try {
      return make(place)
    } catch (error) {
      const { field, problem } = aboutRecord(error, 'row')
      return [{ kind, outcome: 'refused', field, reason: problem, place }]
    }
  }

  *#resources(): Generator<ImportItem[]> {
    const table = 'mastra_resources'
    if (!this.#has(table)) return
    const sql = `SELECT "id", ${jsonColumn('metadata')}, "createdAt", "updatedAt" FROM ${table} ORDER BY rowid`
    for (const row of this.file.rows(sql))
      yield this.#read('user', table, row, (place) => {
        const input = { id: cellText(row.id) ?? '', metadata: metadataOf(row), ...times(row) }
        return [{ kind: 'user', tenant: null, place, size: 500, input }]
      })
  }

  /** Threads, each with its messages: both cursors go by the thread's id, so no index is needed for it. */
  *#threads(): Generator<ImportItem[]> {
    const table = 'mastra_threads'
    const fields = `"id", "resourceId", "title", ${jsonColumn('metadata')}, "createdAt", "updatedAt"`
    const messages = this.#messages()
    let next = messages.next()
    for (const row of this.file.rows(`SELECT ${fields} FROM ${table} ORDER BY "id"`)) {
      yield this.#read('conversation', table, row, (place) => [
        conversationItem(place, row, cellText(row.resourceId) || this.userId),
      ])
      for (; !next.done; next = messages.next()) {
        const order = byBytes(next.value.thread_id, row.id)
        if (order > 0) break
        yield order === 0 ? this.#message(next.value, row) : this.#lost(next.value)
      }
    }
    for (; !next.done; next = messages.next()) yield this.#lost(next.value)
  }

  *#messages(): Generator<Row> {
    const table = 'mastra_messages'
    const resource = this.file.tables.get(table)?.has('resourceId') ? '"resourceId"' : 'NULL AS "resourceId"'
    const fields = `"id", "thread_id", "content", "role", "type", "createdAt", ${resource}`
    yield* this.file.rows(`SELECT ${fields} FROM ${table} ORDER BY "thread_id", "createdAt", rowid`)
  }

  #message(row: Row, thread: Row): ImportItem[] {
    return this.#read('message', 'mastra_messages', row, (place) => {
      const inputs = messagesOf(row, cellText(thread.resourceId))
      if (inputs.length === 0)
        return [{ kind: 'message', outcome: 'skipped', field: 'message', reason: 'empty', place }]
      const size = (cellText(row.content)?.length ?? 0) / inputs.length + 500
      const conversationId = cellText(thread.id) ?? ''
      return inputs.map((input) => ({ kind: 'message', tenant: null, place, size, conversationId, input }))
    })
  }

  /** A message of a thread that is no longer there. */
  #lost(row: Row): ImportItem[] {
    const place = this.#place('mastra_messages', row)
    const reason = 'names no thread of this file'
    return [{ kind: 'message', outcome: 'refused', field: 'thread_id', reason, place }]
  }

  /** Of resources, and of threads that keep one of their own. */
  *#workingMemory(): Generator<ImportItem[]> {
    const memory = (table: string, row: Row, userId: unknown, conversationId: string | null, text: unknown) =>
      this.#read('memory', table, row, (place) => {
        const id = uuidv5(JSON.stringify(['working memory', table, cellText(row.id)]), NAMESPACE)
        const content = cellText(text) ?? ''
        const input = {
          id,
          userId: cellText(userId) || this.userId,
          conversationId,
          content,
          category: 'working-memory',
        }
        return [memoryItem(place, { ...input, type: 'semantic', source: 'mastra', ...times(row) })]
      })
    const resources = 'mastra_resources'
    const kept = new Map<unknown, unknown>()
    if (this.#has(resources))
      for (const row of this.file.rows(`SELECT "id", "workingMemory", "createdAt", "updatedAt" FROM ${resources}`)) {
        if (blank(row.workingMemory)) continue
        kept.set(row.id, row.workingMemory)
        yield memory(resources, row, row.id, null, row.workingMemory)
      }
    const threads = 'mastra_threads'
    const sql = `SELECT "id", "resourceId", ${jsonColumn('metadata')}, "createdAt", "updatedAt" FROM ${threads}`
    for (const row of this.file.rows(sql)) {
      const text = workingMemoryOf(row)
      // A store whose working memory is the resource's has put it there as well.
      if (blank(text) || kept.get(row.resourceId) === text) continue
      yield memory(threads, row, row.resourceId, cellText(row.id), text)
    }
  }

  /** The last generation of each; those before it went into it. */
  *#observations(): Generator<ImportItem[]> {
    const table = 'mastra_observational_memory'
    if (!this.#has(table)) return
    const sql = `SELECT *, max("generationCount") FROM ${table} GROUP BY "lookupKey"`
    let last = 0
    for (const row of this.file.rows(sql)) {
      last++
      yield this.#read('memory', table, row, (place) => {
        if (blank(row.activeObservations))
          return [{ kind: 'memory', outcome: 'skipped', field: 'activeObservations', reason: 'empty', place }]
        const id = uuidv5(JSON.stringify(['observations', cellText(row.lookupKey)]), NAMESPACE)
        const content = cellText(row.activeObservations) ?? ''
        const userId = cellText(row.resourceId) || this.#ownerOf(row.threadId)
        const input = { id, userId, conversationId: cellText(row.threadId) || null, content, category: 'observations' }
        return [memoryItem(place, { ...input, type: 'episodic', source: 'mastra', ...times(row) })]
      })
    }
    const rows = this.file.count(table) - last
    if (rows > 0) yield [{ kind: null, what: `earlier generations of ${table}`, rows }]
  }

  #ownerOf(threadId: unknown): string {
    const [row] = this.file.rows('SELECT "resourceId" FROM mastra_threads WHERE "id" = ?', threadId)
    return cellText(row?.resourceId) || this.userId
  }
}

/** As SQLite orders text. */
const byBytes = (a: unknown, b: unknown): number =>
  Buffer.compare(Buffer.from(cellText(a) ?? ''), Buffer.from(cellText(b) ?? ''))

function conversationItem(place: Place, row: Row, userId: string): ImportItem {
  const metadata = { source: 'mastra', ...metadataOf(row) }
  const who = { id: cellText(row.id) ?? '', userId }
  const input = { ...who, title: cellText(row.title) || null, metadata, ...times(row) }
  return { kind: 'conversation', tenant: null, place, size: 1000, input }
}

/** What is refused about a thread's metadata was refused with the thread. */
function workingMemoryOf(row: Row): unknown {
  try {
    return metadataOf(row).workingMemory
  } catch {
    return null
  }
}

const memoryItem = (place: Place, input: NewMemory & { readonly id: string }): ImportItem => ({
  kind: 'memory',
  tenant: null,
  place,
  size: input.content.length + 500,
  input,
})

export const readMastra = (path: string, userId: string): AsyncIterable<ImportItem[]> =>
  readSqlite(path, (file) => new MastraReader(file, userId).items())

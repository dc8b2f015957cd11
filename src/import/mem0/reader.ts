import { v5 as uuidv5 } from 'uuid'
import { ValidationError } from '../../errors.js'
import { type RecordKind, ROLES, type Role } from '../../model/records.js'
import { cellInstant, cellText, type Row, readSqlite, type SqliteFile } from '../sqlite.js'
import { aboutRecord } from '../text.js'
import type { ImportItem, Place } from '../types.js'
import { type Input, isDeleted, lastEvents, memoryOfEvent, memoryOfVector } from './memories.js'

export interface Mem0Options {
  readonly userId: string
  /** What has expired by then is skipped. */
  readonly now: Date
}

/** Ids of conversations are made in this namespace. */
const NAMESPACE = '9c3b6d0e-51f2-5f0a-8e6c-7b2a4d9f1c35'

/**
 * The memories in a file of mem0's: as their last event left them, without those that were deleted. Whose they are says
 * only the payload of their vectors, so where the file has no vectors, all are the user's for whom it is imported. The
 * last messages of each session, which mem0 keeps beside them, are a conversation.
 */
export class Mem0Reader {
  readonly #seen = new Set<string>()

  constructor(
    readonly file: SqliteFile,
    readonly options: Mem0Options,
  ) {}

  *items(): Generator<ImportItem[]> {
    yield* this.#messages()
    yield* this.#vectors()
    for (const table of ['memory_history', 'history']) if (this.#has(table)) yield* this.#events(table)
  }

  #has = (table: string): boolean => this.file.tables.has(table)

  #read(kind: RecordKind, table: string, id: unknown, make: (place: Place) => ImportItem): ImportItem {
    const place = { file: this.file.path, table, id: cellText(id) ?? undefined }
    try {
      return make(place)
    } catch (error) {
      const { field, problem } = aboutRecord(error, 'row')
      return { kind, outcome: 'refused', field, reason: problem, place }
    }
  }

  #memory(place: Place, input: Input): ImportItem {
    const { expiresAt } = input
    if (expiresAt && expiresAt <= this.options.now)
      return { kind: 'memory', outcome: 'skipped', field: 'expiration_date', reason: 'expired', place }
    return { kind: 'memory', tenant: null, place, size: input.content.length + 500, input }
  }

  *#vectors(): Generator<ImportItem[]> {
    const table = 'vectors'
    if (!this.#has(table)) return
    let rows = 0
    for (const row of this.file.rows(`SELECT "id", "payload" FROM ${table} ORDER BY rowid`)) {
      rows++
      this.#seen.add(cellText(row.id) ?? '')
      yield [this.#read('memory', table, row.id, (at) => this.#memory(at, memoryOfVector(row, this.options.userId)))]
    }
    if (rows > 0) yield [{ kind: null, what: 'vectors: they are made anew', rows }]
  }

  *#events(table: string): Generator<ImportItem[]> {
    let earlier = 0
    for (const row of lastEvents(this.file, table)) {
      earlier += Number(row.events) - 1
      if (this.#seen.has(cellText(row.memory_id) ?? '')) continue
      yield [this.#read('memory', table, row.memory_id, (place) => this.#event(place, row))]
    }
    if (earlier > 0) yield [{ kind: null, what: `earlier events of ${table}`, rows: earlier }]
  }

  #event(place: Place, row: Row): ImportItem {
    if (isDeleted(row)) return { kind: 'memory', outcome: 'skipped', field: 'is_deleted', reason: 'deleted', place }
    return this.#memory(place, memoryOfEvent(row, this.options.userId))
  }

  *#messages(): Generator<ImportItem[]> {
    const table = 'messages'
    if (!this.#has(table)) return
    const fields = '"id", "session_scope", "role", "content", "name", "created_at"'
    let scope: unknown
    for (const row of this.file.rows(`SELECT ${fields} FROM ${table} ORDER BY "session_scope", "created_at", rowid`)) {
      const id = uuidv5(JSON.stringify(['session', cellText(row.session_scope)]), NAMESPACE)
      if (row.session_scope !== scope) yield [this.#conversation(id, row)]
      scope = row.session_scope
      yield [this.#read('message', table, row.id, (place) => messageItem(place, id, row))]
    }
  }

  #conversation(id: string, row: Row): ImportItem {
    return this.#read('conversation', 'messages', row.session_scope, (place) => {
      const session = sessionOf(cellText(row.session_scope) ?? '')
      const createdAt = cellInstant(row.created_at, 'created_at')
      const userId = session.user_id || this.options.userId
      const input = { id, userId, metadata: { source: 'mem0', mem0: session }, ...(createdAt ? { createdAt } : {}) }
      return { kind: 'conversation', tenant: null, place, size: 500, input }
    })
  }
}

/** `agent_id=…&run_id=…&user_id=…`, with `%`, `&` and `=` in them escaped. */
const sessionOf = (scope: string): Record<string, string> =>
  Object.fromEntries(
    scope.split('&').flatMap((part) => {
      const at = part.indexOf('=')
      return at < 1 ? [] : [[part.slice(0, at), unescaped(part.slice(at + 1))]]
    }),
  )

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

function messageItem(place: Place, conversationId: string, row: Row): ImportItem {
  const role = cellText(row.role) ?? ''
  if (!ROLES.includes(role as Role)) throw new ValidationError('role', `must be one of ${ROLES.join(', ')}`)
  const content = cellText(row.content) ?? ''
  if (content.trim() === '') return { kind: 'message', outcome: 'skipped', field: 'content', reason: 'empty', place }
  const createdAt = cellInstant(row.created_at, 'created_at')
  const about = { id: cellText(row.id) ?? '', role: role as Role, name: cellText(row.name) || null }
  const input = { ...about, content, ...(createdAt ? { createdAt } : {}) }
  return { kind: 'message', tenant: null, place, size: content.length + 500, conversationId, input }
}

export const readMem0 = (path: string, options: Mem0Options): AsyncIterable<ImportItem[]> =>
  readSqlite(path, (file) => new Mem0Reader(file, options).items())

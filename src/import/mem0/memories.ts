import type { NewMemory } from '../../model/inputs.js'
import { cellInstant, cellJson, cellText, type Row, type SqliteFile } from '../sqlite.js'
import { objectOf, textOf, without } from '../values.js'

export type Input = NewMemory & { readonly id: string }

/** What mem0 keeps of a memory beside what its user gave it. */
const OWN = [
  'data',
  'hash',
  'textLemmatized',
  'createdAt',
  'updatedAt',
  'created_at',
  'updated_at',
  'user_id',
  'expiration_date',
]

/** The last day on which it is valid, as the instant at which that day is over. */
function expiryOf(value: unknown): Date | undefined {
  const day = textOf(value)
  if (day === null) return undefined
  const instant = cellInstant(/^\d{4}-\d\d-\d\d$/.test(day) ? `${day}T00:00:00Z` : day, 'expiration_date')
  return instant && new Date(instant.getTime() + 24 * 60 * 60 * 1000)
}

const timesOf = (created: unknown, updated: unknown): { createdAt?: Date; updatedAt?: Date } => {
  const createdAt = cellInstant(created, 'created_at')
  const updatedAt = cellInstant(updated, 'updated_at')
  return { ...(createdAt ? { createdAt } : {}), ...(updatedAt ? { updatedAt } : {}) }
}

/** A memory as its vector's payload has it: with whose it is, and with metadata. */
export function memoryOfVector(row: Row, userId: string): Input {
  const payload = objectOf(cellJson(row.payload, 'payload'))
  const expiresAt = expiryOf(payload.expiration_date)
  return {
    id: cellText(row.id) ?? '',
    userId: textOf(payload.user_id ?? null) || userId,
    content: textOf(payload.data ?? null) ?? '',
    source: 'mem0',
    metadata: without(payload, ...OWN),
    ...timesOf(payload.createdAt ?? payload.created_at, payload.updatedAt ?? payload.updated_at),
    ...(expiresAt ? { expiresAt } : {}),
  }
}

/** A memory as its last event left it. */
export const memoryOfEvent = (row: Row, userId: string): Input => ({
  id: cellText(row.memory_id) ?? '',
  userId,
  content: cellText(row.value) ?? '',
  source: 'mem0',
  metadata: without({ actor_id: cellText(row.actor_id), role: cellText(row.role) }),
  ...timesOf(row.created_at, row.updated_at),
})

export const isDeleted = (row: Row): boolean => Number(row.is_deleted) === 1 || cellText(row.action) === 'DELETE'

/** The last event of each memory, in the order in which these came, with how many there were. */
export function* lastEvents(file: SqliteFile, table: string): Generator<Row> {
  const [value, action] = table === 'history' ? ['new_memory', 'event'] : ['new_value', 'action']
  const of = (name: string): string => (file.tables.get(table)?.has(name) ? `h."${name}"` : `NULL AS "${name}"`)
  const last = `SELECT "memory_id", max(rowid) AS "last", count(*) AS "events" FROM "${table}" GROUP BY "memory_id"`
  yield* file.rows(`SELECT h."memory_id", h."${value}" AS "value", h."${action}" AS "action", h."is_deleted",
      h."created_at", h."updated_at", ${of('actor_id')}, ${of('role')}, l."events"
    FROM (${last}) l JOIN "${table}" h ON h.rowid = l."last" ORDER BY l."last"`)
}

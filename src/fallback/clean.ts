import type { UnitScope } from '../contract/backend.js'
import type { JournalState, StoredEntry } from '../contract/journal.js'
import { NotFoundError, StorageError } from '../errors.js'
import { type Act, readWhat, type What } from './entry.js'
import type { Member } from './member.js'
import { LEASE } from './standing.js'
import { methodOf, type RepositoryName } from './verbs.js'

/** Entries whose records are removed in one unit. */
const BATCH = 25

type Key = readonly [repository: RepositoryName, ...key: unknown[]]

/**
 * Removes what an outage left: the records that entries made and the entries that were handed back. Answers whether
 * nothing is left to do. While an outage is on, nothing is removed: its reads answer from what is there.
 */
export async function clean(member: Member, owner: string): Promise<boolean> {
  const { journal } = member
  const state = await journal.state()
  if (state.phase !== 'idle') return true
  const entries = await journal.read(['done', 'parked'], BATCH)
  // One process at a time: an outage that is to begin waits for a unit of each.
  if (entries.length === 0 || !(await journal.lease(owner, LEASE))) return true
  try {
    return await cleanBatch(member, state, entries)
  } finally {
    await journal.release(owner).catch(() => undefined)
  }
}

async function cleanBatch(member: Member, state: JournalState, entries: readonly StoredEntry[]): Promise<boolean> {
  const { journal } = member
  for (const tenantId of new Set(entries.map((entry) => entry.tenantId))) {
    const own = entries.filter((entry) => entry.tenantId === tenantId)
    if (!(await removeRecords(member, state, own))) return true
    const done = own.filter((entry) => entry.state === 'done')
    const parked = own.filter((entry) => entry.state === 'parked')
    if (done.length > 0) await journal.remove(done)
    for (const entry of parked) await journal.mark([entry], 'kept', entry.reason ?? undefined)
  }
  return entries.length < BATCH
}

async function removeRecords(member: Member, state: JournalState, entries: readonly StoredEntry[]): Promise<boolean> {
  const [first] = entries
  if (!first) return true
  return member.backend.unit(first.tenantId, async (scope) => {
    // An outage that begins now waits for this unit, and not longer.
    if (!(await scope.journal?.enter(state))) return false
    for (const key of keysOf(entries)) await remove(scope, key)
    return true
  })
}

async function remove(scope: UnitScope, [repository, ...key]: Key): Promise<void> {
  try {
    await methodOf(scope, repository, 'delete')(...key)
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
  }
}

/** Users and conversations first: what belongs to them goes with them. */
function keysOf(entries: readonly StoredEntry[]): Key[] {
  const keys = entries.flatMap((entry) => keysOfWhat(whatOf(entry)))
  const order = (key: Key) => ['users', 'conversations'].indexOf(key[0]) >>> 0
  const unique = new Map(keys.map((key) => [JSON.stringify(key), key]))
  return [...unique.values()].sort((a, b) => order(a) - order(b))
}

function whatOf(entry: StoredEntry): What {
  try {
    return readWhat(entry.what)
  } catch (error) {
    if (error instanceof StorageError) return { acts: [], made: [] }
    throw error
  }
}

const keysOfWhat = ({ acts, made }: What): Key[] => [
  ...made.map(({ kind, id }): Key => [kind === 'user' ? 'users' : 'conversations', id]),
  ...acts.flatMap(keysOfAct),
]

function keysOfAct({ repository, name, args }: Act): Key[] {
  const [a, b, c] = args as [unknown, unknown, { id?: unknown } | undefined]
  const ids = (given: unknown) => (Array.isArray(given) ? given : [given]) as { id: unknown; namespace?: unknown }[]
  if (name === 'append' || (name === 'upsert' && repository === 'messages'))
    return ids(b).map(({ id }) => ['messages', a, id])
  if (name === 'upsert') return ids(a).map(({ id, namespace }) => ['documents', namespace, id])
  if (name === 'create' || name === 'add' || name === 'addMany') return ids(a).map(({ id }) => [repository, id])
  return name === 'branch' ? [['conversations', c?.id]] : []
}

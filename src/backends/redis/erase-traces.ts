import type { StoredOperation } from '../../contract/backend.js'
import type { StoredEntry } from '../../contract/journal.js'
import {
  countEntry,
  type Holders,
  holdersIn,
  idsIn,
  type JournalTraces,
  keysIn,
  keysOfIds,
  namesErased,
  noTraces,
  type TraceKey,
  traceName,
} from '../../repository/erased-traces.js'
import type { RedisContext } from './context.js'
import { scanKeys } from './erase-server.js'
import { redisJournal } from './journal.js'
import { journalKeys } from './keys.js'
import { write } from './listings.js'
import { operationDue } from './operations.js'
import { readConversation, readMemory, readSession } from './records.js'
import type { Fields } from './transaction.js'

const PAGE = 500
/** How long an operation's outcome is kept, in milliseconds. */
const KEPT = 7 * 24 * 60 * 60 * 1000

const KINDS = ['user', 'conversation', 'session', 'memory'] as const
type Kind = (typeof KINDS)[number]

/** Whose a record is, by its fields. */
function holderOf(kind: Kind, id: string, fields: Fields, tenantId: string): string | undefined {
  if (kind === 'user') return fields.d === null ? undefined : id
  if (kind === 'conversation') return readConversation(fields, tenantId)?.userId
  return (kind === 'session' ? readSession(fields, tenantId) : readMemory(fields, tenantId))?.userId
}

async function holdersOf({ keys, runner, tenantId }: RedisContext, named: readonly TraceKey[]): Promise<Holders> {
  const known = new Map<string, string>()
  for (const kind of KINDS) {
    const kinds = kind === 'conversation' ? ['conversation', 'message'] : [kind]
    const ids = [...new Set(named.filter((each) => kinds.includes(each.kind)).map(({ key }) => String(key[0])))]
    for (let i = 0; i < ids.length; i += PAGE) {
      const some = ids.slice(i, i + PAGE)
      const all = await runner.read((tx) => tx.manyFields(some.map((id) => keys[kind](id))))
      some.forEach((id, at) => {
        const holder = holderOf(kind, id, all[at] as Fields, tenantId)
        if (holder !== undefined) known.set(traceName(kind, id), holder)
      })
    }
  }
  return holdersIn(known)
}

// What cannot be read names nothing that is known, and goes.
function parsed<T>(text: string): Partial<T> {
  try {
    return (JSON.parse(text) as Partial<T> | null) ?? {}
  } catch {
    return {}
  }
}

/**
 * Operations of a user: those that name a record of theirs, or one that is gone, are removed. What other operations
 * answered before the erasure began is forgotten, for it may repeat anything that their callers had read.
 */
export async function eraseOperations(
  context: RedisContext,
  userId: string,
  began: number,
  remove: boolean,
): Promise<{ readonly rows: number; readonly results: number }> {
  const { client, keys, runner } = context
  let [rows, results] = [0, 0]
  for await (const found of scanKeys(client, `${keys.operation('')}*`)) {
    const page = [...new Set(found)]
    const stored = await client.call((c) => Promise.all(page.map((key) => c.hmget(key, 'd', 'x'))))
    const read = stored.map(([d]) => parsed<StoredOperation>(d ?? ''))
    const holders = await holdersOf(
      context,
      read.flatMap(({ records }) => keysIn(records)),
    )
    for (const [i, operation] of read.entries()) {
      const key = page[i] as string
      const [d, x] = stored[i] as [string | null, string | null]
      if (d === null) continue
      const theirs = namesErased(holders, userId, keysIn(operation.records))
      const answered = operation.result !== null && Number(x) - KEPT <= began
      if (theirs) rows++
      else if (answered) results++
      if (!remove || !(theirs || answered)) continue
      await runner.write(async (tx) => {
        if ((await tx.lock(key)).d === null) return
        if (!theirs) return write(tx, key, { d: JSON.stringify({ ...operation, result: null }) }, null)
        const id = Buffer.from(key.slice(key.lastIndexOf(':') + 1), 'base64url').toString()
        tx.writes.dropHash(key)
        tx.writes.score(keys.due, operationDue(id), null)
      })
    }
  }
  return { rows, results }
}

const KIND_OF = (type: string): string => (type.startsWith('messages') ? 'message' : (type.split('.')[0] as string))

/** Events that name what the user has now: asked for before it goes. Those of what was gone before are trimmed in time. */
export async function eraseEvents(context: RedisContext, userId: string, remove: boolean): Promise<number> {
  const { client, keys } = context
  let theirs = 0
  for (let after = '-'; ; ) {
    const page = await client.call((c) => c.xrange(keys.events, after, '+', 'COUNT', PAGE))
    const events = page.map(([id, told]) => {
      const fields = new Map(
        told.flatMap((name, i) => (i % 2 === 0 ? [[name, told[i + 1] ?? '']] : [])) as [string, string][],
      )
      const key = parsed<string[]>(fields.get('k') ?? '')
      return { id, kind: KIND_OF(fields.get('t') ?? ''), key: Array.isArray(key) ? (key as string[]) : [] }
    })
    const holders = await holdersOf(context, events)
    const going = events.filter(({ kind, key: [first = '', second] }) =>
      kind === 'user' ? first === userId : holders(kind, first, second) === userId,
    )
    theirs += going.length
    if (remove && going.length > 0) await client.call((c) => c.xdel(keys.events, ...going.map(({ id }) => id)))
    if (page.length < PAGE) return theirs
    after = `(${page.at(-1)?.[0]}`
  }
}

/** Entries of the journal, which has what was written while this store stood in for another one. */
export async function eraseJournal(
  context: RedisContext,
  userId: string | undefined,
  remove: boolean,
): Promise<JournalTraces> {
  const { client, prefix, clock, tenantId, clustered } = context
  const traces = noTraces()
  if (clustered) return traces
  const journal = redisJournal(client, prefix, clock)
  for (let cursor = '0'; ; ) {
    const [next, flat] = await client.call((c) => c.hscan(journalKeys(prefix).entries, cursor, 'COUNT', PAGE))
    const going: StoredEntry[] = []
    for (let i = 0; i < flat.length; i += 2) {
      const entry = { ...parsed<StoredEntry>(flat[i + 1] ?? ''), seq: Number(flat[i]) } as StoredEntry
      if (entry.tenantId !== tenantId) continue
      if (userId === undefined) {
        traces.found++
        traces.going++
        going.push(entry)
      } else {
        const ids = idsIn(entry.what)
        const holders = await holdersOf(context, keysOfIds(ids))
        if (countEntry(traces, ids, holders, { userId, state: entry.state })) going.push(entry)
      }
    }
    if (remove && going.length > 0) await journal.remove(going)
    if (next === '0') return traces
    cursor = next
  }
}

import type {
  EraseMeans,
  EraseTarget,
  ErasureSubject,
  PartCounts,
  ScrubStep,
  WaitingPart,
} from '../../contract/erase.js'
import { checkShared, HAND_BACK } from '../../repository/erased-traces.js'
import { redisCache } from './cache.js'
import type { RedisContext } from './context.js'
import { dropConversation, dropNamed } from './conversation-delete.js'
import { nodesOf, rewritePersistence, scanKeys } from './erase-server.js'
import { eraseEvents, eraseJournal, eraseOperations } from './erase-traces.js'
import { tenantsKey } from './keys.js'
import { FIRST, idOfDated, idOfRanked, LAST } from './order.js'
import { readConversation } from './records.js'
import type { Transaction } from './transaction.js'
import { deleteUser } from './user-delete.js'

/** Kinds of keys that are counted and removed as they are found. */
const KINDS: Readonly<Record<string, string>> = {
  u: 'users',
  c: 'conversations',
  m: 'messages',
  s: 'sessions',
  e: 'memories',
  o: 'operations',
  v: 'cached values',
  r: 'rate limits',
}
const OTHERS = 'listings and other keys'
const EVENTS = 'events'
const JOURNAL = 'journal'
/** Keys that end by themselves within minutes, and are made anew by whoever reads. */
const PASSING = ['t', 'k', 'w']

/** Rounds over somebody who goes on writing. */
const ROUNDS = 20

/** What all keys of a tenant begin with. */
const headOf = ({ keys }: RedisContext): string => keys.events.slice(0, -EVENTS.length)

const decoded = (part: string): string => Buffer.from(part, 'base64url').toString()

interface Group {
  readonly kind: string
  readonly listing: (userId: string) => string
  readonly drop: (tx: Transaction, context: RedisContext, member: string, userId: string) => Promise<unknown>
}

const GROUPS = (context: RedisContext): readonly Group[] => [
  {
    kind: 'sessions',
    listing: context.keys.sessions,
    drop: (tx, at, member) => dropNamed(tx, at, 'session', idOfDated(member)),
  },
  {
    kind: 'memories',
    listing: context.keys.memories,
    drop: (tx, at, member) => dropNamed(tx, at, 'memory', idOfRanked(member)),
  },
  {
    kind: 'conversations',
    listing: context.keys.conversations,
    async drop(tx, at, member, userId) {
      const conversation = readConversation(await tx.lock(at.keys.conversation(idOfDated(member))), at.tenantId)
      if (conversation?.userId === userId) await dropConversation(tx, at, conversation)
    },
  },
]

/** A Redis, as a primary or as a cache: whatever of the subject it holds. */
export class RedisEraseTarget implements EraseTarget {
  readonly name = 'redis'
  constructor(readonly contextOf: (tenantId: string) => RedisContext) {}

  /** Every key of the tenant, by the letter behind its head. */
  async *#keys(context: RedisContext, letters = ''): AsyncGenerator<string[]> {
    const pattern = `${headOf(context)}${letters && `${letters}:`}*`
    yield* scanKeys(context.client, pattern)
  }

  #kindOf(context: RedisContext, key: string): string {
    const { keys } = context
    if (key === keys.events) return EVENTS
    return key[headOf(context).length + 1] === ':' ? (KINDS[keys.letter(key)] ?? OTHERS) : OTHERS
  }

  async look(subject: ErasureSubject, began: number): Promise<PartCounts> {
    const context = this.contextOf(subject.tenantId)
    return subject.userId === undefined ? this.#lookAtTenant(context) : this.#lookAtUser(context, subject.userId, began)
  }

  async #lookAtTenant(context: RedisContext): Promise<PartCounts> {
    const counts: Record<string, number> = {}
    const { keys, client } = context
    for await (const found of this.#keys(context))
      for (const key of new Set(found)) {
        if (PASSING.includes(keys.letter(key)) && key[headOf(context).length + 1] === ':') continue
        const kind = this.#kindOf(context, key)
        const n = kind === 'messages' ? await client.call((c) => c.zcard(key)) : 1
        counts[kind] = (counts[kind] ?? 0) + n
      }
    counts[JOURNAL] = (await eraseJournal(context, undefined, false)).found
    return counts
  }

  async #lookAtUser(context: RedisContext, userId: string, began: number): Promise<PartCounts> {
    const { keys, client } = context
    const counts: Record<string, number> = {}
    counts.users = await client.call((c) => c.exists(keys.user(userId)))
    for (const { kind, listing } of GROUPS(context)) counts[kind] = await client.call((c) => c.zcard(listing(userId)))
    const { rows, results } = await eraseOperations(context, userId, began, false)
    counts.operations = rows
    counts['results of operations'] = results
    counts[EVENTS] = await eraseEvents(context, userId, false)
    counts['cached values'] = 0
    for await (const found of this.#keys(context, 'v')) counts['cached values'] += new Set(found).size
    counts['rate limits'] = (await this.#limitsOf(context, userId)).length
    counts[JOURNAL] = (await eraseJournal(context, userId, false)).found
    return counts
  }

  /** Limits whose key is the user's id; keys that name them in another way end by themselves. */
  async #limitsOf(context: RedisContext, userId: string): Promise<string[]> {
    const limits = new Set<string>()
    for await (const found of this.#keys(context, 'r'))
      for (const key of found) if (decoded(key.slice(key.lastIndexOf(':') + 1)) === userId) limits.add(key)
    return [...limits]
  }

  async erase(subject: ErasureSubject, means: EraseMeans): Promise<PartCounts> {
    const context = this.contextOf(subject.tenantId)
    const counts: Record<string, number> = {}
    const count = (what: string, n: number): void => {
      counts[what] = (counts[what] ?? 0) + n
      if (n > 0) means.removed(n)
    }
    const { userId } = subject
    checkShared(await eraseJournal(context, userId, false))
    count(JOURNAL, (await eraseJournal(context, userId, true)).going)
    if (userId === undefined) await this.#eraseTenant(context, count)
    else await this.#eraseUser(context, userId, means, count)
    return counts
  }

  async #eraseTenant(context: RedisContext, count: (what: string, n: number) => void): Promise<void> {
    const { client, keys, prefix, tenantId } = context
    // What is written while the keys are walked may be behind the place where the walk is.
    for (let removed = 1; removed > 0; ) {
      removed = 0
      for await (const found of this.#keys(context)) {
        const going = [...new Set(found)]
        const gone = await client.call((c) => c.unlink(...going))
        removed += gone
        for (const key of going) if (!PASSING.includes(keys.letter(key))) count(this.#kindOf(context, key), 1)
      }
    }
    await client.call((c) => c.zrem(tenantsKey(prefix), tenantId))
  }

  async #eraseUser(
    context: RedisContext,
    userId: string,
    means: EraseMeans,
    count: (what: string, n: number) => void,
  ): Promise<void> {
    const { client, keys, runner } = context
    count(EVENTS, await eraseEvents(context, userId, true))
    for (let round = 1; ; round++) {
      for (const group of GROUPS(context))
        await this.#drain(context, group, userId, means.batch, (n) => count(group.kind, n))
      const gone = await runner.write((tx) => this.#dropUser(tx, context, userId, round >= ROUNDS))
      if (gone === null) continue
      count('users', gone)
      break
    }
    await eraseEvents(context, userId, true)
    const { rows, results } = await eraseOperations(context, userId, means.began, true)
    count('operations', rows)
    count('results of operations', results)
    for await (const found of this.#keys(context, 'v')) {
      const names = [...new Set(found)].map((key) => decoded(key.slice(key.lastIndexOf(':') + 1)))
      // A deletion is a new version: a slow reader must not put back what it had read before.
      await redisCache(context, keys).apply(new Map(names.map((name) => [name, null])))
      count('cached values', names.length)
    }
    const limits = await this.#limitsOf(context, userId)
    if (limits.length > 0) count('rate limits', await client.call((c) => c.unlink(...limits)))
  }

  /** Null where they have something again. In the last round all of it goes at once. */
  async #dropUser(tx: Transaction, context: RedisContext, userId: string, surely: boolean): Promise<number | null> {
    const { keys } = context
    const key = keys.user(userId)
    const fields = await tx.lock(key)
    if (fields.d === null) return 0
    if (surely) {
      await deleteUser(tx, context, userId)
      return 1
    }
    tx.needsChildren(key, fields)
    for (const { listing } of GROUPS(context))
      if ((await tx.range(listing(userId), { min: FIRST, max: LAST, limit: 1 })).length > 0) return null
    tx.writes.dropHash(key)
    tx.writes.set(keys.users).members.set(userId, false)
    return 1
  }

  async #drain(
    context: RedisContext,
    { listing, drop }: Group,
    userId: string,
    batch: number,
    count: (n: number) => void,
  ): Promise<void> {
    const key = listing(userId)
    for (;;) {
      const members = await context.client.call((c) => c.zrange(key, 0, String(batch - 1)))
      if (members.length === 0) return
      await context.runner.write(async (tx) => {
        for (const member of members) {
          await drop(tx, context, member, userId)
          // What Redis has taken away by itself stands in the listing still.
          tx.writes.set(key).members.set(member, false)
        }
      })
      count(members.length)
      // Somebody may go on writing: the next round sees to that.
      if (members.length < batch) return
    }
  }

  async waiting({ tenantId, userId }: ErasureSubject): Promise<WaitingPart[]> {
    const { unknown } = await eraseJournal(this.contextOf(tenantId), userId, false)
    return unknown > 0 ? [{ follower: HAND_BACK, records: unknown }] : []
  }

  scrub(subject: ErasureSubject): Promise<readonly ScrubStep[]> {
    return rewritePersistence(this.contextOf(subject.tenantId).client)
  }

  async ages(): Promise<readonly string[]> {
    const { client } = this.contextOf('')
    const replicated = await Promise.all(
      nodesOf(client).map((node) => node.info('replication').then((text) => !/connected_slaves:0\b/.test(text))),
    )
    return [
      'locks and tokens of commits, for seconds, and versions of cached keys, for an hour',
      'copies and backups of the dump and append-only files',
      ...(replicated.includes(true) ? ['the dump and append-only files of replicas, until they write them anew'] : []),
    ]
  }
}

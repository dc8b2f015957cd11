import { createHash } from 'node:crypto'
import type { CacheEntry, CacheScope } from '../contract/backend.js'
import type { CacheTarget, Followed, FollowerRecord, FollowerSettling, OutboxEntry } from '../contract/follow.js'
import type { Counters } from '../contract/telemetry.js'
import { ConfigurationError } from '../errors.js'
import type { CacheMember } from './cache-member.js'

export interface ReadCacheSettings {
  readonly member: CacheMember
  readonly clock: () => number
  /** Milliseconds that anything is kept at most. */
  readonly ttl: number
  /** Milliseconds that answers to searches are kept at most. */
  readonly searchTtl: number
  readonly counters?: Counters | undefined
}

/** What was loaded, as it is kept, and until when it is true at most. */
export interface Loaded {
  readonly text: string
  readonly until: number
}

/** All of a tenant; its searches. Neither is a conversation. */
const TENANT = ''
const SEARCHES = '\0searches'
/** In front of what an application keeps nothing under: its keys have no NUL. */
const OWN = '\0'

/**
 * Answers of the primary, kept in the cache. Nothing is answered from it that this process has written over, nor
 * anything at all before the cache was told of every change since it was away.
 */
export class ReadCache implements CacheTarget {
  #trusted = false
  #epoch = 0
  /** Changes of this process that the cache was not told of yet, by tenant and conversation. */
  readonly #changing = new Map<string, number>()
  readonly #flights = new Map<string, Promise<string>>()

  constructor(readonly settings: ReadCacheSettings) {}

  /** Keys of another epoch are never read again. */
  begin(epoch: number): void {
    this.#epoch = epoch
  }

  /** Whether the cache knows of every change. */
  get trusted(): boolean {
    return this.#trusted && !this.settings.member.away
  }
  trust(): void {
    this.#trusted = true
  }
  doubt(): void {
    this.#trusted = false
  }

  #key(kind: 'w' | 'g' | 's', rest: string): string {
    return `${OWN}${this.#epoch}${kind}${rest}`
  }

  /** The conversation whose end is kept under a key; null where it is another key. */
  conversationOf(key: string): string | null {
    const head = this.#key('w', '')
    return key.startsWith(head) ? key.slice(head.length) : null
  }

  #isChanging(tenantId: string, name: string): boolean {
    return this.#changing.has(nameOf(tenantId, name)) || this.#changing.has(nameOf(tenantId, TENANT))
  }

  /** The end of a conversation, kept by the conversation. Null where the cache is not to be asked. */
  window(tenantId: string, conversationId: string, load: () => Promise<Loaded>): Promise<string> | null {
    if (!this.trusted || this.#isChanging(tenantId, conversationId)) return null
    const key = this.#key('w', conversationId)
    return this.#once(nameOf(tenantId, key), async () => {
      const { member, clock, ttl } = this.settings
      const found = await member.try(tenantId, (scope) => scope.look(key))
      this.#count('messages', found?.text)
      if (found && found.text !== null) return found.text
      const { text, until } = await load()
      const entry = { text, until: Math.min(until, clock() + ttl) }
      if (found) void member.try(tenantId, (scope) => scope.fill(key, found.version, entry))
      return text
    })
  }

  /** An answer to a question, kept until anything in the tenant changes. */
  search(tenantId: string, question: string, load: () => Promise<Loaded>): Promise<string> | null {
    if (!this.trusted || this.#isChanging(tenantId, SEARCHES)) return null
    const hash = createHash('sha256').update(question).digest('base64url')
    return this.#once(nameOf(tenantId, this.#key('s', hash)), async () => {
      const { member, clock, searchTtl } = this.settings
      // By the version of what is changed with every change: an answer from before it is under another key.
      const version = await member.try(tenantId, (scope) => this.#generation(scope))
      const key = this.#key('s', `${version} ${hash}`)
      const found = version === null ? null : await member.try(tenantId, (scope) => scope.get(key))
      this.#count('search', found)
      if (found !== null) return found
      const { text, until } = await load()
      const entry: CacheEntry = { text, until: Math.min(until, clock() + searchTtl) }
      if (version !== null && until > clock())
        void member.try(tenantId, (scope) => scope.apply(new Map([[key, entry]])))
      return text
    })
  }

  async #generation(scope: CacheScope): Promise<string> {
    const key = this.#key('g', '')
    const { version } = await scope.look(key)
    if (version !== '') return version
    // A version that the cache has forgotten must not come again.
    await scope.apply(new Map([[key, null]]))
    return (await scope.look(key)).version
  }

  #count(kind: string, found: string | null | undefined): void {
    this.settings.counters?.count('bruno_memory.cache.requests', 1, { kind, hit: typeof found === 'string' })
  }

  /** One load at a time for each key; who asks behind a change is not given what was loaded before it. */
  async #once(name: string, work: () => Promise<string>): Promise<string> {
    const running = this.#flights.get(name)
    if (running !== undefined) return running
    const flight = work().finally(() => {
      if (this.#flights.get(name) === flight) this.#flights.delete(name)
    })
    this.#flights.set(name, flight)
    return flight
  }

  #forgetFlights(tenantId: string): void {
    const mine = nameOf(tenantId, OWN)
    for (const name of this.#flights.keys()) if (name.startsWith(mine)) this.#flights.delete(name)
  }

  /** A change of this process: the cache is told at once; until it was, it is not asked. */
  changed(tenantId: string, conversations: Iterable<string>): void {
    const names = [SEARCHES, ...conversations]
    this.#forgetFlights(tenantId)
    for (const name of names) this.#enter(tenantId, name)
    const left = () => {
      for (const name of names) this.#leave(tenantId, name)
    }
    const { member } = this.settings
    // A cache that is away is not trusted when it is back before it was told by the outbox.
    member.try(tenantId, (scope) => scope.apply(this.#forgetting(names))).then(left, left)
  }

  /** A change whose conversations are not known: nothing of the tenant is asked for until the outbox has told of it. */
  changedAnything(tenantId: string, told: () => Promise<void>): void {
    this.#forgetFlights(tenantId)
    this.#enter(tenantId, TENANT)
    const left = () => this.#leave(tenantId, TENANT)
    told().then(left, () => {
      this.doubt()
      left()
    })
  }

  #enter(tenantId: string, name: string): void {
    const key = nameOf(tenantId, name)
    this.#changing.set(key, (this.#changing.get(key) ?? 0) + 1)
  }

  #leave(tenantId: string, name: string): void {
    const key = nameOf(tenantId, name)
    const n = (this.#changing.get(key) ?? 1) - 1
    if (n > 0) this.#changing.set(key, n)
    else this.#changing.delete(key)
  }

  #forgetting(names: Iterable<string>): Map<string, null> {
    const keys = [...new Set(names)].map((name) => (name === SEARCHES ? this.#key('g', '') : this.#key('w', name)))
    return new Map(keys.map((key) => [key, null]))
  }

  /** What is found in a tenant is not what it was: told before anybody relies on it. */
  async found(tenants: Iterable<string>): Promise<void> {
    const { member } = this.settings
    const changes = this.#forgetting([SEARCHES])
    await Promise.all([...new Set(tenants)].map((tenantId) => member.try(tenantId, (scope) => scope.apply(changes))))
  }

  async invalidate(entries: readonly OutboxEntry[]): Promise<void> {
    const byTenant = new Map<string, Map<string, null>>()
    for (const { tenantId, kind, scope, recordId } of entries) {
      const changes = byTenant.get(tenantId) ?? this.#forgetting([SEARCHES])
      byTenant.set(tenantId, changes)
      if (kind === 'cache') changes.set(recordId, null)
      else if (kind === 'message') changes.set(this.#key('w', scope), null)
      else if (kind === 'conversation') changes.set(this.#key('w', recordId), null)
    }
    const { member } = this.settings
    await Promise.all([...byTenant].map(([tenantId, changes]) => member.use(tenantId, (s) => s.apply(changes))))
  }
}

/** Tenants may be named like beginnings of one another. */
const nameOf = (tenantId: string, name: string): string => `${tenantId.length}:${tenantId}${name}`

/**
 * Tells the cache as long as it is the one that follows. A process that opens the memory with another one puts that in its
 * place, which alone is told of changes from then on: what is in this one is not believed any more.
 */
export function cacheSettling(followed: Followed, follower: FollowerRecord, reads: ReadCache): FollowerSettling {
  const settling = followed.cache(follower, reads)
  const attend = async (): Promise<void> => {
    const now = (await followed.followers()).find(({ name }) => name === follower.name)
    if (now?.place === follower.place) return reads.begin(now.epoch)
    reads.doubt()
    throw new ConfigurationError(
      'another process has given this memory another cache: open all of them with the same one',
    )
  }
  const pass = async (): Promise<number> => {
    await attend()
    return settling.pass()
  }
  return { pass, report: () => settling.report(), release: () => settling.release() }
}

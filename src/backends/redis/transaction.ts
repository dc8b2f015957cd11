import { setTimeout as sleep } from 'node:timers/promises'
import { JournalMoved } from '../../contract/journal.js'
import { ConflictError, StorageError, TimeoutError } from '../../errors.js'
import type { RedisClient } from './client.js'
import { type Check, commitArguments } from './commit.js'
import { lostLock } from './errors.js'
import { journalKeys, type TenantKeys } from './keys.js'
import { Layer, type Range, SeenSet, seenFields } from './overlay.js'
import { COMMIT, LOCK, RELEASE } from './scripts.js'

/** What records are made of: the record, its revision, its own end and the default one, and what appends count. */
const FIELDS = ['d', 'r', 'x', 'y', 'u', 'p', 'n', 't', 'g'] as const
export type Fields = Readonly<Record<(typeof FIELDS)[number], string | null>>

/** Milliseconds that a lock outlives its process. */
const LEASE = 15_000
/** Milliseconds that a commit is remembered, for a caller who did not hear the answer. */
const REMEMBERED = 300_000

/** Somebody else has a record in hand. */
export class Locked extends Error {}
/** Something that was read has been changed before the commit. */
export class Changed extends Error {}

interface TransactionMeans {
  readonly client: RedisClient
  readonly keys: TenantKeys
  readonly prefix: string
  readonly token: string
  readonly now: number
  /** Events that are kept; null where none are told. */
  readonly keep: number | null
  /** Takes records in hand as it reads them for a change: until it waited this long, in milliseconds. Null: it looks at the end whether anybody changed them. */
  readonly waits: number | null
}

/** The fields that a record of each kind has. */
const FIELDS_OF: Readonly<Record<string, readonly (typeof FIELDS)[number][]>> = {
  u: ['d', 'r', 'g'],
  c: FIELDS,
  s: ['d', 'r', 'x', 'y'],
  e: ['d', 'r', 'x', 'y'],
}
const namesOf = (keys: TenantKeys, key: string) => FIELDS_OF[keys.letter(key)] ?? FIELDS
const NONE: Fields = { d: null, r: null, x: null, y: null, u: null, p: null, n: null, t: null, g: null }

function toFields(names: readonly (typeof FIELDS)[number][], values: readonly (string | null)[]): Fields {
  const fields: { -readonly [K in keyof Fields]: Fields[K] } = { ...NONE }
  names.forEach((name, i) => {
    fields[name] = values[i] ?? null
  })
  return fields
}

/** Reads what is stored and what was written here, keeps writes back, and commits them in one script. */
export class Transaction {
  readonly layers: Layer[] = [new Layer()]
  readonly #revisions = new Map<string, Fields>()
  readonly #children = new Map<string, string>()
  readonly #existing = new Set<string>()
  readonly #held = new Set<string>()
  #entered: string | null = null
  #renewing: ReturnType<typeof setInterval> | null = null

  constructor(readonly means: TransactionMeans) {}

  get #top(): Layer {
    return this.layers[this.layers.length - 1] as Layer
  }

  /** The layer that takes writes. */
  get writes(): Layer {
    return this.#top
  }

  get #clean(): boolean {
    return this.layers.length === 1 && this.#top.empty
  }

  async fields(key: string): Promise<Fields> {
    const [fields] = await this.manyFields([key])
    return fields as Fields
  }

  /** Fields of several records, in one round trip. */
  async manyFields(keys: readonly string[]): Promise<Fields[]> {
    // What is in hand has been read, and nobody else changes it.
    const unread = keys.filter((key) => !this.#revisions.has(key))
    const read = unread.length === 0 ? [] : await this.#readMany(unread)
    const stored = new Map(unread.map((key, i) => [key, read[i] as Fields]))
    return keys.map((key) => this.#seen(key, this.#revisions.get(key) ?? (stored.get(key) as Fields)))
  }

  #readMany(keys: readonly string[]): Promise<Fields[]> {
    const names = keys.map((key) => namesOf(this.means.keys, key))
    return this.means.client.call(async (c) => {
      const all = await Promise.all(keys.map((key, i) => c.hmget(key, ...(names[i] as string[]))))
      return all.map((values, i) => toFields(names[i] as (typeof FIELDS)[number][], values))
    })
  }

  #seen(key: string, fields: Fields): Fields {
    return this.#clean ? fields : (seenFields(this.layers, key, fields) as Fields)
  }

  /** The fields of a record that is going to be changed: nobody else may change it until the commit. */
  async lock(key: string): Promise<Fields> {
    let stored = this.#revisions.get(key)
    if (!stored) {
      const { keys, waits } = this.means
      stored = toFields(namesOf(keys, key), waits === null ? await this.#read(key) : await this.#take(key, waits))
      this.#revisions.set(key, stored)
    }
    return this.#seen(key, stored)
  }

  /** The same for several records: those that nobody has in hand, in one round trip. */
  async lockMany(keys: readonly string[]): Promise<void> {
    await Promise.all([...new Set(keys)].map((key) => this.lock(key)))
  }

  #read(key: string): Promise<(string | null)[]> {
    return this.means.client.call((c) => c.hmget(key, ...namesOf(this.means.keys, key)))
  }

  async #take(key: string, waits: number): Promise<(string | null)[]> {
    const { client, keys, token } = this.means
    const lock = keys.lock(key)
    const started = performance.now()
    for (let pause = 1; ; pause = Math.min(pause * 1.5, 20)) {
      // Noted before it is asked for: of an answer that got lost the lock may be ours.
      this.#held.add(lock)
      const answer = await client.run(LOCK, [lock, key], [token, LEASE, ...namesOf(keys, key)])
      if (Array.isArray(answer)) {
        this.#renewing ??= setInterval(() => void this.#renew(), LEASE / 3).unref()
        return answer as (string | null)[]
      }
      this.#held.delete(lock)
      if (performance.now() - started > waits)
        throw new TimeoutError('a unit keeps the record for longer than writeTimeout')
      await sleep(pause)
    }
  }

  async #renew(): Promise<void> {
    // A failure shows at the commit.
    await this.means.client.run(RELEASE, [...this.#held], [this.means.token, LEASE]).catch(() => undefined)
  }

  /** The journal must still be in this state. */
  enter(state: string): void {
    this.#entered = state
  }

  /** That the record is there must still hold at the commit. */
  needs(key: string): void {
    this.#existing.add(key)
  }

  /** No child may have come since this was read. */
  needsChildren(key: string, fields: Fields): void {
    if (!this.#children.has(key)) this.#children.set(key, fields.g ?? '0')
  }

  async range(key: string, range: Range): Promise<string[]> {
    const { client } = this.means
    if (this.#clean) return client.call((c) => readRange(c, key, range, range.limit))
    const seen = new SeenSet(this.layers, key)
    const stored = seen.stored ? await client.call((c) => readRange(c, key, range, range.limit + seen.extra)) : []
    return seen.merge(stored, range)
  }

  /** Which of these members a sorted set holds, as the server has it. */
  async members(key: string, members: readonly string[]): Promise<boolean[]> {
    const scores = await this.means.client.call((c) => c.zmscore(key, ...members))
    return scores.map((score) => score !== null)
  }

  /** Values of some fields of a hash, or null for each that is absent. */
  async values(key: string, names: readonly string[]): Promise<(string | null)[]> {
    if (names.length === 0) return []
    const stored = await this.means.client.call((c) => c.hmget(key, ...names))
    if (this.#clean) return stored
    const seen = seenFields(this.layers, key, Object.fromEntries(names.map((name, i) => [name, stored[i] ?? null])))
    return names.map((name) => seen[name] ?? null)
  }

  /** Runs the work over what stands; what it wrote is undone if it throws. */
  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    const layer = new Layer()
    this.layers.push(layer)
    try {
      const result = await work()
      this.layers.pop()
      this.#top.merge(layer)
      return result
    } catch (error) {
      this.layers.length = this.layers.indexOf(layer)
      throw error
    }
  }

  /** Writes everything at once. @throws Locked, Changed where it did not, and may be tried again. */
  async commit(): Promise<void> {
    const { client, keys, token, keep, now, waits } = this.means
    const layer = this.#top
    if (layer.empty && layer.told.length === 0) return this.end()
    const journal = journalKeys(this.means.prefix)
    const { keys: all, args } = commitArguments(layer, {
      commitKey: keys.commit(token),
      token,
      remembered: REMEMBERED,
      checks: this.#checks(),
      // Let go by the commit itself.
      locks: [...this.#held],
      eventsKey: keys.events,
      journal: { state: journal.state, entries: journal.entries, waiting: journal.list('waiting') },
      keep,
      now,
    })
    const answer = await client.write(COMMIT, all, args)
    if (answer === 'LOCKED') throw new Locked()
    if (answer === 'CHANGED') {
      if (waits === null) throw new Changed()
      throw new ConflictError('another write changed what this unit relies on', { retryable: true })
    }
    if (answer === 'ENDED') throw new JournalMoved()
    if (answer === 'LOST') throw lostLock()
    if (answer === 'WRONGTYPE')
      throw new StorageError('a key of this memory holds something else (WRONGTYPE): nothing was written')
    this.#held.clear()
    await this.end()
  }

  #checks(): Check[] {
    const { keys, token, waits } = this.means
    const checks: Check[] = []
    if (this.#entered !== null)
      checks.push({ name: 'journal', key: journalKeys(this.means.prefix).state, expected: this.#entered })
    for (const lock of this.#held) checks.push({ name: 'mine', key: lock, expected: token })
    for (const [key, fields] of this.#revisions) {
      checks.push({ name: 'revision', key, expected: fields.r ?? '' })
      if (waits === null) checks.push({ name: 'free', key: keys.lock(key), expected: '' })
    }
    for (const [key, expected] of this.#children) checks.push({ name: 'children', key, expected })
    for (const key of this.#existing) if (!this.#revisions.has(key)) checks.push({ name: 'exists', key, expected: '' })
    return checks
  }

  /** Lets go of what it holds. */
  async end(): Promise<void> {
    if (this.#renewing) clearInterval(this.#renewing)
    this.#renewing = null
    if (this.#held.size === 0) return
    const held = [...this.#held]
    this.#held.clear()
    // Where this does not arrive the locks end by themselves.
    await this.means.client.run(RELEASE, held, [this.means.token, '']).catch(() => undefined)
  }
}

type RangeReader = Parameters<Parameters<RedisClient['call']>[0]>[0]

function readRange(c: RangeReader, key: string, { min, max, reverse }: Range, limit: number): Promise<string[]> {
  return reverse ? c.zrevrangebylex(key, max, min, 'LIMIT', 0, limit) : c.zrangebylex(key, min, max, 'LIMIT', 0, limit)
}

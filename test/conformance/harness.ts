import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Capabilities } from '../../src/contract/capabilities.js'
import type { Memory } from '../../src/contract/memory.js'
import type { CommonOptions } from '../../src/contract/options.js'
import { type ManualClock, manualClock, START } from '../support/clock.js'
import { refused } from './expecting.js'

/** What a backend may declare that it does not promise: name → the reason, printed with the test that it concerns. */
export interface Deviations {
  /** A batch that fails half-way may leave some of its records. Only without `capabilities.atomicUnit`. */
  readonly 'no-atomic-batch'?: string
  /** An existing id on `append` is not noticed. Only without `capabilities.atomicUnit`. */
  readonly 'no-append-conflict'?: string
  /** Two writers may overwrite one another: `version` is not compared. Only without `capabilities.atomicUnit`. */
  readonly 'no-compare-and-set'?: string
  /** The storage belongs to one instance: nothing else can open it, and reads wait for a unit in progress. */
  readonly 'private-storage'?: string
  /** The order of hits may change with the rows of other tenants. */
  readonly 'shared-ranking'?: string
  /** A message is found by its own words alone. */
  readonly 'no-neighbour-words'?: string
  /** The cache's entries expire by the server's clock alone, not by `options.clock`. */
  readonly 'no-cache-clock'?: string
  /** The cache is this process's own: another instance has another one. */
  readonly 'own-cache'?: string
}
export type Deviation = keyof Deviations

/** Promises that an atomic backend cannot take back. */
const ATOMICITY: readonly Deviation[] = ['no-atomic-batch', 'no-append-conflict', 'no-compare-and-set']

/** A capability that a backend has or lacks. */
export type Feature = {
  [K in keyof Capabilities]: Capabilities[K] extends boolean ? K : never
}[keyof Capabilities]

/** What a backend gives to the suites. */
export interface Harness {
  readonly name: string
  /** A memory over fresh storage, not connected yet. It hands `options` on, the clock above all. */
  create(options: Partial<CommonOptions>): Promise<Memory>
  /** Another instance over the storage of `memory`, not connected yet, as another process would have it. */
  reopen?(memory: Memory, options: Partial<CommonOptions>): Promise<Memory>
  /** Closes every memory made since the last call and removes its storage. */
  dispose(): Promise<void>
  readonly deviations?: Deviations
  /** Why vectors cannot be had here, whatever the options; the suites prove that it says so. */
  readonly withoutVectors?: string
  /** Capabilities that the backend does not have; the suites prove that it says so. */
  readonly lacks?: readonly Feature[]
}

/** What a suite's tests stand on. */
export interface Ground {
  readonly clock: ManualClock
  /** Fresh storage, not connected. */
  create(options?: Partial<CommonOptions>): Promise<Memory>
  /** Fresh storage, connected, under the clock of this ground. */
  open(options?: Partial<CommonOptions>): Promise<Memory>
  /** The same storage through another instance, connected. Only in tests made by `shared`. */
  reopen(memory: Memory, options?: Partial<CommonOptions>): Promise<Memory>
  lacks(feature: Feature): boolean
  /**
   * A test of a promise that may be declared away. A harness that declares `deviation` runs `declared` in its place,
   * which proves what holds instead, or has the test reported with the reason.
   */
  promise(deviation: Deviation, name: string, test: () => Promise<void>, declared?: () => Promise<void>): void
  /** A test with a second instance over the same storage. */
  shared(name: string, test: () => Promise<void>): void
  /** The same of the cache, which not every backend keeps in its storage. */
  sharedCache(name: string, test: () => Promise<void>): void
}

const PROBES: { readonly [F in Feature]?: (memory: Memory) => Promise<unknown> } = {
  users: (memory) => memory.users.get('a'),
  conversations: (memory) => memory.conversations.get('a'),
  messages: (memory) => memory.messages.list('a'),
  sessions: (memory) => memory.sessions.get('a'),
  memories: (memory) => memory.memories.get('a'),
  documents: (memory) => memory.documents.get('a', 'a'),
  textSearch: (memory) => memory.search({ text: 'a', mode: 'text' }),
  vectorSearch: (memory) => memory.search({ text: 'a', mode: 'vector' }),
  events: (memory) => memory.events.on('*', () => {}).ready,
  rateLimits: (memory) => memory.rateLimiter({ points: 1, duration: 1 }).peek('a'),
}

/** Refuses a harness that contradicts itself, before any test runs. */
function check(harness: Harness): void {
  const declared = harness.deviations ?? {}
  for (const deviation of ATOMICITY)
    if (declared[deviation] !== undefined && !harness.lacks?.includes('atomicUnit'))
      throw new Error(`${harness.name}: "${deviation}" cannot be declared by a backend with atomic units`)
  if ((declared['private-storage'] === undefined) !== (harness.reopen !== undefined))
    throw new Error(`${harness.name}: needs either reopen() or the deviation "private-storage"`)
}

/** What an error may name: where there is no search at all, a search by vectors misses the search first. */
const namesOf = (harness: Harness, feature: Feature): readonly string[] =>
  feature === 'vectorSearch' && harness.lacks?.includes('textSearch') ? ['vectorSearch', 'textSearch'] : [feature]

/** The backend lacks what a suite is about: the suite shrinks to the proof that calls say so. */
function describeLack(harness: Harness, feature: Feature): void {
  it(`lacks ${feature}, declares it and says so`, async () => {
    const memory = await harness.create({})
    try {
      expect(memory.capabilities[feature]).toBe(false)
      const probe = PROBES[feature]
      if (!probe) return
      const error = await refused(() => probe(memory), 'unsupported')
      expect(namesOf(harness, feature)).toContain(error.capability)
    } finally {
      await harness.dispose()
    }
  })
}

/** One suite: its tests, each on fresh storage, or the proof of what is lacking. */
export function suite(harness: Harness, name: string, needs: readonly Feature[], body: (ground: Ground) => void): void {
  check(harness)
  describe(`${harness.name}: ${name}`, () => {
    const lacking = needs.find((feature) => harness.lacks?.includes(feature))
    if (lacking !== undefined) return describeLack(harness, lacking)
    const clock = manualClock()
    beforeEach(() => clock.set(START))
    afterEach(() => harness.dispose())
    body(groundOf(harness, clock))
  })
}

/** The same for vectors, which a memory has where it is opened with a model. */
function describeNoVectors(harness: Harness, reason: string): void {
  it(`has no vectors [declared: ${reason}], says so and works otherwise`, async () => {
    const embedded = async (texts: readonly string[]) => texts.map(() => [1, 0])
    const embeddingFunction = { embedDocuments: embedded, embedQuery: async () => [1, 0] }
    const memory = await harness.create({ embeddingFunction, embeddingModel: 'words' })
    try {
      await memory.connect()
      expect(memory.capabilities.vectorSearch).toBe(false)
      for (const mode of ['vector', 'hybrid'] as const) {
        const error = await refused(() => memory.search({ text: 'a', mode }), 'unsupported')
        expect(namesOf(harness, 'vectorSearch')).toContain(error.capability)
      }
      if (!harness.lacks?.includes('memories')) await keepsWithoutVectors(harness, memory)
    } finally {
      await harness.dispose()
    }
  })
}

async function keepsWithoutVectors(harness: Harness, memory: Memory): Promise<void> {
  const { memories } = memory
  await refused(() => memories.add({ userId: 'u', content: 'a', vector: [1, 0] }), 'unsupported')
  await memories.add({ userId: 'u', content: 'found by its words' })
  if (harness.lacks?.includes('textSearch')) await refused(() => memory.search({ text: 'words' }), 'unsupported')
  else expect(await memory.search({ text: 'words' })).toHaveLength(1)
  expect((await memories.list()).items).toHaveLength(1)
}

/** A suite about vectors. */
export function vectorSuite(
  harness: Harness,
  name: string,
  needs: readonly Feature[],
  body: (ground: Ground) => void,
): void {
  const reason = harness.withoutVectors
  if (reason === undefined) suite(harness, name, needs, body)
  else describe(`${harness.name}: ${name}`, () => describeNoVectors(harness, reason))
}

function groundOf(harness: Harness, clock: ManualClock): Ground {
  const create: Ground['create'] = (options) => harness.create({ clock: clock.now, ...options })
  const promise: Ground['promise'] = (deviation, name, test, declared) => {
    const reason = harness.deviations?.[deviation]
    if (reason === undefined) return void it(name, test)
    const title = `${name} [declared: ${deviation}, ${reason}]`
    if (declared) it(title, declared)
    else it(title, (context) => context.skip(reason))
  }
  return {
    clock,
    create,
    async open(options) {
      const memory = await create(options)
      await memory.connect()
      return memory
    },
    async reopen(memory, options) {
      if (!harness.reopen) throw new Error(`${harness.name} has no second instance: use ground.shared`)
      const second = await harness.reopen(memory, { clock: clock.now, ...options })
      await second.connect()
      return second
    },
    lacks: (feature) => harness.lacks?.includes(feature) ?? false,
    promise,
    shared: (name, test) => promise('private-storage', name, test),
    sharedCache: (name, test) =>
      promise(harness.deviations?.['own-cache'] === undefined ? 'private-storage' : 'own-cache', name, test),
  }
}

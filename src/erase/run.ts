import type {
  ErasedPart,
  EraseReport,
  EraseStoreReport,
  EraseTarget,
  ErasureSubject,
  PartCounts,
  VectorsByHash,
} from '../contract/erase.js'
import { BrunoMemoryError } from '../errors.js'
import type { CheckedErasure } from './check.js'

export interface Erasure {
  /** The one that has the truth first, then those that follow it. */
  readonly targets: readonly EraseTarget[]
  readonly subject: ErasureSubject
  readonly options: CheckedErasure
  readonly clock: () => number
  /** Waits until those that follow were told of what the first has erased. */
  readonly told: (deadline: number) => Promise<void>
}

const EMBEDDINGS = 'embedding cache'
const NOTHING: PartCounts = {}

// Errors of ours never carry content.
const reasonOf = (error: unknown): string =>
  error instanceof BrunoMemoryError ? error.message : 'it failed in a way that is not known'

/** Vectors that are kept by the hash of what was embedded: nobody's records, found by the texts that are erased. */
class Embeddings {
  #removed = 0
  #failure: string | null = null
  constructor(readonly caches: readonly VectorsByHash[]) {}

  forget = async (hashes: readonly Uint8Array[]): Promise<void> => {
    if (hashes.length === 0) return
    for (const cache of this.caches)
      try {
        this.#removed += await cache.removeMany(hashes)
      } catch (error) {
        // The records go all the same: that this cache was away is in the report.
        this.#failure = reasonOf(error)
      }
  }

  async report(scrub: boolean): Promise<EraseStoreReport | null> {
    if (this.caches.length === 0) return null
    const part = { what: 'vectors by hash', found: this.#removed, removed: this.#removed, left: null }
    const steps = scrub
      ? await Promise.all(this.caches.map((cache) => scrubbed(async () => cache.scrub?.() ?? [])))
      : []
    return {
      store: EMBEDDINGS,
      parts: [part],
      waiting: [],
      scrub: steps.flat(),
      ages: ['vectors of texts that were changed or deleted before, until they are the oldest or 30 days old'],
      error: this.#failure,
    }
  }
}

async function scrubbed(work: () => Promise<EraseStoreReport['scrub']>): Promise<EraseStoreReport['scrub']> {
  try {
    return await work()
  } catch (error) {
    return [{ what: 'scrub', done: false, reason: reasonOf(error) }]
  }
}

/** One store on its way: a failure of one keeps no other from being erased from. */
class Store {
  #found = NOTHING
  #removed = NOTHING
  #left: PartCounts | null = null
  #waiting: EraseStoreReport['waiting'] = []
  #scrub: EraseStoreReport['scrub'] = []
  #ages: readonly string[] = []
  #error: string | null = null

  constructor(
    readonly target: EraseTarget,
    readonly erasure: Erasure,
    readonly began: number,
  ) {}

  get failed(): boolean {
    return this.#error !== null
  }

  async try(work: () => Promise<void>): Promise<void> {
    if (this.#error !== null) return
    try {
      await work()
    } catch (error) {
      this.#error = reasonOf(error)
    }
  }

  async look(): Promise<void> {
    this.#found = await this.target.look(this.erasure.subject, this.began)
    this.#ages = await this.target.ages()
  }

  async erase(forget: Embeddings['forget']): Promise<void> {
    const { options, subject } = this.erasure
    let removed = 0
    this.#removed = await this.target.erase(subject, {
      batch: options.batch,
      began: this.began,
      forget,
      removed: (n) => {
        removed += n
        options.onProgress?.({ store: this.target.name, removed })
      },
    })
  }

  async lookAgain(): Promise<void> {
    const { subject } = this.erasure
    this.#left = await this.target.look(subject, this.began)
    this.#waiting = (await this.target.waiting?.(subject)) ?? []
  }

  async scrub(): Promise<void> {
    this.#scrub = await this.target.scrub(this.erasure.subject, this.erasure.options.deadline)
  }

  get report(): EraseStoreReport {
    const names = [...new Set([this.#found, this.#removed, this.#left ?? {}].flatMap((counts) => Object.keys(counts)))]
    const parts = names.map((what): ErasedPart => {
      const left = this.#left ? (this.#left[what] ?? 0) : null
      const found = Math.max(this.#found[what] ?? 0, this.#removed[what] ?? 0)
      // What goes with its record is counted by nobody.
      const removed = left === null ? 0 : Math.max(this.#removed[what] ?? 0, found - left)
      return { what, found, removed, left }
    })
    const { name: store } = this.target
    return { store, parts, waiting: this.#waiting, scrub: this.#scrub, ages: this.#ages, error: this.#error }
  }
}

/** Erases a subject from every store, the first one first, and looks whether anything is left. */
export async function eraseFrom(erasure: Erasure): Promise<EraseReport> {
  const { targets, subject, options, clock } = erasure
  const startedAt = new Date(clock())
  const stores = targets.map((target) => new Store(target, erasure, startedAt.getTime()))
  const own = targets.flatMap(({ vectorsByHash }) => (vectorsByHash ? [vectorsByHash] : []))
  const embeddings = new Embeddings([...own, ...(options.embeddingCache ? [options.embeddingCache] : [])])
  for (const store of stores) await store.try(() => store.look())
  const notes: string[] = []
  if (!options.dryRun) await removeAll(erasure, stores, embeddings, notes)
  const hashes = options.dryRun ? null : await embeddings.report(options.scrub)
  const reports = [...stores.map(({ report }) => report), ...(hashes ? [hashes] : [])]
  const erased = !options.dryRun && reports.every(isErased)
  const scrubbed = !options.dryRun && options.scrub && reports.every(({ scrub }) => scrub.every(({ done }) => done))
  return {
    subject: { tenantId: subject.tenantId, userId: subject.userId ?? null },
    dryRun: options.dryRun,
    startedAt,
    endedAt: new Date(clock()),
    stores: reports,
    exports: options.exports.map((path) => ({ path, touched: false })),
    notes: [...notes, ...notesOf(erasure)],
    erased,
    scrubbed,
    complete: erased && scrubbed,
  }
}

const isErased = ({ parts, waiting, error }: EraseStoreReport): boolean =>
  error === null &&
  waiting.every(({ records }) => records === 0) &&
  parts.every(({ left }) => left === null || left === 0)

async function removeAll(
  { told, options }: Erasure,
  stores: readonly Store[],
  { forget }: Embeddings,
  notes: string[],
): Promise<void> {
  const [first, ...others] = stores
  await first?.try(() => first.erase(forget))
  // What those that follow have is made from it: they are left as they are where it could not be erased from.
  if (first?.failed) return
  try {
    await told(options.deadline)
  } catch (error) {
    notes.push(`the stores that follow were not told of everything: ${reasonOf(error)}`)
  }
  for (const store of others) await store.try(() => store.erase(forget))
  for (const store of stores) await store.try(() => store.lookAgain())
  if (options.scrub) for (const store of stores) await store.try(() => store.scrub())
}

function notesOf({ subject, options }: Erasure): string[] {
  const notes: string[] = []
  if (subject.userId !== undefined) notes.push('documents belong to no user: none was touched')
  if (!options.scrub) notes.push('what deletion leaves in files was not removed: scrub was switched off')
  if (options.exports.length > 0) notes.push('exports are listed as they were named, and were not touched')
  return notes
}

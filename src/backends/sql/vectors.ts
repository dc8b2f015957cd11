import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Embedder, EmbeddingSpace, VectorSettings } from '../../contract/embedder.js'
import { checkVector, spaceId } from '../../embeddings/vector.js'
import { ConfigurationError, UnsupportedError } from '../../errors.js'
import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import { now, type SqlStoreContext } from './context.js'
import type { SqlRunner, SqlSession } from './engine.js'
import { seed } from './seeding.js'
import { FOLLOWER, vectorStatements } from './vector-statements.js'

export interface OpenSpace extends EmbeddingSpace {
  readonly id: string
}

/** A vector on its way into the table. */
export interface VectorRow {
  readonly kind: SearchKind
  readonly tenantId: string
  readonly scope: string
  readonly recordId: string
  readonly vector: Float32Array
  /** Of the text that was embedded; empty where the vector came with the record. */
  readonly hash: Buffer
}

/** The vector came with its record: no model makes it anew until the text changes. */
export const OWN = Buffer.alloc(0)

export const describeSpace = ({ provider, model, dimensions, metric }: EmbeddingSpace): string =>
  `${provider} ${model}, ${dimensions} dimensions, ${metric}`

/** Characters of a text that are embedded: models read no more, and some refuse more. */
export const MAX_EMBEDDED = 8000

/** Milliseconds that opening a store waits for a model. */
const PROBE = 3000

/** A number of 48 bits for (tenant, space, kind): two that meet share a look over sign bits, and no result. */
const parts = new LRUCache<string, number>({ max: 10_000 })

export function partOf(tenantId: string, space: string, kind: SearchKind): number {
  const key = JSON.stringify([tenantId, space, kind])
  let part = parts.get(key)
  if (part === undefined) {
    part = createHash('sha256').update(key).digest().readUIntBE(0, 6)
    parts.set(key, part)
  }
  return part
}

/** What a store knows of vectors: the space that its table holds, and who makes new ones. */
export class SqlVectors {
  #space: OpenSpace | null = null
  constructor(
    readonly settings: VectorSettings,
    /** Why the engine cannot compare vectors, and what to do; null where it can. */
    readonly absent: string | null = null,
    /** Whether a semantic store makes and compares the vectors, which are only kept here. */
    readonly elsewhere = false,
  ) {}

  get embedder(): Embedder | null {
    return this.absent === null ? this.settings.embedder : null
  }
  get space(): OpenSpace | null {
    return this.#space
  }
  /** Whether this store makes its vectors by itself. */
  get makes(): boolean {
    return this.embedder !== null && !this.elsewhere
  }
  /** Whether vectors can be stored and searched at all. */
  get enabled(): boolean {
    if (this.absent !== null) return false
    return this.#space !== null || this.embedder !== null || this.settings.dimensions !== null
  }

  /** Takes up the recorded space, or records the one that is configured; refuses another one. */
  async open(store: SqlStoreContext, runner: SqlRunner): Promise<void> {
    if (this.absent !== null) return
    if (this.elsewhere) await this.#leave(store, runner)
    const stored = await this.#stored(store, runner)
    const configured = await this.#configured()
    if (stored) {
      if (configured) this.#compare(stored, configured)
      this.#space = stored
      if (this.embedder) await this.#follow(store, runner, stored)
    } else if (configured?.dimensions) await this.#record(store, runner, configured as EmbeddingSpace)
    // The model did not answer: what is written meanwhile waits for it all the same.
    else if (this.embedder) await this.#follow(store, runner, null)
  }

  async #stored(store: SqlStoreContext, runner: SqlRunner): Promise<OpenSpace | null> {
    return runner.read(async (session) => (await session.all(vectorStatements(store.engine).active))[0] ?? null)
  }

  /** The configured space; its dimensions are asked of the model where nothing else tells. */
  async #configured(): Promise<(Omit<EmbeddingSpace, 'dimensions'> & { dimensions: number | null }) | null> {
    const { embedder, metric, dimensions, model } = this.settings
    if (!embedder) return dimensions === null ? null : { provider: 'records', model, dimensions, metric }
    let known = embedder.dimensions ?? dimensions
    if (known === null) known = await probe(embedder)
    return { provider: embedder.provider, model: embedder.model, dimensions: known, metric }
  }

  #compare(stored: OpenSpace, configured: Omit<EmbeddingSpace, 'dimensions'> & { dimensions: number | null }): void {
    const here = { ...configured, dimensions: configured.dimensions ?? stored.dimensions }
    if (spaceId(stored) === spaceId(here)) return
    throw new ConfigurationError(
      `this store's vectors are of another space (${describeSpace(stored)}; here: ${describeSpace(here)}): ` +
        'open it with that model, dimension and metric, or embed everything again with `bruno-memory reembed`',
    )
  }

  /** Records a space as the active one; what is stored already is handed to the settler. */
  async #record(store: SqlStoreContext, runner: SqlRunner, space: EmbeddingSpace): Promise<OpenSpace> {
    const s = vectorStatements(store.engine)
    const id = spaceId(space)
    const at = now(store)
    const stamps = { createdAt: at, updatedAt: at, version: 1 }
    await runner.write(async (session) => {
      const [other] = await session.all(s.active)
      if (other) return
      await session.run(s.insertSpace, { ...space, id, normalized: false, state: 'active', ...stamps })
    })
    const stored = await this.#stored(store, runner)
    if (!stored) throw new ConfigurationError('the embedding space could not be recorded')
    this.#compare(stored, space)
    this.#space = stored
    if (this.embedder) await this.#follow(store, runner, stored)
    return stored
  }

  /** Takes the space of vectors that come from another store, where none is known. */
  async adopt(store: SqlStoreContext, runner: SqlRunner, space: EmbeddingSpace): Promise<OpenSpace> {
    return this.#space ?? this.#record(store, runner, space)
  }

  /** Puts the configured space on record beside the active one; vectors of it can be stored from now on. */
  async openBeside(store: SqlStoreContext, runner: SqlRunner): Promise<void> {
    const { embedder, metric, dimensions, model } = this.settings
    const known = embedder?.dimensions ?? dimensions ?? (await embedder?.embedQuery('dimensions'))?.length
    if (!known) throw new ConfigurationError('option embeddingFunction: is required to embed anything')
    const space = {
      provider: embedder?.provider ?? 'records',
      model: embedder?.model ?? model,
      dimensions: known,
      metric,
    }
    const id = spaceId(space)
    const active = await this.#stored(store, runner)
    if (active?.id !== id) {
      const at = now(store)
      const row = { ...space, id, normalized: false, state: 'building', createdAt: at, updatedAt: at, version: 1 }
      await runner.write(async (session) => session.run(vectorStatements(store.engine).insertSpace, row))
    }
    this.#space = { ...space, id }
  }

  /** Makes the configured space the active one, and hands every record to the settler; vectors of others are kept. */
  async replace(store: SqlStoreContext, runner: SqlRunner): Promise<OpenSpace> {
    const { embedder, metric } = this.settings
    if (!embedder) throw new ConfigurationError('option embeddingFunction: is required to embed anything')
    const dimensions = embedder.dimensions ?? (await embedder.embedQuery('dimensions')).length
    const space = { provider: embedder.provider, model: embedder.model, dimensions, metric }
    const s = vectorStatements(store.engine)
    const at = now(store)
    const row = { ...space, id: spaceId(space), normalized: false, state: 'active', createdAt: at, updatedAt: at }
    await runner.write(async (session) => {
      await session.run(s.retire, { now: at })
      await session.run(s.insertSpace, { ...row, version: 1 })
    })
    await this.#start(store, runner, row.id)
    this.#space = { ...space, id: row.id }
    return this.#space
  }

  async #follow(store: SqlStoreContext, runner: SqlRunner, space: OpenSpace | null): Promise<void> {
    const s = vectorStatements(store.engine)
    const read = async (session: SqlSession) => (await session.all(s.follower))[0]?.state === 'active'
    if (this.elsewhere || (await runner.read(read))) return
    await this.#start(store, runner, space?.id ?? null)
  }

  /** Ended half-way it is begun again: a follower that was handed everything is told so. */
  async #start(store: SqlStoreContext, runner: SqlRunner, space: string | null): Promise<void> {
    await runner.write((session) => startFollowing(store, session, space, 'seeding'))
    await seed(store, runner, FOLLOWER)
    await runner.write((session) => startFollowing(store, session, space, 'active'))
  }

  /** Others make and compare the vectors from now on: this store's own follower has no use. */
  async #leave(store: SqlStoreContext, runner: SqlRunner): Promise<void> {
    const s = vectorStatements(store.engine)
    const [own] = await runner.read(async (session) => session.all(s.follower))
    if (own && own.state !== 'retired') await runner.write(async (session) => retireOwn(store, session))
  }

  /** The space, recorded now where the model did not answer when the store was opened. */
  async ready(store: SqlStoreContext, runner: SqlRunner, dimensions: number): Promise<OpenSpace> {
    if (this.#space) return this.#space
    const configured = await this.#configured()
    if (!configured) throw this.#unsupported()
    return this.#record(store, runner, { ...configured, dimensions })
  }

  #unsupported(): UnsupportedError {
    return new UnsupportedError(
      'vectorSearch',
      this.absent ??
        'this memory has no vectors: open it with an embeddingFunction, or with embeddingDimensions where the records bring their own',
    )
  }

  /** A record's own vector, checked at the door. */
  own(value: ArrayLike<number> | undefined, field: string): Float32Array | null {
    if (value === undefined) return null
    if (!this.enabled) throw this.#unsupported()
    return checkVector(value, field, this.#space?.dimensions ?? this.settings.dimensions)
  }

  /** The question's vector, given or made; before anything is read. */
  async queryVector(text: string, given: ArrayLike<number> | null, inUnit: boolean): Promise<Float32Array> {
    if (!this.enabled) throw this.#unsupported()
    if (given !== null) return checkVector(given, 'vector', this.#space?.dimensions ?? this.settings.dimensions)
    if (!this.embedder)
      throw new UnsupportedError(
        'vectorSearch',
        `this memory makes no vectors of questions${this.#space ? ` (its records' are of ${describeSpace(this.#space)})` : ''}: give a vector, or open it with that embeddingFunction`,
      )
    if (inUnit)
      throw new UnsupportedError(
        'vectorSearch',
        'a model is not waited for inside a unit, which holds the store: search before the unit, or give a vector',
      )
    const vector = await this.embedder.embedQuery(text.slice(0, MAX_EMBEDDED))
    if (this.#space && vector.length !== this.#space.dimensions)
      throw new ConfigurationError(
        `the model answered a vector of ${vector.length} dimensions, and this store's have ${this.#space.dimensions}: open it with the model of its vectors`,
      )
    return vector
  }
}

async function retireOwn(store: SqlStoreContext, session: SqlSession): Promise<void> {
  const s = vectorStatements(store.engine)
  await session.run(s.retireFollower, { name: FOLLOWER, now: now(store) })
  await session.run(s.forgetOutbox, { follower: FOLLOWER })
}

/** How many dimensions a model has; null where it does not answer in time, for opening a store waits for it. */
async function probe(embedder: Embedder): Promise<number | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, PROBE, null)
  })
  try {
    return await Promise.race([
      embedder.embedQuery('dimensions').then(
        ({ length }) => length,
        () => null,
      ),
      late,
    ])
  } finally {
    clearTimeout(timer)
  }
}

/** Makes the store's own follower, which is told of every write from now on. */
async function startFollowing(
  store: SqlStoreContext,
  session: SqlSession,
  space: string | null,
  state: 'seeding' | 'active',
): Promise<void> {
  const at = now(store)
  await session.run(vectorStatements(store.engine).insertFollower, {
    name: FOLLOWER,
    kind: 'local',
    state,
    kinds: SEARCH_KINDS,
    settings: { space },
    seededRevision: 0,
    leaseEpoch: 0,
    createdAt: at,
    updatedAt: at,
    version: 1,
  })
}

/** Whether a store has vectors, whatever it is opened with. */
export const hasSpace = async (store: SqlStoreContext, runner: SqlRunner): Promise<boolean> =>
  runner.read(async (session) => (await session.all(vectorStatements(store.engine).active)).length > 0)

import { SemanticIndex } from '../backends/vector/semantic.js'
import type { VectorStore } from '../backends/vector/store.js'
import type {
  Followed,
  FollowedState,
  FollowerRecord,
  NearQuestion,
  NearVector,
  SemanticSearch,
  SemanticTarget,
} from '../contract/follow.js'
import { ConfigurationError, ConnectionError, TimeoutError } from '../errors.js'
import type { SearchKind } from '../model/records.js'

/** Milliseconds after which a search looks again whether the collections are those in use. */
export const ATTENDED = 2000

/** Milliseconds that a search waits for it, at most; and that it is left alone after one has waited in vain. */
const PATIENCE = 3000
const AWAY = 2000

async function inTime<T>(work: Promise<T>, callTimeout: number): Promise<T> {
  const most = Math.min(PATIENCE, callTimeout)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeoutError(`the semantic store did not answer within ${most} ms`)), most)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A semantic store that is not open yet. */
export interface SemanticParts {
  /** Where it is, without secrets. */
  readonly place: string
  readonly callTimeout: number
  /** Makes it, closed. Each generation has collections of its own. */
  readonly make: (generation: number) => Promise<VectorStore>
  readonly clock: () => number
}

interface Joined {
  readonly followed: Followed
  readonly follower: FollowerRecord
  readonly store: VectorStore
}

/** The store that finds by meaning. It may be away when the memory is opened, and is looked for at each call then. */
export class SemanticMember implements SemanticSearch, SemanticTarget {
  #joined: Joined | null = null
  #index: SemanticIndex | null = null
  #opening: Promise<SemanticIndex> | null = null
  /** When it was last known to be the one in use. */
  #attended = Number.NEGATIVE_INFINITY
  #awayUntil = Number.NEGATIVE_INFINITY

  constructor(readonly parts: SemanticParts) {}

  get callTimeout(): number {
    return this.parts.callTimeout
  }
  get sideBySide(): boolean {
    return this.#of.store.followsSideBySide
  }
  get #of(): Joined {
    if (!this.#joined) throw new Error('the semantic store is not joined')
    return this.#joined
  }
  /** Where the records that it follows are. */
  get follower(): FollowerRecord {
    return this.#of.follower
  }

  /** Told of the follower that stands on record in its place. */
  onMove: (follower: FollowerRecord) => void = () => undefined

  /** Follows a primary from now on; the store need not answer yet. */
  async join(followed: Followed, follower: FollowerRecord): Promise<void> {
    const before = this.#joined
    const opened = this.#index !== null
    this.#joined = { followed, follower, store: await this.parts.make(follower.generation) }
    this.#index = null
    if (!before) return
    if (opened) await before.store.close()
    this.onMove(follower)
  }

  /** The open store. */
  async ready(): Promise<SemanticIndex> {
    if (this.#index) return this.#index
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #open(): Promise<SemanticIndex> {
    const { followed, follower, store } = this.#of
    const { space } = followed
    if (!space)
      throw new ConnectionError('the semantic store is not open: the dimensions of the vectors are not known yet')
    const opened = await store.open(space, async () => space.dimensions)
    await checkOwner(store, follower)
    const index = new SemanticIndex(store, opened, this.parts)
    // It may have been built anew meanwhile.
    if (this.#of.store === store) this.#index = index
    return index
  }

  async nearest(tenantId: string, kind: SearchKind, question: NearQuestion): Promise<readonly NearVector[]> {
    if (performance.now() < this.#awayUntil) throw new ConnectionError('the semantic store is away')
    try {
      return await inTime(this.#nearest(tenantId, kind, question), this.parts.callTimeout)
    } catch (error) {
      // Others need not find out by waiting, too.
      if (error instanceof ConnectionError || error instanceof TimeoutError) this.#awayUntil = performance.now() + AWAY
      throw error
    }
  }

  async #nearest(tenantId: string, kind: SearchKind, question: NearQuestion): Promise<readonly NearVector[]> {
    if (performance.now() - this.#attended > ATTENDED) await this.#moved()
    const index = await this.ready()
    try {
      return await index.nearest(tenantId, kind, question)
    } catch (error) {
      // The collections may have been built anew, and the old ones be gone.
      if (!(await this.#moved())) throw error
      return (await this.ready()).nearest(tenantId, kind, question)
    }
  }

  async #moved(): Promise<boolean> {
    return this.attend().then(
      () => false,
      (error) => error instanceof Moved,
    )
  }

  /** The open store, or nothing yet where it is slow to answer. */
  async greet(): Promise<void> {
    await inTime(this.ready(), this.parts.callTimeout)
  }

  /** The store, for those who look after it. */
  async store(): Promise<VectorStore> {
    return (await this.ready()).store
  }

  /** Another process may have moved the follower, or built it anew: then the new collections are taken up. */
  async attend(): Promise<void> {
    const { followed, follower } = this.#of
    const now = (await followed.followers()).find(({ kind, building }) => kind === 'semantic' && !building)
    this.#attended = performance.now()
    if (now?.name === follower.name && now.generation === follower.generation && now.place === follower.place) return
    if (now?.place !== follower.place)
      throw new ConfigurationError(
        'another process has given this memory another semantic store: open all of them with the same one',
      )
    await this.join(followed, now)
    throw new Moved()
  }

  async bring(states: readonly FollowedState[]): Promise<void> {
    const index = await this.ready()
    await this.attend()
    await index.bring(states)
  }

  async forget(before: number): Promise<void> {
    await (await this.ready()).forget(before)
  }

  async ping(): Promise<boolean> {
    return this.#index ? this.#index.store.ping() : false
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined)
    if (this.#index) await this.#joined?.store.close()
    this.#index = null
  }
}

/** What was taken for the old collections is not told to the new ones: they are told by an outbox of their own. */
export class Moved extends ConnectionError {
  constructor() {
    super('the semantic store was built anew: what is written now goes there')
  }
}

/** Points that hold whole records are another memory's, which has no primary. */
async function checkOwner(store: VectorStore, { generation }: FollowerRecord): Promise<void> {
  if (generation > 1) return
  for await (const page of store.entries()) {
    const [first] = page
    if (first && !/^\{"seq":\d+\}$/.test(first.rest))
      throw new ConfigurationError(
        'the collection of the semantic store holds a memory of its own: name another one with the option collectionName',
      )
    return
  }
}

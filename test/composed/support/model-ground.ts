import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { v7 } from 'uuid'
import { prepare } from '../../../src/backend.js'
import { QdrantStore } from '../../../src/backends/qdrant/store.js'
import { SemanticIndex } from '../../../src/backends/vector/semantic.js'
import type { Backend } from '../../../src/contract/backend.js'
import type { EmbeddingSpace } from '../../../src/contract/embedder.js'
import type { Followed, FollowerRecord, FollowerSettling, SemanticTarget } from '../../../src/contract/follow.js'
import type { Memory } from '../../../src/contract/memory.js'
import { makeMemory } from '../../../src/memory.js'
import { SEARCH_KINDS } from '../../../src/model/records.js'
import { type ManualClock, manualClock } from '../../support/clock.js'
import { type EnginePeek, qdrantPeek } from './engine.js'
import { type PrimaryPeek, sqlitePeek } from './primary.js'
import { DIMENSIONS } from './vectors.js'

const TABLES = ['messages', 'memories', 'documents', 'conversations', 'users', 'embeddings', 'outbox']

/** SQLite with Qdrant behind it, and nobody who settles. */
export class ModelGround {
  private constructor(
    readonly clock: ManualClock,
    readonly folder: string,
    readonly memory: Memory,
    readonly followed: Followed,
    readonly follower: FollowerRecord,
    readonly index: SemanticIndex,
    readonly peek: PrimaryPeek,
    readonly engine: EnginePeek,
    readonly qdrant: { readonly url: string; readonly collection: string },
  ) {}

  static async open(url: string): Promise<ModelGround> {
    const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-model-'))
    const databasePath = join(folder, 'memory.db')
    const collection = `model_${v7()}`
    const clock = manualClock()
    const store = new QdrantStore({ url, collectionName: collection, callTimeout: 60_000 })
    const options = { databasePath, durability: 'process', embeddingDimensions: DIMENSIONS, clock: clock.now } as const
    const { capabilities, load } = prepare('sqlite', options)
    // Records are not searched here: that something follows is all that the primary has to know.
    const backend: Backend = await load({ semantic: { nearest: async () => [] } })
    const memory = makeMemory({ capabilities, tenancy: 'optional', clock: clock.now, load: async () => backend })
    await memory.connect()
    const followed = backend.followed as Followed
    const space = followed.space as EmbeddingSpace
    const index = new SemanticIndex(store, await store.open(space, async () => DIMENSIONS), {
      clock: clock.now,
      callTimeout: 10_000,
    })
    const plan = { name: 'semantic', kind: 'semantic', kinds: SEARCH_KINDS, place: collection } as const
    const follower = await followed.follow(plan)
    return new ModelGround(
      clock,
      folder,
      memory,
      followed,
      follower,
      index,
      sqlitePeek(databasePath),
      qdrantPeek(url, collection),
      { url, collection },
    )
  }

  settler(target: SemanticTarget): FollowerSettling {
    return this.followed.semantic(this.follower, target)
  }

  /** Nothing is left in any store, nor remembered of what was deleted. */
  async empty(): Promise<void> {
    const client = new Database(join(this.folder, 'memory.db'))
    for (const table of TABLES) client.prepare(`delete from bruno_${table}`).run()
    client.close()
    const { url, collection } = this.qdrant
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ filter: {} })
    await fetch(`${url}/collections/${collection}/points/delete?wait=true`, { method: 'POST', headers, body })
  }

  async close(): Promise<void> {
    await this.memory.close()
    await this.peek.close()
    await this.index.store.close()
    await fetch(`${this.qdrant.url}/collections/${this.qdrant.collection}`, { method: 'DELETE' })
    rmSync(this.folder, { recursive: true, force: true })
  }
}

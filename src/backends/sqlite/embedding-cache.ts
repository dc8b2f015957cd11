import type Database from 'better-sqlite3'
import type { EmbeddingCache } from '../../contract/embedder.js'
import type { ScrubStep } from '../../contract/erase.js'
import { decodeVector, encodeVector } from '../../embeddings/vector.js'
import { rewriteFile } from './erase.js'
import { translateError } from './errors.js'

/** Vectors that are kept; beyond that the oldest go. */
const MAX_ENTRIES = 500_000
/** Entries between two looks at how many there are. */
const LOOK_EVERY = 5000

const TABLE = `create table if not exists bruno_embedding_cache (
  seq integer primary key autoincrement, space text not null, hash blob not null, vector blob not null,
  unique (space, hash)
) strict`

interface Open {
  readonly client: Database.Database
  readonly get: Database.Statement<[string, Buffer], { readonly vector: Buffer }>
  readonly put: Database.Statement
}

/** Vectors by what was embedded, in a file of their own that many processes may share. */
export class SqliteEmbeddingCache implements EmbeddingCache {
  #opening: Promise<Open> | null = null
  #put = 0
  constructor(readonly path: string) {}

  #open(): Promise<Open> {
    this.#opening ??= this.#make().catch((error: unknown) => {
      this.#opening = null
      throw translateError(error)
    })
    return this.#opening
  }

  async #make(): Promise<Open> {
    const { default: Client } = await import('better-sqlite3')
    const client = new Client(this.path, { timeout: 5000 })
    client.pragma('journal_mode = WAL')
    // What a crash takes away is made again.
    client.pragma('synchronous = OFF')
    client.exec(TABLE)
    return {
      client,
      get: client.prepare('select vector from bruno_embedding_cache where space = ? and hash = ?'),
      put: client.prepare(
        'insert into bruno_embedding_cache (space, hash, vector) values (?, ?, ?) on conflict (space, hash) do nothing',
      ),
    }
  }

  async getMany(space: string, hashes: readonly Uint8Array[]): Promise<(Float32Array | null)[]> {
    const { get } = await this.#open()
    return hashes.map((hash) => {
      const row = get.get(space, Buffer.from(hash))
      return row ? decodeVector(row.vector) : null
    })
  }

  async putMany(space: string, entries: Parameters<EmbeddingCache['putMany']>[1]): Promise<void> {
    const { client, put } = await this.#open()
    client.transaction(() => {
      for (const { hash, vector } of entries) put.run(space, Buffer.from(hash), encodeVector(vector))
    })()
    this.#put += entries.length
    if (this.#put < LOOK_EVERY) return
    this.#put = 0
    client
      .prepare('delete from bruno_embedding_cache where seq <= (select max(seq) from bruno_embedding_cache) - ?')
      .run(MAX_ENTRIES)
  }

  async removeMany(hashes: readonly Uint8Array[]): Promise<number> {
    const { client } = await this.#open()
    const spaces = client.prepare('select distinct space from bruno_embedding_cache').pluck().all()
    const remove = client.prepare('delete from bruno_embedding_cache where space = ? and hash = ?')
    client.pragma('secure_delete = ON')
    let removed = 0
    client.transaction(() => {
      for (const space of spaces) for (const hash of hashes) removed += remove.run(space, Buffer.from(hash)).changes
    })()
    return removed
  }

  async scrub(): Promise<readonly ScrubStep[]> {
    const { client } = await this.#open()
    return rewriteFile(client, { name: 'embedding cache', busyTimeout: 5000 })
  }

  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = null
    ;(await opening?.catch(() => null))?.client.close()
  }
}

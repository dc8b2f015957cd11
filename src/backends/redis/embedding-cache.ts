import type { EmbeddingCache } from '../../contract/embedder.js'
import type { ScrubStep } from '../../contract/erase.js'
import type { RedisOptions } from '../../contract/options.js'
import { decodeVector, encodeVector } from '../../embeddings/vector.js'
import { RedisClient } from './client.js'
import { connector } from './connect.js'
import { rewritePersistence, scanKeys } from './erase-server.js'
import { placeOf } from './place.js'

/** Milliseconds that a vector is kept after it was last made. */
const KEPT = 30 * 24 * 3600 * 1000
/** A model is not waited for by a cache that does not answer. */
const CALL_TIMEOUT = 2000

/** Vectors by what was embedded, shared by all who use the server. */
export class RedisEmbeddingCache implements EmbeddingCache {
  #opening: Promise<RedisClient> | null = null
  readonly #options: RedisOptions

  constructor(options: RedisOptions) {
    this.#options = placeOf(options)
  }

  #open(): Promise<RedisClient> {
    this.#opening ??= this.#make().catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    return this.#opening
  }

  async #make(): Promise<RedisClient> {
    const options = { ...this.#options, callTimeout: CALL_TIMEOUT, connectTimeout: CALL_TIMEOUT }
    const { callTimeout, db } = options
    const client = new RedisClient(await connector(options), { callTimeout, db, failsOver: false })
    await client.open()
    return client
  }

  // No hash tag: in a Cluster they lie on all nodes.
  get #head(): string {
    return `bruno:vector:${Buffer.from(this.#options.prefix ?? 'bruno_memory').toString('base64url')}:`
  }

  #key(space: string, hash: Uint8Array): string {
    return `${this.#head}${Buffer.from(space).toString('base64url')}:${Buffer.from(hash).toString('base64url')}`
  }

  async getMany(space: string, hashes: readonly Uint8Array[]): Promise<(Float32Array | null)[]> {
    const client = await this.#open()
    const found = await client.call((c) => Promise.all(hashes.map((hash) => c.getBuffer(this.#key(space, hash)))))
    return found.map((bytes) => (bytes === null ? null : decodeVector(bytes)))
  }

  async putMany(space: string, entries: Parameters<EmbeddingCache['putMany']>[1]): Promise<void> {
    const client = await this.#open()
    await client.call((c) =>
      Promise.all(entries.map(({ hash, vector }) => c.set(this.#key(space, hash), encodeVector(vector), 'PX', KEPT))),
    )
  }

  /** The spaces are found once: whoever erases makes a cache of their own, or has few. */
  #spaces: Promise<readonly string[]> | null = null

  async #findSpaces(client: RedisClient): Promise<readonly string[]> {
    const spaces = new Set<string>()
    for await (const keys of scanKeys(client, `${this.#head}*`))
      for (const key of keys) spaces.add(key.slice(0, key.lastIndexOf(':') + 1))
    return [...spaces]
  }

  async removeMany(hashes: readonly Uint8Array[]): Promise<number> {
    const client = await this.#open()
    this.#spaces ??= this.#findSpaces(client)
    const spaces = await this.#spaces
    const ends = hashes.map((hash) => Buffer.from(hash).toString('base64url'))
    const keys = spaces.flatMap((space) => ends.map((end) => space + end))
    const removed = await client.call((c) => Promise.all(keys.map((key) => c.unlink(key))))
    return removed.reduce((sum, n) => sum + n, 0)
  }

  async scrub(): Promise<readonly ScrubStep[]> {
    return rewritePersistence(await this.#open())
  }

  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = null
    ;(await opening?.catch(() => null))?.close()
  }
}

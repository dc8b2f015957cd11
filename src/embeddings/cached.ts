import { createHash } from 'node:crypto'
import type { Embedder, EmbeddingCache, EmbeddingUsage } from '../contract/embedder.js'
import { ConfigurationError } from '../errors.js'

export interface CacheSettings {
  readonly cache: EmbeddingCache | null
  /** The dimensions that the caller asked for: a model may be asked for fewer. */
  readonly dimensions: number | null
  readonly onEmbedding: ((usage: EmbeddingUsage) => void) | null
  /** Loads what counts tokens. */
  readonly count: () => Promise<(text: string) => number>
}

const hashOf = (text: string): Uint8Array => createHash('sha256').update(text).digest()

/** An embedder that asks a cache first, and the model once for what many ask for at the same time. */
class CachedEmbedder implements Embedder {
  readonly #under = new Map<string, Promise<Float32Array>>()
  readonly #source: Embedder
  readonly #settings: CacheSettings
  readonly #space: string

  constructor(source: Embedder, settings: CacheSettings) {
    this.#source = source
    this.#settings = settings
    this.#space = `${source.provider}/${source.model}/${settings.dimensions ?? 'own'}`
    if (settings.cache && source.model === 'unnamed')
      throw new ConfigurationError(
        'option embeddingCache: needs embeddingModel, the name of the function that is handed in',
      )
  }

  get cache(): EmbeddingCache | null {
    return this.#settings.cache
  }
  get provider(): string {
    return this.#source.provider
  }
  get model(): string {
    return this.#source.model
  }
  get dimensions(): number | null {
    return this.#source.dimensions
  }

  async embedDocuments(texts: readonly string[]): Promise<Float32Array[]> {
    const wanted = [...texts]
    const unique = [...new Set(wanted)]
    const known = await this.#look(unique)
    const missing = unique.filter((text) => !known.has(text))
    const sent = this.#make(missing)
    this.#told(unique.length, sent)
    const made = await Promise.all(missing.map((text) => this.#under.get(text) as Promise<Float32Array>))
    for (const [i, text] of missing.entries()) known.set(text, made[i] as Float32Array)
    return wanted.map((text) => (known.get(text) as Float32Array).slice())
  }

  async #look(texts: readonly string[]): Promise<Map<string, Float32Array>> {
    const known = new Map<string, Float32Array>()
    const { cache } = this.#settings
    if (!cache || texts.length === 0) return known
    try {
      const found = await cache.getMany(this.#space, texts.map(hashOf))
      texts.forEach((text, i) => {
        const vector = found[i]
        if (vector && fits(vector, this.dimensions)) known.set(text, vector)
      })
    } catch {
      // A cache that fails is a miss.
    }
    return known
  }

  /** Asks for the texts that nobody has asked for already; answers which. */
  #make(texts: readonly string[]): string[] {
    const own = texts.filter((text) => !this.#under.has(text))
    if (own.length > 0) {
      const asked = this.#ask(own)
      own.forEach((text, i) => {
        const vector = asked.then((vectors) => vectors[i] as Float32Array).finally(() => this.#under.delete(text))
        vector.catch(() => undefined)
        this.#under.set(text, vector)
      })
    }
    return own
  }

  async #ask(texts: readonly string[]): Promise<Float32Array[]> {
    const vectors = await this.#source.embedDocuments(texts)
    const { cache } = this.#settings
    if (cache) {
      const entries = texts.map((text, i) => ({ hash: hashOf(text), vector: vectors[i] as Float32Array }))
      // What could not be kept is made again.
      await cache.putMany(this.#space, entries).catch(() => undefined)
    }
    return vectors
  }

  #told(texts: number, sent: readonly string[]): void {
    const { onEmbedding, count } = this.#settings
    if (!onEmbedding || texts === 0) return
    count()
      .then((tokensOf) => {
        const tokens = sent.reduce((sum, text) => sum + tokensOf(text), 0)
        onEmbedding({ model: this.model, texts, cached: texts - sent.length, tokens })
      })
      // What a listener throws is no failure of the write, and must not end the process.
      .catch(nothing)
  }

  /** Questions are remembered by the embedder itself: they are asked once and seldom again. */
  embedQuery(text: string): Promise<Float32Array> {
    return this.#source.embedQuery(text)
  }

  async close(): Promise<void> {
    await this.#source.close()
    await this.#settings.cache?.close().catch(() => undefined)
  }
}

const nothing = (): void => {}
const fits = (vector: Float32Array, dimensions: number | null): boolean =>
  vector.length > 0 && (dimensions === null || vector.length === dimensions) && vector.every(Number.isFinite)

/** @throws ConfigurationError where vectors of a function without a name would be kept. */
export const cachedEmbedder = (source: Embedder, settings: CacheSettings): Embedder =>
  settings.cache === null && settings.onEmbedding === null ? source : new CachedEmbedder(source, settings)

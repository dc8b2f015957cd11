import type { IPolicy } from 'cockatiel'
import { LRUCache } from 'lru-cache'
import type { Embedder } from '../contract/embedder.js'
import { ClosedError, ConfigurationError, ValidationError } from '../errors.js'
import { attempts, translated } from './attempts.js'
import { BATCH_SIZE, type EmbedderSettings, type Provider, providerOf, TIMEOUT } from './provider.js'
import { checkVector } from './vector.js'

export type { EmbedderSettings } from './provider.js'

const CACHE_BYTES = 8 * 1024 * 1024

class CheckedEmbedder implements Embedder {
  #dimensions: number | null
  #closed = false
  // Private, or whoever prints the embedder prints the key of a client that was handed in.
  readonly #source: Provider
  readonly #ms: number
  readonly #batchSize: number
  readonly #policy: IPolicy
  readonly #questions = new LRUCache<string, Float32Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (vector, text) => vector.byteLength + text.length * 2 + 100,
  })
  readonly #asked = new Map<string, Promise<Float32Array>>()

  constructor(source: Provider, ms: number, batchSize: number) {
    this.#source = source
    this.#ms = ms
    this.#batchSize = batchSize
    this.#dimensions = source.dimensions
    this.#policy = attempts(ms)
  }

  get provider(): string {
    return this.#source.provider
  }
  get model(): string {
    return this.#source.model
  }
  get dimensions(): number | null {
    return this.#dimensions
  }

  async embedDocuments(texts: readonly string[]): Promise<Float32Array[]> {
    this.#open()
    // The caller's array may change while the model is asked.
    const wanted = [...texts]
    for (const [i, text] of wanted.entries()) notBlank(text, `texts[${i}]`)
    const unique = [...new Set(wanted)]
    const vectors = new Map<string, Float32Array>()
    for (let at = 0; at < unique.length; at += this.#batchSize) {
      const batch = unique.slice(at, at + this.#batchSize)
      const made = await this.#call(
        () => this.#source.embed.embedDocuments(batch.map(wellFormed)),
        (answer) => this.#checked(answer, batch.length),
      )
      for (const [i, text] of batch.entries()) vectors.set(text, made[i] as Float32Array)
    }
    return wanted.map((text) => (vectors.get(text) as Float32Array).slice())
  }

  async embedQuery(text: string): Promise<Float32Array> {
    this.#open()
    notBlank(text, 'text')
    let asked = this.#asked.get(text)
    if (!asked) {
      const known = this.#questions.get(text)
      if (known) return known.slice()
      asked = this.#ask(text).finally(() => this.#asked.delete(text))
      this.#asked.set(text, asked)
    }
    // A copy: what one caller does to it is not for the next one.
    return (await asked).slice()
  }

  async #ask(text: string): Promise<Float32Array> {
    const [vector] = await this.#call(
      () => this.#source.embed.embedQuery(wellFormed(text)),
      (answer) => this.#checked([answer], 1),
    )
    if (!this.#closed) this.#questions.set(text, vector as Float32Array)
    return vector as Float32Array
  }

  async #call<A, R>(ask: () => Promise<A>, check: (answer: A) => R): Promise<R> {
    try {
      return await this.#policy.execute(async ({ signal }) => {
        this.#open()
        // A pause between attempts may outlast the deadline: nobody waits for another one.
        signal.throwIfAborted()
        return check(await ask())
      })
    } catch (error) {
      throw translated(error, this.model, this.#ms)
    }
  }

  #checked(answer: unknown, wanted: number): Float32Array[] {
    if (!Array.isArray(answer)) throw this.#wrong('no array of vectors')
    if (answer.length !== wanted) throw this.#wrong(`${answer.length} vectors for ${wanted} texts`)
    let dimensions = this.#dimensions
    // Not `map`, which leaves out what a sparse array lacks.
    const vectors = Array.from(answer, (value: unknown, i) => {
      const vector = this.#vector(value, i, dimensions)
      dimensions = vector.length
      return vector
    })
    this.#dimensions = dimensions
    return vectors
  }

  #vector(value: unknown, index: number, dimensions: number | null): Float32Array {
    const length = (value as ArrayLike<unknown> | null | undefined)?.length
    if (dimensions !== null && typeof length === 'number' && length !== dimensions)
      throw this.#wrong(`a vector of ${length} dimensions instead of ${dimensions}`)
    try {
      return checkVector(value, `vectors[${index}]`)
    } catch (error) {
      throw error instanceof ValidationError ? this.#wrong(`what is no vector: ${error.message}`) : error
    }
  }

  #wrong(what: string): ConfigurationError {
    return new ConfigurationError(`the embedding model ${this.model} answered ${what}`)
  }

  #open(): void {
    if (this.#closed) throw new ClosedError('the embedder is closed')
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#questions.clear()
    this.#asked.clear()
  }
}

/** A text that was cut may end in half a character, which a service refuses. */
const wellFormed = (text: string): string => text.toWellFormed()

function notBlank(text: unknown, field: string): void {
  if (typeof text !== 'string' || text.trim() === '') throw new ValidationError(field, 'must not be blank')
}

/**
 * Makes an embedder by a name or of a function. Nothing is loaded before the first text.
 *
 * @throws ConfigurationError for a name that is not known, or what has not both functions.
 */
export function createEmbedder(settings: EmbedderSettings): Embedder {
  const { embeddingTimeout = TIMEOUT, embeddingBatchSize = BATCH_SIZE } = settings
  return new CheckedEmbedder(providerOf(settings), embeddingTimeout, embeddingBatchSize)
}

import { ExponentialBackoff, handleWhen, type IPolicy, retry, TimeoutStrategy, timeout, wrap } from 'cockatiel'
import { LRUCache } from 'lru-cache'
import type { Embedder } from '../contract/embedder.js'
import {
  BrunoMemoryError,
  ClosedError,
  ConfigurationError,
  ConnectionError,
  TimeoutError,
  ValidationError,
} from '../errors.js'
import { BATCH_SIZE, type EmbedderSettings, type Provider, providerOf, TIMEOUT } from './provider.js'
import { MAX_DIMENSIONS } from './vector.js'

export type { EmbedderSettings } from './provider.js'

const ATTEMPTS = 3
const CACHE_BYTES = 8 * 1024 * 1024

/** Refusals that another attempt cannot change: a wrong key, a wrong request, a text that is too long. */
function isRefusal(error: unknown): boolean {
  if (error instanceof BrunoMemoryError) return !error.retryable
  const status = Number((error as { status?: unknown } | null)?.status)
  return status >= 400 && status < 500 && status !== 408 && status !== 429
}

function policyOf(ms: number): IPolicy {
  const again = retry(
    handleWhen((error) => !isRefusal(error)),
    { maxAttempts: ATTEMPTS - 1, backoff: new ExponentialBackoff({ initialDelay: 200, maxDelay: 5000 }) },
  )
  // Aggressive: what hangs is left behind, whether it listens to a signal or not.
  return wrap(timeout(ms, TimeoutStrategy.Aggressive), again)
}

/** A typed error without a word of the text: a service's message may quote it. */
function translated(error: unknown, { model }: Provider, ms: number): BrunoMemoryError {
  if (error instanceof BrunoMemoryError) return error
  if ((error as { isTaskCancelledError?: unknown } | null)?.isTaskCancelledError)
    return new TimeoutError(`the embedding model ${model} did not answer within ${ms} ms`)
  const status = Number((error as { status?: unknown } | null)?.status)
  const told = Number.isInteger(status) ? ` (status ${status})` : ''
  return isRefusal(error)
    ? new ConfigurationError(`the embedding model ${model} refused the call${told}`, { cause: error })
    : new ConnectionError(`the embedding model ${model} failed${told}`, { cause: error })
}

class CheckedEmbedder implements Embedder {
  #dimensions: number | null
  #closed = false
  readonly #policy: IPolicy
  readonly #questions = new LRUCache<string, Float32Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (vector, text) => vector.byteLength + text.length * 2 + 100,
  })
  readonly #asked = new Map<string, Promise<Float32Array>>()

  constructor(
    readonly source: Provider,
    readonly ms: number,
    readonly batchSize: number,
  ) {
    this.#dimensions = source.dimensions
    this.#policy = policyOf(ms)
  }

  get provider(): string {
    return this.source.provider
  }
  get model(): string {
    return this.source.model
  }
  get dimensions(): number | null {
    return this.#dimensions
  }

  async embedDocuments(texts: readonly string[]): Promise<Float32Array[]> {
    for (const [i, text] of texts.entries()) notBlank(text, `texts[${i}]`)
    const unique = [...new Set(texts)]
    const vectors = new Map<string, Float32Array>()
    for (let at = 0; at < unique.length; at += this.batchSize) {
      const batch = unique.slice(at, at + this.batchSize)
      const made = await this.#call(
        () => this.source.embed.embedDocuments([...batch]),
        (answer) => this.#checked(answer, batch.length),
      )
      batch.forEach((text, i) => {
        vectors.set(text, made[i] as Float32Array)
      })
    }
    return texts.map((text) => vectors.get(text) as Float32Array)
  }

  async embedQuery(text: string): Promise<Float32Array> {
    notBlank(text, 'text')
    const known = this.#questions.get(text)
    if (known) return known
    let asked = this.#asked.get(text)
    if (!asked) {
      asked = this.#ask(text).finally(() => this.#asked.delete(text))
      this.#asked.set(text, asked)
    }
    return asked
  }

  async #ask(text: string): Promise<Float32Array> {
    const [vector] = await this.#call(
      () => this.source.embed.embedQuery(text),
      (answer) => this.#checked([answer], 1),
    )
    this.#questions.set(text, vector as Float32Array)
    return vector as Float32Array
  }

  async #call<A, R>(ask: () => Promise<A>, check: (answer: A) => R): Promise<R> {
    if (this.#closed) throw new ClosedError('the embedder is closed')
    try {
      return await this.#policy.execute(async () => check(await ask()))
    } catch (error) {
      throw translated(error, this.source, this.ms)
    }
  }

  #checked(answer: unknown, wanted: number): Float32Array[] {
    if (!Array.isArray(answer)) throw this.#wrong('answered no array of vectors')
    if (answer.length !== wanted) throw this.#wrong(`answered ${answer.length} vectors for ${wanted} texts`)
    return answer.map((vector) => this.#vector(vector))
  }

  #vector(value: unknown): Float32Array {
    const length = typeof value === 'object' && value !== null ? (value as ArrayLike<number>).length : undefined
    if (typeof length !== 'number' || length < 1 || length > MAX_DIMENSIONS)
      throw this.#wrong(`answered something that is no vector of 1 to ${MAX_DIMENSIONS} numbers`)
    this.#dimensions ??= length
    if (length !== this.#dimensions)
      throw this.#wrong(`answered a vector of ${length} dimensions instead of ${this.#dimensions}`)
    const vector = Float32Array.from(value as ArrayLike<number>)
    if (!vector.every((number, i) => Number.isFinite(number) && typeof (value as ArrayLike<unknown>)[i] === 'number'))
      throw this.#wrong('answered a vector with something in it that is no finite number')
    if (vector.every((number) => number === 0)) throw this.#wrong('answered a vector of zeros')
    return vector
  }

  #wrong(problem: string): ConfigurationError {
    return new ConfigurationError(`the embedding model ${this.model} ${problem}`)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#questions.clear()
  }
}

function notBlank(text: unknown, field: string): void {
  if (typeof text !== 'string' || text.trim() === '') throw new ValidationError(field, 'must not be blank')
}

/** Loads nothing before the first text. */
export function createEmbedder(settings: EmbedderSettings): Embedder {
  const { embeddingTimeout = TIMEOUT, embeddingBatchSize = BATCH_SIZE } = settings
  return new CheckedEmbedder(providerOf(settings), embeddingTimeout, embeddingBatchSize)
}

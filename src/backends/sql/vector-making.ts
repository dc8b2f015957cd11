import { createHash } from 'node:crypto'
import type { Embedder } from '../../contract/embedder.js'
import { BrunoMemoryError } from '../../errors.js'
import type { SqlStoreContext } from './context.js'
import { storedVectors } from './embedding-reuse.js'
import type { SqlRunner } from './engine.js'
import { MAX_EMBEDDED, type OpenSpace } from './vectors.js'

/** What a message's vector is made of: who speaks matters to who is asked about. */
export const embeddedText = ({ name, content }: { readonly name: string | null; readonly content: string }): string =>
  (name ? `${name}: ${content}` : content).slice(0, MAX_EMBEDDED)

export const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A text that needs a vector. */
export interface ToMake {
  readonly tenantId: string
  readonly text: string
  readonly hash: Buffer
}

/** By their texts: a batch sends each once. */
function byText<T extends ToMake>(work: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const each of work) {
    const group = groups.get(each.text)
    if (group) group.push(each)
    else groups.set(each.text, [each])
  }
  return groups
}

export type Made<T> = T & { readonly vector: Float32Array }
export type Tried<T> = T & { readonly vector: Float32Array | BrunoMemoryError }

/** Makes vectors of texts, outside of any transaction. */
export class VectorMaker {
  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    readonly embedder: Embedder,
  ) {}

  /** The space, recorded now where the model did not answer when the store was opened. */
  async space(): Promise<OpenSpace> {
    const { vectors } = this.store
    if (vectors.space) return vectors.space
    const [vector] = await this.embedder.embedDocuments(['dimensions'])
    return vectors.ready(this.store, this.runner, vector?.length ?? 0)
  }

  /** What was embedded before in this store has its vector already. */
  async known<T extends ToMake>(space: OpenSpace, work: readonly T[]): Promise<{ known: Made<T>[]; rest: T[] }> {
    const vectors = await storedVectors(this.store, this.runner, space, work)
    const known = work.flatMap((each, i) => (vectors[i] ? [{ ...each, vector: vectors[i] }] : []))
    return { known, rest: work.filter((_, i) => !vectors[i]) }
  }

  /** By the model; a text that it refuses has its error in the vector's place. */
  async make<T extends ToMake>(work: readonly T[]): Promise<Tried<T>[]> {
    const groups = byText(work)
    const made = await this.#embed([...groups.keys()])
    return made.flatMap(([text, vector]) => (groups.get(text) ?? []).map((each) => ({ ...each, vector })))
  }

  /** The batch at once; where it is refused, one by one, so that a text that the model cannot take stops no other. */
  async #embed(texts: readonly string[]): Promise<[string, Float32Array | BrunoMemoryError][]> {
    if (texts.length === 0) return []
    try {
      const vectors = await this.embedder.embedDocuments(texts)
      return texts.map((text, i) => [text, vectors[i] as Float32Array])
    } catch (error) {
      if (!(error instanceof BrunoMemoryError) || error.retryable) throw error
      if (texts.length === 1) return texts.map((text) => [text, error])
    }
    const made: [string, Float32Array | BrunoMemoryError][] = []
    for (const text of texts) made.push(...(await this.#embed([text])))
    return made
  }
}

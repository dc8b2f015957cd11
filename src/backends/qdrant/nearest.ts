import type { DistanceMetric } from '../../contract/embedder.js'
import { StorageError } from '../../errors.js'
import type { NearestQuery, NearPoint } from '../vector/store.js'
import type { QdrantClient } from './client.js'
import { pathOf } from './collection.js'
import { filterOf } from './filters.js'
import { IDENTITY, toIdentity, toPoint } from './payload.js'
import type { Place } from './place.js'
import { vectorText } from './text.js'

/** Questions of one request. */
const BATCH = 64
/** How many more are looked at by the small copies of the vectors than are ranked by the whole ones. */
const OVERSAMPLING = 3

interface Scored {
  readonly points?: readonly { readonly id: unknown; readonly score: unknown; readonly payload?: unknown }[]
}

interface Waiting {
  readonly text: string
  resolve(answer: Scored | undefined): void
  reject(error: unknown): void
}

/** Questions that are asked in one turn of the event loop go to the server in one request. */
export class NearestQueue {
  readonly #waiting = new Map<string, Waiting[]>()
  constructor(
    readonly client: QdrantClient,
    readonly accept: readonly number[],
  ) {}

  ask(collection: string, text: string): Promise<Scored | undefined> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(collection) ?? []
      if (waiting.push({ text, resolve, reject }) === 1) {
        this.#waiting.set(collection, waiting)
        setImmediate(() => this.#send(collection))
      }
    })
  }

  #send(collection: string): void {
    const waiting = this.#waiting.get(collection) ?? []
    this.#waiting.delete(collection)
    for (let at = 0; at < waiting.length; at += BATCH) void this.#together(collection, waiting.slice(at, at + BATCH))
  }

  async #together(collection: string, asked: readonly Waiting[]): Promise<void> {
    try {
      const answers = await this.#request(collection, asked)
      for (const [i, { resolve }] of asked.entries()) resolve(answers?.[i])
    } catch (error) {
      // One question that is refused must not be everybody's.
      if (asked.length > 1 && error instanceof StorageError && !error.retryable)
        for (const each of asked) void this.#together(collection, [each])
      else for (const { reject } of asked) reject(error)
    }
  }

  async #request(collection: string, asked: readonly Waiting[]): Promise<readonly Scored[] | undefined> {
    const path = `${pathOf(collection)}/points/query`
    const { accept } = this
    const [first] = asked
    if (asked.length === 1 && first) {
      const answer = await this.client.call<Scored>({ method: 'POST', path, body: first.text, accept })
      return answer && [answer]
    }
    const body = `{"searches":[${asked.map(({ text }) => text).join(',')}]}`
    const answers = await this.client.call<readonly Scored[]>({ method: 'POST', path: `${path}/batch`, body, accept })
    if (answers && answers.length !== asked.length)
      throw new StorageError('Qdrant answered another number of questions than it was asked')
    return answers
  }
}

export interface NearestSettings {
  readonly metric: DistanceMetric
  readonly efSearch: number | undefined
  readonly quantized: boolean
}

function distance(metric: DistanceMetric, score: unknown): number {
  if (typeof score !== 'number') throw new StorageError('Qdrant answered a score that is no number')
  if (metric === 'euclidean') return score
  return metric === 'cosine' ? 1 - score : -score
}

/** The points nearest to a question. Those found by small copies of the vectors are ranked again by the whole ones. */
export async function nearestPoints(
  place: Place,
  { metric, efSearch, quantized }: NearestSettings,
  { kind, where, vector, limit, exact, identity = false }: NearestQuery,
): Promise<NearPoint[]> {
  const params = {
    exact,
    ...(efSearch !== undefined && { hnsw_ef: efSearch }),
    ...(quantized && { quantization: { ignore: exact, rescore: true, oversampling: OVERSAMPLING } }),
  }
  // A point without a vector is not found anyway.
  const asked = where.filter((condition) => !('embedded' in condition))
  const filter = filterOf(place.tenantId, kind, asked)
  const rest = { ...place.shard, filter, limit, params, with_payload: identity ? IDENTITY : true }
  const text = `{"query":${vectorText(vector)},${JSON.stringify(rest).slice(1)}`
  const { points = [] } = (await place.queue.ask(place.collection, text)) ?? {}
  const read = identity ? toIdentity : toPoint
  return points.map(({ id, score, payload }) => ({ point: read(id, payload), distance: distance(metric, score) }))
}

import type { QdrantClient } from './client.js'
import { pathOf } from './collection.js'
import type { NearestQueue } from './nearest.js'

/** Where one tenant's points are. */
export interface Place {
  readonly client: QdrantClient
  readonly queue: NearestQueue
  readonly tenantId: string
  readonly collection: string
  /** Fields of every request's body that choose the shard. */
  readonly shard: { readonly shard_key?: string | readonly string[] }
  /** Query parameters of writes, and of those whose effect is looked at next: they wait for it, whatever the option says. */
  readonly writes: string
  readonly seenWrites: string
  /** Makes the tenant's own collection, where each has one. */
  readonly prepare: () => Promise<void>
  /** Its collection is not there any more: the next `prepare` looks, and makes it again. */
  readonly lost: () => void
  /** A tenant without a collection has no points. */
  readonly accept: readonly number[]
}

/** A read of points; undefined where there is no collection yet. */
export const ask = <T>(
  { client, collection, shard, accept }: Place,
  path: string,
  body: object,
): Promise<T | undefined> =>
  client.call<T>({ method: 'POST', path: `${pathOf(collection)}/points${path}`, body: { ...shard, ...body }, accept })

import type { SearchKind } from '../../model/records.js'
import type { PointWrite } from './store.js'

/** A point as an engine has it, unchecked but for its key. */
export interface StoredPoint {
  readonly key: string
  readonly tenantId: unknown
  readonly id: unknown
  /** The conversation of a message, the namespace of a document. */
  readonly scope: unknown
  readonly user: unknown
  readonly content: unknown
  readonly rest: unknown
  readonly hash: unknown
  readonly vector: ArrayLike<number> | null
}

export interface PointPage {
  /** In the order of their keys. */
  readonly points: readonly StoredPoint[]
  /** The last key that was looked at, whose point may have gone; null where nothing is behind it. */
  readonly last: string | null
}

/** Reads points of one place behind a key, in the order of their keys. */
export type PointReader = (after: string | null, limit: number) => Promise<PointPage>

/** Where points of one kind are: a collection, or what a tenant has in it. */
export interface PointPlace {
  /** Its own among those of its store, and always the same. */
  readonly name: string
  count(): Promise<number>
  /** What every write of a point draws anew, of all points, in pages and in no order. */
  revisions(): AsyncIterable<readonly unknown[]>
  open(): Promise<PointReader>
}

/** What says whether a collection holds records or an index of them. */
export interface Sample {
  readonly kind: unknown
  readonly rest: unknown
}

export interface TenantWrite {
  readonly tenantId: string
  readonly write: PointWrite
}

/** What a transfer asks of an engine that keeps points. */
export interface TransferEngine {
  /** Host, port and collection, or the folder; no secret. */
  readonly place: string
  /** Points of one request at most. */
  readonly most: number
  /** Makes no collection. */
  places(kind: SearchKind, tenantId: string | undefined): Promise<readonly PointPlace[]>
  /** Any point; null where there is none. */
  sample(): Promise<Sample | null>
  /** Writes points of many tenants where nothing is, and answers the keys under which something was. No key comes twice. */
  put(kind: SearchKind, writes: readonly TenantWrite[]): Promise<ReadonlySet<string>>
}

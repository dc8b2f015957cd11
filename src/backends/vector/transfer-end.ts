import type { Embedder, EmbeddingSpace } from '../../contract/embedder.js'
import type { TransferScope, TransferSide } from '../../contract/transfer.js'
import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import type { VectorScope } from './store.js'
import type { TransferEngine } from './transfer-engine.js'

/** A store of points that is read. */
export interface ReadEnd {
  /** The backend's name. */
  readonly name: string
  readonly engine: TransferEngine
  readonly space: EmbeddingSpace
}

/** A store of points that is written to. */
export interface VectorEnd extends ReadEnd {
  readonly embedder: Embedder | null
  points(tenantId: string): VectorScope
}

/** Of what is asked for, the kinds that are kept here, in their order. */
export const kindsOf = ({ kinds }: TransferScope): SearchKind[] => SEARCH_KINDS.filter((kind) => kinds.includes(kind))

export const sideOf = ({ name, engine, space }: ReadEnd): TransferSide => ({
  backend: name,
  place: engine.place,
  schema: null,
  kinds: SEARCH_KINDS,
  positions: 'clock',
  space,
  // See `unitVector`: what came in is made that before it is written.
  ...(space.metric === 'cosine' && { vectors: 'unit' }),
})

export async function countOf({ engine }: ReadEnd, scope: TransferScope): Promise<number> {
  let count = 0
  for (const kind of kindsOf(scope))
    for (const place of await engine.places(kind, scope.tenantId)) count += await place.count()
  return count
}

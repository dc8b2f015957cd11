import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { Carried, CarriedVector } from '../../contract/transfer.js'
import { checkVector } from '../../embeddings/vector.js'
import { ConfigurationError, StorageError, ValidationError } from '../../errors.js'
import type { RecordOf } from '../../model/fields.js'
import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import { decodeStored } from '../../repository/stored-record.js'
import { type Embedded, indexed } from './embedding.js'
import { keyOf, OWN, scopeOf } from './point.js'
import { seqOf } from './semantic.js'
import type { Sample, StoredPoint } from './transfer-engine.js'

/** A record on its way of a kind that stores of points keep. */
export type CarriedPoint = Extract<Carried, { kind: SearchKind }>

const isCarriedPoint = (carried: Carried): carried is CarriedPoint =>
  (SEARCH_KINDS as readonly string[]).includes(carried.kind)

const followed = (): ConfigurationError =>
  new ConfigurationError(
    'this collection is the index of another memory and holds no records: transfer from and to that memory, or name another collection with the option collectionName',
  )

/** Whether a point's text is what a store keeps that follows a primary. */
function isIndex(rest: unknown): boolean {
  try {
    seqOf(String(rest))
    return true
  } catch {
    return false
  }
}

/** @throws ConfigurationError where the point is of an index: its records are elsewhere. */
export function checkRecords(sample: Sample | null): void {
  if (!sample) return
  const { kind, rest } = sample
  if (!SEARCH_KINDS.includes(kind as SearchKind) || isIndex(rest)) throw followed()
}

function recordOf<K extends SearchKind>(kind: K, { tenantId, content, rest }: StoredPoint): RecordOf[K] | null {
  if (typeof tenantId !== 'string' || typeof content !== 'string' || typeof rest !== 'string') return null
  try {
    return decodeStored(kind, rest, { tenantId, content })
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    if (isIndex(rest)) throw followed()
    return null
  }
}

const SCOPES = { message: 'conversationId', memory: null, document: 'namespace' } as const

/** As much as is known of what cannot be read: its key. */
function keyOnly(kind: SearchKind, { key, tenantId, id, scope }: StoredPoint): object {
  const name = SCOPES[kind]
  return { tenantId: String(tenantId), ...(name && { [name]: String(scope) }), id: typeof id === 'string' ? id : key }
}

function vectorOf({ hash, vector }: StoredPoint): CarriedVector | null {
  // Without a hash the engine's vector, if there is one, is nobody's.
  if (typeof hash !== 'string' || vector === null) return null
  return { vector: Float32Array.from(vector), hash: hash === OWN ? new Uint8Array() : Buffer.from(hash, 'hex') }
}

/** A point as it is carried. */
export function carriedOf(kind: SearchKind, dimensions: number, stored: StoredPoint): CarriedPoint {
  const record = recordOf(kind, stored)
  const vector = vectorOf(stored)
  const { user } = stored
  const holder = kind === 'message' && typeof user === 'string' ? { holder: user } : {}
  const fault = !record
    ? `record: what is stored is no ${kind}`
    : vector && vector.vector.length !== dimensions
      ? `vector: must have ${dimensions} numbers`
      : null
  const whole = { kind, record: record ?? keyOnly(kind, stored), vector, ...holder, ...(fault && { fault }) }
  return whole as CarriedPoint
}

/** What of a record is embedded: a draft's text will change, and blank ones have no words. */
export function textOf({ kind, record }: CarriedPoint): string | null {
  if (kind === 'message' && record.status === 'draft') return null
  return record.content.trim() === '' ? null : record.content
}

/** A record that this store takes. */
export interface Taken {
  readonly carried: CarriedPoint
  readonly key: string
  /** Its vector as the index has it; null where it is still to be made. */
  readonly embedded: Embedded | null
}

/** A vector that came with its record, as the index has it. */
function fitted(space: EmbeddingSpace, { vector, hash }: CarriedVector): Embedded {
  const checked = checkVector(vector, 'vector', space.dimensions)
  return { vector: indexed({ space }, checked), hash: hash.length === 0 ? OWN : Buffer.from(hash).toString('hex') }
}

/** A record as this store takes it, or why it does not. */
export function takenOf(carried: Carried, space: EmbeddingSpace, embeds: boolean): Taken | string {
  if (carried.fault !== undefined) return carried.fault
  if (!isCarriedPoint(carried)) return 'kind: is not kept by this store'
  const { kind, record, vector } = carried
  const key = keyOf(record.tenantId, kind, scopeOf(kind, record), record.id)
  if (vector === null) {
    if (textOf(carried) === null) return { carried, key, embedded: { vector: null, hash: null } }
    return embeds ? { carried, key, embedded: null } : 'vector: is missing and the store has no embeddingFunction'
  }
  try {
    return { carried, key, embedded: fitted(space, vector) }
  } catch (error) {
    if (error instanceof ValidationError) return error.message
    throw error
  }
}

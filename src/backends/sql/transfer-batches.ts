import type { BatchLimits, Carried, CarriedVector, TransferBatch } from '../../contract/transfer.js'
import { decodeVector } from '../../embeddings/vector.js'
import type { RecordKind } from '../../model/records.js'
import type { Layout } from './transfer-layout.js'
import { carriedRow, faultOf } from './transfer-row.js'

/** How rows of a table are read. */
export interface Reading {
  readonly layout: Layout
  /** The text up to WHERE. */
  readonly select: string
  readonly kinds: readonly string[]
  readonly order: readonly string[]
  readonly columns: number
  readonly values: readonly unknown[]
}

/** About so many bytes, without looking at each letter. */
function sizeOf(row: readonly unknown[]): number {
  let size = 0
  for (const value of row)
    size += typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.length : 8
  return size
}

export function* batches(
  reading: Reading,
  rows: readonly unknown[][],
  mended: ReadonlyMap<unknown[], string>,
  limits: BatchLimits,
): Generator<TransferBatch> {
  let records: Carried[] = []
  let bytes = 0
  for (const [i, values] of rows.entries()) {
    records.push(carried(reading, values, mended.get(values) ?? null))
    bytes += sizeOf(values)
    if (bytes < limits.bytes && i + 1 < rows.length) continue
    yield { records, bytes, cursor: cursorOf(reading, values) }
    records = []
    bytes = 0
  }
}

const cursorOf = ({ layout, order }: Reading, values: readonly unknown[]): string =>
  JSON.stringify(order.map((column) => values[layout.cells.findIndex((cell) => cell.column === column)]))

export function carried({ layout, columns }: Reading, values: readonly unknown[], mended: string | null): Carried {
  const row = values.slice(0, columns)
  const [vector, hash, holder] = values.slice(columns) as [Uint8Array | null, Uint8Array | null, string | null]
  let fault = mended ?? faultOf(layout, row)
  let kept: CarriedVector | null = null
  try {
    if (vector) kept = { vector: decodeVector(vector), hash: hash ?? new Uint8Array() }
  } catch {
    fault ??= 'vector: cannot be read'
  }
  return carriedRow(layout.kind as RecordKind, row, { vector: kept, holder: holder ?? undefined, fault })
}

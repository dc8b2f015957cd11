import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { ChangedKey } from '../../contract/online.js'
import type {
  Carried,
  ReadOptions,
  TransferBatch,
  TransferRange,
  TransferScope,
  TransferSide,
  TransferSource,
} from '../../contract/transfer.js'
import { StorageError } from '../../errors.js'
import type { RecordKind } from '../../model/records.js'
import { batches, carried, type Reading } from './transfer-batches.js'
import { withParents } from './transfer-find.js'
import { LAYOUTS, type Layout, OPERATIONS, SCOPE } from './transfer-layout.js'

/** What differs between the engines when tables are read as they are. */
export interface TableReader {
  /** The columns that a table has: an older schema has fewer. */
  columns(table: string): Promise<ReadonlySet<string>>
  /** Rows of values as a transfer moves them; `kinds` says of what kind each column is. */
  rows(text: string, values: readonly unknown[], kinds: readonly string[]): Promise<unknown[][]>
  /** The bytes of a text as they are stored, where reading it mends what is not well-formed. */
  bytes?(table: string, column: string, key: Readonly<Record<string, unknown>>): Promise<Buffer | null>
  /** How a value is named in a statement, counted from 1. */
  placeholder(n: number): string
  /** Whether rows stand in the order of `seq`: they are read fastest so. */
  readonly bySeq: boolean
  /** Has the work see one state of the store. */
  snapshot<T>(work: () => Promise<T>): Promise<T>
  /** The store-wide counter of writes. */
  revision(): Promise<number>
  close(): Promise<void>
}

export interface SqlSourceParts {
  readonly reader: TableReader
  readonly side: Omit<TransferSide, 'space' | 'tables' | 'kinds' | 'positions'>
  readonly space: (EmbeddingSpace & { readonly id: string }) | null
  readonly tables: string
}

const KINDS = Object.keys(LAYOUTS) as RecordKind[]
/** What the tables hold beside the record and is not read where an older schema lacks it. */
const name = (table: string, column: string): string => `${table}."${column}"`

/** Reads the tables of an SQL store, of this schema or an older one, by their keys. */
export class SqlSource implements TransferSource {
  constructor(readonly parts: SqlSourceParts) {}

  async describe(): Promise<TransferSide> {
    const { side, space, tables } = this.parts
    return { ...side, kinds: KINDS, positions: 'counter', tables, space: space && describedSpace(space) }
  }

  async fingerprint({ kinds, tenantId }: TransferScope): Promise<string> {
    const { reader } = this.parts
    const counts = []
    for (const kind of kinds) counts.push(`${kind} ${await this.#count(LAYOUTS[kind], tenantId)}`)
    return `revision ${await reader.revision()}; ${counts.join(', ')}`
  }

  async #count({ table }: Layout, tenantId: string | undefined): Promise<number> {
    const { reader } = this.parts
    const where = tenantId === undefined ? '' : ` where tenant_id = ${reader.placeholder(1)}`
    const values = tenantId === undefined ? [] : [tenantId]
    return Number((await reader.rows(`select count(*) from ${table}${where}`, values, ['integer']))[0]?.[0] ?? 0)
  }

  #order(layout: Layout, tenantId: string | undefined): readonly string[] {
    // Another tenant's rows would be read for nothing.
    if (this.parts.reader.bySeq && tenantId === undefined && layout.at('seq') >= 0) return ['seq']
    return layout.key.map((at) => layout.cells[at]?.column ?? '')
  }

  async ranges({ kinds, tenantId }: TransferScope, records: number): Promise<readonly TransferRange[]> {
    const ranges: TransferRange[] = []
    for (const kind of kinds) {
      const total = await this.#count(LAYOUTS[kind], tenantId)
      if (total === 0) continue
      const ends = total > records ? await this.#endsOf(LAYOUTS[kind], { tenantId, records, total }) : []
      const bounds = [null, ...ends, null]
      for (let i = 0; i + 1 < bounds.length; i++) {
        const left = total - i * records
        ranges.push({ kind, from: bounds[i] ?? null, to: bounds[i + 1] ?? null, records: Math.min(records, left) })
      }
    }
    return ranges
  }

  /** The same by arithmetic, where rows are numbered without a gap. */
  async #endsOf(
    layout: Layout,
    {
      tenantId,
      records,
      total,
    }: { readonly tenantId: string | undefined; readonly records: number; readonly total: number },
  ): Promise<string[]> {
    const order = this.#order(layout, tenantId)
    if (order.length > 1 || order[0] !== 'seq') return this.#ends(layout, tenantId, records)
    const text = `select min(seq), max(seq) from ${layout.table}`
    const [bounds = []] = await this.parts.reader.rows(text, [], ['integer', 'integer'])
    const [first, last] = bounds.map(Number) as [number, number]
    if (last - first + 1 !== total) return this.#ends(layout, tenantId, records)
    return Array.from({ length: Math.ceil(total / records) - 1 }, (_, i) =>
      JSON.stringify([first + (i + 1) * records - 1]),
    )
  }

  /** The keys that end each part but the last. */
  async #ends(layout: Layout, tenantId: string | undefined, records: number): Promise<string[]> {
    const { reader } = this.parts
    const order = this.#order(layout, tenantId)
      .map((column) => `"${column}"`)
      .join(', ')
    const where = tenantId === undefined ? '' : ` where tenant_id = ${reader.placeholder(1)}`
    const text = `select ${order}, n, total from (select ${order}, row_number() over (order by ${order}) as n, count(*) over () as total
      from ${layout.table}${where}) as numbered where n % ${records} = 0 and n < total order by n`
    const kinds = this.#order(layout, tenantId).map((column) => (column === 'seq' ? 'integer' : 'key'))
    const rows = await reader.rows(text, tenantId === undefined ? [] : [tenantId], [...kinds, 'integer', 'integer'])
    return rows.map((row) => JSON.stringify(row.slice(0, kinds.length)))
  }

  async *read(range: TransferRange, options: ReadOptions): AsyncGenerator<TransferBatch> {
    const reading = await this.#reading(LAYOUTS[range.kind], options)
    let after = options.after ?? range.from
    for (;;) {
      const rows = await this.#page(reading, after, range.to, options)
      const mended = await this.#mended(reading.layout, rows)
      for (const batch of batches(reading, rows, mended, options.limits)) {
        after = batch.cursor
        yield batch
      }
      if (rows.length < options.limits.records) return
    }
  }

  /** Rows of which something was read that is not stored so: U+FFFD stands for bytes that are no text. */
  async #mended(layout: Layout, rows: readonly unknown[][]): Promise<ReadonlyMap<unknown[], string>> {
    const found = new Map<unknown[], string>()
    const { reader } = this.parts
    if (!reader.bytes) return found
    for (const row of rows)
      for (const [i, { key, column }] of layout.cells.entries()) {
        const value = row[i]
        if (typeof value !== 'string' || !value.includes('\ufffd') || found.has(row)) continue
        const names = layout.at('seq') >= 0 ? [layout.at('seq')] : layout.key
        const where = Object.fromEntries(names.map((at) => [layout.cells[at]?.column ?? '', row[at]]))
        const stored = await reader.bytes(layout.table, column, where)
        if (!stored?.equals(Buffer.from(value))) found.set(row, `${key}: must be well-formed Unicode`)
      }
    return found
  }

  async #page(reading: Reading, after: string | null, to: string | null, options: ReadOptions): Promise<unknown[][]> {
    const { reader } = this.parts
    const values: unknown[] = [...reading.values]
    const bound = (value: unknown): string => {
      values.push(value)
      return reader.placeholder(values.length)
    }
    const order = reading.order.map((column) => name('t', column)).join(', ')
    const row = (cursor: string): string => (JSON.parse(cursor) as unknown[]).map(bound).join(', ')
    const conditions = [
      ...(options.tenantId === undefined ? [] : [`t.tenant_id = ${bound(options.tenantId)}`]),
      ...(after === null ? [] : [`(${order}) > (${row(after)})`]),
      ...(to === null ? [] : [`(${order}) <= (${row(to)})`]),
    ]
    const where = conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''
    const text = `${reading.select}${where} order by ${order} limit ${options.limits.records}`
    return reader.rows(text, values, reading.kinds)
  }

  async #reading(layout: Layout, { tenantId, holders }: ReadOptions): Promise<Reading> {
    const { reader, space } = this.parts
    const there = await reader.columns(layout.table)
    const cells = layout.cells.map(({ column, optional }) => {
      if (there.has(column)) return name('t', column)
      if (!optional)
        throw new StorageError(`the table ${layout.table} has no column ${column}: it is of no known schema`)
      return 'null'
    })
    const kinds: string[] = layout.cells.map(({ kind }) => kind)
    const values: unknown[] = []
    let joins = ''
    const scope = layout.kind === 'operation' ? undefined : SCOPE[layout.kind]
    if (scope !== undefined && space) {
      const at = layout.at(scope ?? '')
      const scoped = at < 0 ? `''` : name('t', layout.cells[at]?.column ?? '')
      values.push(space.id)
      joins += ` left join bruno_embeddings as e on e.tenant_id = t.tenant_id and e.space = ${reader.placeholder(1)}
        and e.kind = '${layout.kind}' and e.scope = ${scoped} and e.record_id = t.id`
      cells.push('e.vector', 'e.content_hash')
      kinds.push('bytes', 'bytes')
    } else {
      cells.push('null', 'null')
      kinds.push('text', 'text')
    }
    if (layout.kind === 'message' && holders) {
      joins += ' left join bruno_conversations as c on c.tenant_id = t.tenant_id and c.id = t.conversation_id'
      cells.push('c.user_id')
      kinds.push('key')
    }
    const select = `select ${cells.join(', ')} from ${layout.table} as t${joins}`
    return { layout, select, kinds, values, order: this.#order(layout, tenantId), columns: layout.cells.length }
  }

  /** Records by their keys, with the users and conversations that they name, all of one moment. */
  find(keys: readonly ChangedKey[]): Promise<readonly Carried[]> {
    const { reader } = this.parts
    return reader.snapshot(() => withParents(keys, (kind, some) => this.#found(kind, some)))
  }

  async #found(kind: RecordKind, keys: readonly (readonly string[])[]): Promise<Carried[]> {
    const reading = await this.#reading(LAYOUTS[kind], { after: null, limits: { records: 0, bytes: 0 }, holders: true })
    const rows = await this.#keyed(reading, keys)
    const mended = await this.#mended(reading.layout, rows)
    return rows.map((row) => carried(reading, row, mended.get(row) ?? null))
  }

  /** Rows of operations by their keys. */
  async operations(keys: readonly (readonly string[])[]): Promise<unknown[][]> {
    const reading = await this.#reading(OPERATIONS, { after: null, limits: { records: 0, bytes: 0 } })
    return (await this.#keyed(reading, keys)).map((row) => row.slice(0, reading.columns))
  }

  async #keyed({ layout, ...reading }: Reading, keys: readonly (readonly string[])[]): Promise<unknown[][]> {
    if (keys.length === 0) return []
    const { reader } = this.parts
    const values = [...reading.values]
    const bound = (value: string): string => {
      values.push(value)
      return reader.placeholder(values.length)
    }
    const columns = layout.key.map((at) => name('t', layout.cells[at]?.column ?? '')).join(', ')
    const named = keys.map((key) => `(${key.map(bound).join(', ')})`).join(', ')
    return reader.rows(`${reading.select} where (${columns}) in (values ${named})`, values, reading.kinds)
  }

  async close(): Promise<void> {
    await this.parts.reader.close()
  }
}

export const describedSpace = ({ provider, model, dimensions, metric }: EmbeddingSpace): EmbeddingSpace => ({
  provider,
  model,
  dimensions,
  metric,
})

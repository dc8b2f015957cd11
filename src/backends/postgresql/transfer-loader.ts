import type { Client } from 'pg'
import type { Kind } from '../../../schema/column.js'
import type { PostgresqlOptions } from '../../contract/options.js'
import { BrunoMemoryError, ConnectionError } from '../../errors.js'
import type { Layout } from '../sql/transfer-layout.js'
import type { Loaded, TableLoader } from '../sql/transfer-parts.js'
import { codeOf, isLost, translateError } from './errors.js'
import { loadVectors } from './transfer-bulk-vectors.js'
import { CopyingSession, connectCopying } from './transfer-client.js'
import { copyRows } from './transfer-copy.js'
import { restoreIndexes, stripIndexes } from './transfer-indexes.js'
import { Parents } from './transfer-parents.js'
import { removeRows, replaceRows } from './transfer-replace.js'

type Row = readonly unknown[]

const NAMES_NOBODY = 'names a user or conversation that is not there'

/** Data that the server does not take, or that a key of another table is missing for; not its own state. */
const REFUSED = /^(22|23|54|P0001)/

interface Shape {
  readonly table: string
  readonly columns: readonly string[]
  readonly kinds: readonly Kind[]
  readonly at: readonly number[]
}

function shapeOf(layout: Layout, without: readonly string[]): Shape {
  const cells = layout.cells.map((cell, at) => ({ ...cell, at })).filter(({ key }) => !without.includes(key))
  return {
    table: layout.table,
    columns: cells.map(({ column }) => column),
    kinds: cells.map(({ kind }) => kind),
    at: cells.map(({ at }) => at),
  }
}

const picked = ({ at }: Shape, row: Row): unknown[] => at.map((i) => row[i])

/** Some of the rows of a batch. */
interface Part {
  readonly from: number
  readonly to: number
  readonly bulk: boolean
  readonly results: Loaded[]
  readonly sent?: (() => void) | undefined
}

/** Adds rows by COPY: straight into empty tables, else by way of a table of its own. */
export class PostgresqlLoader implements TableLoader {
  #session: Promise<CopyingSession> | null = null
  #client: Client | null = null
  readonly #incoming = new Set<string>()
  readonly #parents = new Parents()

  constructor(readonly options: PostgresqlOptions) {}

  async #open(): Promise<CopyingSession> {
    if (!this.#session) {
      this.#session = connectCopying(this.options).then((client) => {
        this.#client = client
        this.#incoming.clear()
        return new CopyingSession(client)
      })
      this.#session.catch(() => {
        this.#session = null
      })
    }
    return this.#session
  }

  async write<T>(work: (session: CopyingSession) => Promise<T>): Promise<T> {
    const session = await this.#open()
    try {
      await session.query('begin')
      const result = await work(session)
      await session.query('commit')
      return result
    } catch (error) {
      const lost = isLost(error) || error instanceof ConnectionError
      if (lost || !(await this.#takenBack(session))) await this.close()
      throw translateError(error)
    }
  }

  async #takenBack(session: CopyingSession): Promise<boolean> {
    // What a transaction made for itself goes with it.
    this.#incoming.clear()
    this.#parents.forget()
    return session.query('rollback').then(
      () => true,
      () => false,
    )
  }

  readonly tells = true

  async load(
    session: CopyingSession,
    layout: Layout,
    rows: readonly Row[],
    bulk: boolean,
    sent?: () => void,
  ): Promise<Loaded[]> {
    const results = new Array<Loaded>(rows.length)
    if (!bulk) {
      await this.#some(session, layout, rows, { from: 0, to: rows.length, bulk, results, sent })
      return results
    }
    // A crash of the server takes the last batches back together with their checkpoints; the end of the load is waited for.
    await session.query('set local synchronous_commit = off')
    const orphans = await this.#parents.missing(session, layout, rows)
    if (orphans.size === 0) {
      await this.#some(session, layout, rows, { from: 0, to: rows.length, bulk, results, sent })
      return results
    }
    const named = rows.filter((_, i) => !orphans.has(i))
    const loaded = new Array<Loaded>(named.length)
    await this.#some(session, layout, named, { from: 0, to: named.length, bulk, results: loaded, sent })
    let at = 0
    return rows.map((_, i) => (orphans.has(i) ? { reason: NAMES_NOBODY } : (loaded[at++] as Loaded)))
  }

  /** Halves what the server refuses until it is known which row it is. */
  async #some(session: CopyingSession, layout: Layout, rows: readonly Row[], part: Part): Promise<void> {
    const { from, to, bulk, results, sent } = part
    if (from >= to) return
    await session.query('savepoint batch')
    try {
      const some = rows.slice(from, to)
      const loaded = bulk
        ? await this.#bulk(session, layout, some, sent)
        : await this.#merge(session, layout, some, sent)
      loaded.forEach((result, i) => {
        results[from + i] = result
      })
      await session.query('release savepoint batch')
    } catch (error) {
      const code = refusalOf(error)
      if (code === null) throw error
      this.#incoming.delete(layout.table)
      await session.query('rollback to savepoint batch')
      if (to - from === 1) {
        results[from] = { reason: reasonOf(code) }
        return
      }
      const middle = (from + to) >> 1
      await this.#some(session, layout, rows, { ...part, to: middle })
      await this.#some(session, layout, rows, { ...part, from: middle })
    }
  }

  async #bulk(session: CopyingSession, layout: Layout, rows: readonly Row[], sent?: () => void): Promise<Loaded[]> {
    const shape = shapeOf(layout, [])
    await copyRows(
      session,
      shape,
      // All columns in their order: the rows as they are.
      rows,
      sent,
    )
    return rows.map(() => 'new')
  }

  async #merge(session: CopyingSession, layout: Layout, rows: readonly Row[], sent?: () => void): Promise<Loaded[]> {
    const { incoming, columns: names } = await this.#staged(session, layout, rows, sent)
    const columns = names.map((name) => `"${name}"`).join(', ')
    const same = layout.key
      .map((at) => `"${layout.cells[at]?.column}"`)
      .map((name) => `t.${name} = i.${name}`)
      .join(' and ')
    const { rows: there } = await session.query(
      `select ord from ${incoming} as i where exists (select 1 from ${layout.table} as t where ${same})`,
    )
    await session.query(
      `insert into ${layout.table} (${columns}, revision) select ${columns}, nextval('bruno_revision') from ${incoming} order by ord on conflict do nothing`,
    )
    const { rows: missing } = await session.query(
      `select ord from ${incoming} as i where not exists (select 1 from ${layout.table} as t where ${same})`,
    )
    const results = new Array<Loaded>(rows.length).fill('new')
    for (const [ord] of there) results[Number(ord)] = 'present'
    for (const [ord] of missing)
      results[Number(ord)] = { reason: 'position: is taken by another message of the conversation' }
    return results
  }

  /** Puts rows into a table of their own. */
  async #staged(session: CopyingSession, layout: Layout, rows: readonly Row[], sent?: () => void) {
    const shape = shapeOf(layout, ['seq', 'revision'])
    const columns = shape.columns.map((name) => `"${name}"`).join(', ')
    const incoming = `incoming_${layout.table}`
    if (!this.#incoming.has(layout.table)) {
      await session.query(
        `create temp table if not exists ${incoming} on commit delete rows as select 0 as ord, ${columns} from ${layout.table} with no data`,
      )
      this.#incoming.add(layout.table)
    }
    await session.query(`delete from ${incoming}`)
    const into: Shape = {
      ...shape,
      table: incoming,
      columns: ['ord', ...shape.columns],
      kinds: ['integer', ...shape.kinds],
    }
    await copyRows(
      session,
      into,
      rows.map((row, i) => [i, ...picked(shape, row)]),
      sent,
    )
    return { incoming, columns: shape.columns }
  }

  async replace(session: CopyingSession, layout: Layout, rows: readonly Row[]): Promise<void> {
    await replaceRows(session, layout, await this.#staged(session, layout, rows))
  }

  remove = removeRows

  async unfence(session: CopyingSession): Promise<() => Promise<void>> {
    await session.query(`set local bruno.transfer = 'on'`)
    return async () => undefined
  }

  loadVectors = loadVectors

  async lockJobs(session: CopyingSession): Promise<void> {
    await session.query('lock table bruno_transfers in exclusive mode')
  }

  strip = stripIndexes
  restore = restoreIndexes

  async settle(session: CopyingSession): Promise<void> {
    const tables = ['users', 'conversations', 'messages', 'sessions', 'memories', 'documents']
    const newest = tables.map((name) => `(select max(revision) from bruno_${name})`).join(', ')
    await session.query(`select setval('bruno_revision', greatest((select last_value from bruno_revision), ${newest}))`)
    for (const name of ['messages', 'memories', 'documents', 'embeddings'])
      await session.query(
        `select setval(pg_get_serial_sequence('bruno_${name}', 'seq'), greatest((select max(seq) from bruno_${name}), 1))`,
      )
    for (const name of [...tables, 'embeddings']) await session.query(`analyze bruno_${name}`)
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = null
    this.#session = null
    await client?.end().catch(() => undefined)
  }
}

/** The code of a refusal; null for any other error. */
function refusalOf(error: unknown): string | null {
  const code = codeOf(error instanceof BrunoMemoryError ? error.cause : error)
  return REFUSED.test(code) ? code : null
}

const reasonOf = (code: string): string => (code === '23503' ? NAMES_NOBODY : `was refused by the database (${code})`)

import type Database from 'better-sqlite3'
import { type SearchedTable, TABLE_OF } from '../sql/engine.js'
import type { Layout } from '../sql/transfer-layout.js'
import type { Loaded, TableLoader } from '../sql/transfer-target.js'
import { translateError } from './errors.js'
import { indexOf } from './fts.js'
import type { WriteGate } from './gate.js'
import type { SqliteSession } from './session.js'

type Prepared = Database.Statement<unknown[], unknown>

interface Statements {
  readonly insert: Prepared
  readonly exists: Prepared
  /** The places of the values that are bound, in their order; the revision comes last. */
  readonly bound: readonly number[]
}

const quoted = (column: string): string => `"${column}"`

function statementsOf(client: Database.Database, layout: Layout): Statements {
  const cells = layout.cells.map((cell, at) => ({ ...cell, at }))
  const bound = cells.filter(({ key }) => key !== 'seq' && key !== 'revision')
  const columns = [...bound.map(({ column }) => quoted(column)), 'revision'].join(', ')
  const keys = layout.key.map((at) => `${quoted(layout.cells[at]?.column ?? '')} = ?`).join(' and ')
  return {
    insert: client.prepare(
      `insert into ${layout.table} (${columns}) values (${'?, '.repeat(bound.length)}?) on conflict do nothing`,
    ),
    exists: client.prepare(`select 1 from ${layout.table} where ${keys}`),
    bound: bound.map(({ at }) => at),
  }
}

/** Adds rows to the tables of a file, as verbs do, and as they are. */
export function sqliteLoader(gate: WriteGate): TableLoader {
  const known = new Map<string, Statements>()
  const of = (client: Database.Database, layout: Layout): Statements => {
    const made = known.get(layout.table) ?? statementsOf(client, layout)
    known.set(layout.table, made)
    return made
  }
  return {
    write: (work) => gate.submit('verb', work),
    async load(given, layout, rows) {
      const session = given as SqliteSession
      const statements = of(session.client, layout)
      const revision = session.draw()
      const seqs: number[] = []
      const loaded = rows.map((row) => loadRow(statements, layout, row, revision, seqs))
      const searched = searchedOf(layout)
      if (searched && seqs.length > 0) session.index(indexOf[searched], seqs[0] as number, seqs.at(-1) as number)
      return loaded
    },
    async settle(session) {
      const client = (session as SqliteSession).client
      const tables = ['users', 'conversations', 'messages', 'sessions', 'memories', 'documents']
      const newest = tables.map((name) => `coalesce((select max(revision) from bruno_${name}), 0)`).join(', ')
      client.exec(`update bruno_revision set value = max(value, ${newest})`)
    },
    close: async () => undefined,
  }
}

const searchedOf = ({ kind }: Layout): SearchedTable | null =>
  kind === 'message' || kind === 'memory' || kind === 'document' ? TABLE_OF[kind] : null

function loadRow(
  { insert, exists, bound }: Statements,
  layout: Layout,
  row: readonly unknown[],
  revision: number,
  seqs: number[],
): Loaded {
  try {
    const { changes, lastInsertRowid } = insert.run(...bound.map((at) => row[at] ?? null), revision)
    if (changes > 0) {
      seqs.push(Number(lastInsertRowid))
      return 'new'
    }
    if (exists.get(...layout.key.map((at) => row[at]))) return 'present'
    return { reason: 'position: is taken by another message of the conversation' }
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? '')
    if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') return { reason: 'names a user or conversation that is not there' }
    if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(code)) return { reason: `was refused by the table (${code})` }
    throw translateError(error)
  }
}

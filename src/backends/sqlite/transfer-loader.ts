import type Database from 'better-sqlite3'
import { type SearchedTable, TABLE_OF } from '../sql/engine.js'
import type { Layout } from '../sql/transfer-layout.js'
import type { Loaded, TableLoader } from '../sql/transfer-parts.js'
import { translateError } from './errors.js'
import { indexOf } from './fts.js'
import type { WriteGate } from './gate.js'
import type { SqliteSession } from './session.js'

type Prepared = Database.Statement<unknown[], unknown>

interface Statements {
  readonly insert: Prepared
  readonly exists: Prepared
  /** Rows that others name are changed where they stand; null for those that are made anew. */
  readonly replace: Prepared | null
  readonly remove: Prepared
  /** Removes the row that has the place of another one, where rows have places. */
  readonly displaced: Prepared | null
  readonly positioned: readonly number[]
  /** The places of the values that are bound, in their order; the revision comes last. */
  readonly bound: readonly number[]
}

const quoted = (column: string): string => `"${column}"`

function statementsOf(client: Database.Database, layout: Layout): Statements {
  const cells = layout.cells.map((cell, at) => ({ ...cell, at }))
  const bound = cells.filter(({ key }) => key !== 'seq' && key !== 'revision')
  const revised = layout.at('revision') < 0 ? [] : ['revision']
  const names = [...bound.map(({ column }) => quoted(column)), ...revised]
  const columns = names.join(', ')
  const key = layout.key.map((at) => quoted(layout.cells[at]?.column ?? ''))
  const found = layout.key.map((at) => `${quoted(layout.cells[at]?.column ?? '')} = ?`).join(' and ')
  const changed = names.filter((name) => !key.includes(name)).map((name) => `${name} = excluded.${name}`)
  const values = names.map(() => '?').join(', ')
  const hasPlace = layout.at('position') >= 0
  return {
    insert: client.prepare(`insert into ${layout.table} (${columns}) values (${values}) on conflict do nothing`),
    replace:
      layout.at('seq') >= 0
        ? null
        : client.prepare(
            `insert into ${layout.table} (${columns}) values (${values}) on conflict (${key.join(', ')}) do update set ${changed.join(', ')}`,
          ),
    remove: client.prepare(`delete from ${layout.table} where ${found}`),
    displaced: hasPlace
      ? client.prepare(`delete from ${layout.table} where tenant_id = ? and conversation_id = ? and position = ?`)
      : null,
    positioned: hasPlace ? ['tenantId', 'conversationId', 'position'].map((name) => layout.at(name)) : [],
    exists: client.prepare(`select 1 from ${layout.table} where ${found}`),
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
    async replace(given, layout, rows) {
      const session = given as SqliteSession
      const { replace, remove, displaced, insert, bound, positioned } = of(session.client, layout)
      const key = (row: readonly unknown[]) => layout.key.map((at) => row[at])
      const revision = layout.at('revision') < 0 ? [] : [session.draw()]
      const values = (row: readonly unknown[]) => [...bound.map((at) => row[at] ?? null), ...revision]
      try {
        if (replace) for (const row of rows) replace.run(...values(row))
        else {
          // All of them first: those that follow have rowids one behind the other.
          for (const row of rows) {
            remove.run(...key(row))
            displaced?.run(...positioned.map((at) => row[at]))
          }
          const seqs = rows.map((row) => Number(insert.run(...values(row)).lastInsertRowid))
          const searched = searchedOf(layout)
          if (searched && seqs.length > 0) session.index(indexOf[searched], seqs[0] as number, seqs.at(-1) as number)
        }
      } catch (error) {
        throw translateError(error)
      }
    },
    async remove(given, layout, keys) {
      const { remove } = of((given as SqliteSession).client, layout)
      for (const key of keys) remove.run(...key)
    },
    async unfence(session) {
      const { client } = session as SqliteSession
      const phase = (to: string, from: string) =>
        client
          .prepare(
            `update bruno_followers set settings = json_set(settings, '$.phase', ?) where name = 'transfer' and json_extract(settings, '$.phase') = ?`,
          )
          .run(to, from)
      // Nobody else sees it: it is set back before the transaction ends.
      phase('written', 'moved')
      return async () => {
        phase('moved', 'written')
      }
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

import type { CopyingSession } from './transfer-client.js'

const TABLES = ['users', 'conversations', 'messages', 'sessions', 'memories', 'documents', 'embeddings'].map(
  (name) => `bruno_${name}`,
)
/** What others name is looked for while loading. */
const KEPT = `('bruno_users', 'bruno_conversations')`
const AMONG = `('${TABLES.join("', '")}')`

/** Statements that make again what was taken away, in their order. */
interface Rebuild {
  readonly statements: readonly string[]
}

/**
 * Takes indexes, keys and triggers away from empty tables, in a transaction which nobody else can read them in
 * meanwhile. Answers what makes them again, to be kept in the same transaction; null where a table is not empty.
 */
export async function stripIndexes(session: CopyingSession): Promise<string | null> {
  await session.query(`set local lock_timeout = '10s'`)
  await session.query(`lock table ${TABLES.join(', ')} in access exclusive mode`)
  for (const table of TABLES) {
    const { rows } = await session.query(`select exists (select 1 from ${table})`)
    if (rows[0]?.[0] !== false) return null
  }
  const { rows: constraints } = await session.query(
    `select conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype from pg_constraint
     where ((conrelid::regclass::text in ${AMONG} and contype in ('p', 'u', 'f')) or (confrelid <> 0 and confrelid::regclass::text in ${AMONG}))
       and not (contype = 'p' and conrelid::regclass::text in ${KEPT})
     order by contype = 'f' desc, conname`,
  )
  const { rows: indexes } = await session.query(
    `select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index as i
     where i.indrelid::regclass::text in ${AMONG} and not exists (select 1 from pg_constraint as c where c.conindid = i.indexrelid and c.contype in ('p', 'u'))
     order by 1`,
  )
  const add = ([table, name, text]: readonly unknown[]): string =>
    `alter table ${table} add constraint "${name}" ${text}`
  const foreign = constraints.filter(([, , , type]) => type === 'f')
  const keys = constraints.filter(([, , , type]) => type !== 'f')
  for (const [table, name] of foreign) await session.query(`alter table ${table} drop constraint "${name}"`)
  for (const [name] of indexes) await session.query(`drop index ${name}`)
  for (const [table, name] of keys) await session.query(`alter table ${table} drop constraint "${name}"`)
  for (const table of TABLES) await session.query(`alter table ${table} disable trigger user`)
  const rebuild: Rebuild = {
    statements: [
      ...keys.map(add),
      ...indexes.map(([, text]) => String(text)),
      ...foreign.map(add),
      ...TABLES.map((table) => `alter table ${table} enable trigger user`),
    ],
  }
  return JSON.stringify(rebuild)
}

/** Makes again what `stripIndexes` took away. */
export async function restoreIndexes(session: CopyingSession, rebuild: string): Promise<void> {
  // An index is sorted in memory as far as it fits.
  await session.query(`set local maintenance_work_mem = '256MB'`)
  for (const statement of (JSON.parse(rebuild) as Rebuild).statements) await session.query(statement)
}

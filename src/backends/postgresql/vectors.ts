import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { DistanceMetric } from '../../contract/embedder.js'
import { decodeVector } from '../../embeddings/vector.js'
import { BrunoMemoryError } from '../../errors.js'
import { type NearestSearch, perEngine, type SqlEngine, type SqlRunner, type VectorEngine } from '../sql/engine.js'
import { list, value } from '../sql/statement.js'

const OPERATORS: { readonly [M in DistanceMetric]: string } = { cosine: '<=>', dot: '<#>', euclidean: '<->' }

/** Numbers as pgvector reads them. A float32 printed as a double is read back as the same float32. */
const encode = (vector: Float32Array): string => `[${vector.join(',')}]`

/** The embeddings with their vectors as pgvector compares them: the table keeps the bytes. */
const rows = sql`(select b.*, v.vector as compared from bruno_embeddings as b join bruno_vectors as v on v.tenant_id = b.tenant_id and v.seq = b.seq) as e`

const distance = (metric: DistanceMetric): SQL =>
  // Rows of another length would fail the whole search.
  sql`case when length(e.vector) = ${value('bytes')} then e.compared ${sql.raw(OPERATORS[metric])} ${value('vector')}::vector end`

const statements = perEngine((engine) => ({
  index: engine.command(
    () => sql`insert into bruno_vectors (tenant_id, seq, vector) values (${value('tenantId')}, ${value('seq')}, ${value('encoded')}::vector)
      on conflict (tenant_id, seq) do nothing`,
  ),
  missing: engine.statement(
    {
      tenantId: { sql: sql``, decode: String },
      seq: { sql: sql``, decode: Number },
      vector: { sql: sql``, decode: (bytes: unknown) => bytes as Buffer },
    },
    () => sql`select b.tenant_id, b.seq, b.vector from bruno_embeddings as b
      where not exists (select 1 from bruno_vectors as v where v.tenant_id = b.tenant_id and v.seq = b.seq) limit 500`,
  ),
}))

/** Vectors compared by pgvector, all that meet the conditions: exact, whatever their number. */
export function postgresqlVectors(engineOf: () => SqlEngine): VectorEngine {
  const exact = ({ table, selection, join, where, range, plain, metric }: NearestSearch): SQL => {
    const t = engineOf().tables[table]
    const joined = sql`join ${t} on ${t.tenantId} = e.tenant_id and ${t.seq} = e.record_seq
      ${join ? sql`join ${join.table} on ${join.on}` : sql``}`
    const nearest = sql`order by d nulls last limit ${value('candidates')}`
    if (!plain)
      return sql`select ${list(selection)}, ${distance(metric)} as d from ${rows} ${joined} where ${range} and ${where} ${nearest}`
    return sql`select ${list(selection)}, e.d as d from
      (select e.tenant_id, e.record_seq, ${distance(metric)} as d from ${rows} where ${range} ${nearest}) as e
      ${joined} where ${where} order by e.d nulls last`
  }
  return {
    rows,
    encode,
    distance,
    exact,
    quick: () => null,
    listed: exact,
    quickValues: () => ({}),
    async index(session, { tenantId, seq, vector }) {
      await session.run(statements(engineOf()).index, { tenantId, seq, encoded: encode(vector) })
    },
  }
}

const TABLE = [
  'create extension if not exists vector',
  `create table if not exists bruno_vectors (
    tenant_id text collate "C" not null, seq bigint not null, vector vector not null,
    primary key (tenant_id, seq),
    foreign key (tenant_id, seq) references bruno_embeddings (tenant_id, seq) on delete cascade)`,
]

const ADD =
  'to search by vectors add the pgvector extension (`create extension vector`), or a semantic store such as Qdrant'

/**
 * Makes what vectors need, which no migration can make: the extension may be missing. Answers why it cannot be had, or
 * null.
 */
export async function prepareVectors(
  wanted: boolean,
  ask: (text: string) => Promise<readonly (readonly unknown[])[]>,
): Promise<string | null> {
  const [found] = await ask(
    "select to_regclass('bruno_vectors') is not null, exists (select 1 from pg_available_extensions where name = 'vector')",
  )
  const [made, available] = found ?? []
  if (made === true) return null
  if (!wanted)
    return `this memory was opened without vectors: give it an embeddingFunction, or embeddingDimensions where the records bring their own`
  if (available !== true) return `this PostgreSQL server has no pgvector: ${ADD}`
  try {
    for (const text of TABLE) await ask(text)
    return null
  } catch (error) {
    if (error instanceof BrunoMemoryError && error.code !== 'storage') throw error
    return `the role may not make the extension or the table of vectors: ${ADD}, and open the memory once with a role that may`
  }
}

/** Brings the index up to vectors that were stored where there was none. */
export async function indexMissing(engine: SqlEngine, runner: SqlRunner): Promise<void> {
  const { missing, index } = statements(engine)
  for (;;) {
    const found = await runner.read(async (session) => session.all(missing))
    if (found.length === 0) return
    await runner.write(async (session) => {
      for (const { tenantId, seq, vector } of found)
        await session.run(index, { tenantId, seq, encoded: encode(decodeVector(vector)) })
    })
  }
}

import { sql } from 'drizzle-orm/sql/sql'
import { decodeVector } from '../../embeddings/vector.js'
import type { SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner } from './engine.js'
import { value } from './statement.js'
import type { OpenSpace } from './vectors.js'

/** Bytes of a content hash. A vector that came with its record has an empty one, which no text has. */
const HASH = 32

/** A text that is to be embedded, by its hash. */
export interface WantedVector {
  readonly tenantId: string
  readonly hash: Buffer
}

const statements = perEngine((engine) => {
  const { embeddings: e } = engine.tables
  const found = {
    at: { sql: sql`w.at`, decode: Number },
    vector: { sql: sql``, decode: (bytes: unknown) => bytes as Buffer | null },
  }
  return {
    // One of the many that a common text may have. Never another tenant's: how soon a vector comes would tell what
    // others have stored. Without the last condition PostgreSQL takes every hash to be as common as the empty one may be,
    // and reads the table instead of the index.
    stored: engine.statement(
      found,
      () => sql`select w.at, (select ${e.vector} from ${e}
          where ${e.tenantId} = w.tenant_id and ${e.space} = ${value('space')}
            and ${e.contentHash} = substr(${value('hashes')}, cast(w.at as integer), ${sql.raw(String(HASH))})
            and ${e.contentHash} <> '' limit 1)
        from ${engine.conditions.rows('wanted', { tenant_id: 'text', at: 'integer' })} as w`,
    ),
  }
})

/** The vectors that the same tenant's records have of the same texts, in the order that is asked; null where none has. */
export async function storedVectors(
  { engine }: SqlStoreContext,
  runner: SqlRunner,
  space: OpenSpace,
  wanted: readonly WantedVector[],
): Promise<(Float32Array | null)[]> {
  const vectors = new Array<Float32Array | null>(wanted.length).fill(null)
  if (wanted.length === 0) return vectors
  const values = {
    space: space.id,
    hashes: Buffer.concat(wanted.map(({ hash }) => hash)),
    wanted: engine.conditions.encodeRows(wanted.map(({ tenantId }, i) => [tenantId, i * HASH + 1])),
  }
  const rows = await runner.read(async (session) => session.all(statements(engine).stored, values))
  // A row that something else damaged is made anew, not copied.
  for (const { at, vector } of rows)
    if (vector?.length === space.dimensions * 4) vectors[(at - 1) / HASH] = decodeVector(vector)
  return vectors
}

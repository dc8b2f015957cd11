import { encodeVector } from '../../embeddings/vector.js'
import { ConfigurationError } from '../../errors.js'
import type { SearchKind } from '../../model/records.js'
import { now, type SqlContext, type SqlStoreContext } from './context.js'
import type { SqlSession } from './engine.js'
import { vectorStatements } from './vector-statements.js'
import { OWN, partOf, type VectorRow } from './vectors.js'

/** Vectors that are written by one statement. */
const WRITTEN = 200

const rowKey = ({ tenantId, scope, recordId }: Pick<VectorRow, 'tenantId' | 'scope' | 'recordId'>): string =>
  JSON.stringify([tenantId, scope, recordId])

type Made = { readonly tenantId: string; readonly scope: string; readonly recordId: string }

/** What most vectors are is new: only where some have not become rows are the old ones looked for. */
async function writeSome(
  store: SqlStoreContext,
  session: SqlSession,
  space: string,
  kind: SearchKind,
  rows: readonly VectorRow[],
): Promise<void> {
  const made = new Set((await insert(store, session, space, kind, rows)).map(rowKey))
  const rest = rows.filter((row) => !made.has(rowKey(row)))
  if (rest.length === 0) return
  const { engine } = store
  const keys = engine.conditions.encodeRows(rest.map(({ tenantId, scope, recordId }) => [tenantId, scope, recordId]))
  const gone = await session.run(vectorStatements(engine)[kind].forget, { space, keys })
  if (gone > 0) await insert(store, session, space, kind, rest)
}

async function insert(
  store: SqlStoreContext,
  session: SqlSession,
  space: string,
  kind: SearchKind,
  rows: readonly VectorRow[],
): Promise<Made[]> {
  const { engine } = store
  const { encodeRows } = engine.conditions
  // Behind one byte: SQLite takes a part of nothing for no value at all.
  let hashAt = 2
  let vectorAt = 1
  const keys = rows.map(({ tenantId, scope, recordId, hash, vector }) => {
    const part = partOf(tenantId, space, kind)
    const key = [tenantId, scope, recordId, part, hashAt, hash.length, vectorAt, vector.byteLength]
    hashAt += hash.length
    vectorAt += vector.byteLength
    return key
  })
  const made = await session.all(vectorStatements(engine)[kind].write, {
    space,
    keys: encodeRows(keys),
    hashes: Buffer.concat([Buffer.alloc(1), ...rows.map(({ hash }) => hash)]),
    vectors: Buffer.concat(rows.map(({ vector }) => encodeVector(vector))),
    now: now(store),
  })
  if (!engine.vectors) return made
  const byKey = new Map(rows.map((row) => [rowKey(row), row]))
  for (const { seq, recordSeq, ...key } of made) {
    const row = byKey.get(rowKey(key))
    if (!row) continue
    const part = partOf(row.tenantId, space, kind)
    await engine.vectors.index(session, { tenantId: row.tenantId, part, seq, recordSeq, vector: row.vector })
  }
  return made
}

/** Stores vectors in the transaction of a session; those whose record is gone are left out. */
export async function writeVectors(
  store: SqlStoreContext,
  session: SqlSession,
  space: string,
  rows: readonly VectorRow[],
): Promise<void> {
  for (const kind of new Set(rows.map((row) => row.kind))) {
    const ofKind = rows.filter((row) => row.kind === kind)
    for (let i = 0; i < ofKind.length; i += WRITTEN)
      await writeSome(store, session, space, kind, ofKind.slice(i, i + WRITTEN))
  }
}

/** The vectors that some records bring, stored with them. */
export async function writeOwnVectors(
  context: SqlContext,
  session: SqlSession,
  kind: SearchKind,
  rows: readonly { readonly scope: string; readonly id: string; readonly vector: Float32Array | null }[],
): Promise<void> {
  const given = rows.flatMap(({ scope, id, vector }) =>
    vector ? [{ kind, tenantId: context.tenantId, scope, recordId: id, vector, hash: OWN }] : [],
  )
  const [first] = given
  if (!first) return
  const { space } = context.vectors
  if (!space)
    throw new ConfigurationError(
      'the dimensions of the vectors are not known, for the model did not answer yet: open the memory with embeddingDimensions',
    )
  await writeVectors(context, session, space.id, given)
}

import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { postgresqlEngine } from '../../src/backends/postgresql/engine.js'
import type { SqlStoreContext } from '../../src/backends/sql/context.js'
import { storedVectors } from '../../src/backends/sql/embedding-reuse.js'
import type { SqlRunner } from '../../src/backends/sql/engine.js'
import type { Statement, Values } from '../../src/backends/sql/statement.js'
import type { OpenSpace } from '../../src/backends/sql/vectors.js'
import type { Memory, TenantMemory } from '../../src/contract/memory.js'
import { vectorOf, wordModel } from '../conformance/vectors-fixtures.js'
import { startPglite } from '../ground/pglite.js'
import { empty, freshDatabase, leaveServer } from './support/databases.js'

// The server of the other tests has no pgvector; PGlite brings it, with one session.
let server: Awaited<ReturnType<typeof startPglite>>
let memory: Memory | null = null
beforeAll(async () => {
  server = await startPglite()
})
afterEach(async () => {
  await memory?.close()
  memory = null
  await empty(server.url)
})
afterAll(() => server.stop())

function opened() {
  const model = wordModel()
  memory = createBackend('postgresql', { connectionString: server.url, poolSize: 1, embeddingFunction: model })
  return { model, memory }
}
const remember = (tenant: TenantMemory, contents: readonly string[], user = 'ada') =>
  tenant.memories.addMany(contents.map((content) => ({ userId: user, content })))

test('a text that a record of the tenant has is not sent to the model again, whatever the kind of the record', async () => {
  const { model, memory } = opened()
  await remember(memory, ['a walnut', 'a cello', 'a walnut'])
  await memory.settle()
  expect(model.texts.splice(0).sort()).toEqual(['a cello', 'a walnut'])
  await memory.documents.upsert([{ namespace: 'n', id: 'd', content: 'a walnut' }])
  await memory.messages.append('c', [{ role: 'user', content: 'a cello', id: 'm' }], { userId: 'bob' })
  await remember(memory, ['the ferry', 'a walnut'], 'bob')
  expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
  expect(model.texts).toEqual(['the ferry'])
  for (const [text, kind, id] of [
    ['nuts', 'document', 'd'],
    ['violin', 'message', 'm'],
  ] as const) {
    const [hit] = await memory.search({ text, mode: 'vector', kinds: [kind] })
    expect(hit?.record.id).toBe(id)
    expect(hit?.score).toBeGreaterThan(0.99)
  }
})

test('of another tenant no vector is taken, nor one that came with its record', async () => {
  const { model, memory } = opened()
  const [a, b] = [memory.forTenant('a'), memory.forTenant('b')]
  await remember(a, ['a walnut'])
  await memory.settle()
  await b.memories.add({ userId: 'ada', content: 'a walnut', vector: vectorOf('cello') })
  await remember(b, ['a walnut'])
  await memory.settle()
  await remember(b, ['a walnut'])
  await memory.settle()
  expect(model.texts).toEqual(['a walnut', 'a walnut'])
})

/** The statement of a batch, with what is bound to it. */
async function look(space: string): Promise<{ text: string; values: never[] }> {
  let made = { text: '', values: [] as never[] }
  const session = {
    all(statement: Statement<unknown>, values: Values) {
      made = { text: statement.text, values: statement.bind(values) as never[] }
      return []
    },
  }
  const runner = { read: (work: (session: never) => unknown) => work(session as never) } as unknown as SqlRunner
  const store = { engine: postgresqlEngine({ vectors: null, secured: false }) } as SqlStoreContext
  const wanted = [
    { tenantId: 'a', hash: Buffer.alloc(32, 1) },
    { tenantId: 'a', hash: Buffer.alloc(32, 2) },
  ]
  await storedVectors(store, runner, { id: space, dimensions: 2 } as OpenSpace, wanted)
  return made
}

test('a batch looks by the index of the content, also where nearly all vectors came with their records', async () => {
  const sql = postgres(await freshDatabase(), { max: 1, onnotice: () => {} })
  try {
    await sql`insert into bruno_embeddings (tenant_id, space, kind, scope, record_id, record_seq, part, content_hash, vector, created_at, updated_at, version, revision)
      select 'a', 's', 'memory', '', i::text, i, 1, case when i = 7 then ${Buffer.alloc(32, 2)} else ''::bytea end, '\\x0000803f00000040', now(), now(), 1, i
      from generate_series(1, 20000) as i`
    await sql`analyze bruno_embeddings`
    const { text, values: bound } = await look('s')
    // This client makes JSON itself.
    const values = bound.map((value: unknown) =>
      typeof value === 'string' && value.startsWith('[') ? JSON.parse(value) : value,
    ) as never[]
    const plan = await sql.unsafe(`explain (costs off) ${text}`, values)
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/Index Scan (using|on) bruno_embeddings_content/)
    expect((await sql.unsafe(text, values)).map((row) => row.vector?.length ?? null)).toEqual([null, 8])
  } finally {
    await sql.end()
    await leaveServer()
  }
})

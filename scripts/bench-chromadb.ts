// `npm run bench:chromadb`: our calls against the server's own client by hand, which keeps all tenants in one collection with
// a condition on the tenant, on the same server, in the same run, in turn; medians.
import { ChromaClient } from 'chromadb'
import { createBackend } from '../src/index.js'
import { startChroma } from '../test/ground/index.js'
import { compare, print, type Result } from './bench/measure.js'
import { sentences } from './bench/sentences.js'
import { vectors } from './bench/vectors.js'

const DIMENSIONS = 512
const TENANTS = 40
const EACH = 500
const quick = process.argv.includes('--quick')
const many = (rounds: number) => (quick ? Math.ceil(rounds / 5) : rounds)
const text = sentences()
const vector = vectors(DIMENSIONS)
const server = await startChroma({ own: true })
const { hostname, port } = new URL(server.url)
const memory = createBackend('chromadb', { host: hostname, port: Number(port), embeddingDimensions: DIMENSIONS })
const client = new ChromaClient({ host: hostname, port: Number(port) })
const raw = await client.createCollection({
  name: 'by-hand',
  embeddingFunction: null,
  configuration: { hnsw: { space: 'ip' } },
})

const rows = (count: number) => Array.from({ length: count }, () => ({ content: text(), vector: vector() }))
const byHand = (tenant: string, batch: ReturnType<typeof rows>) =>
  raw.upsert({
    ids: batch.map(() => crypto.randomUUID()),
    embeddings: batch.map(({ vector: v }) => Array.from(v)),
    documents: batch.map(({ content }) => content),
    metadatas: batch.map((_, i) => ({ tenant, namespace: `n${i % 5}`, page: i, created: Date.now() })),
  })
const upsertOurs = (tenant: string, batch: ReturnType<typeof rows>) =>
  memory
    .forTenant(tenant)
    .documents.upsert(
      batch.map((each, i) => ({ namespace: `n${i % 5}`, id: crypto.randomUUID(), metadata: { page: i }, ...each })),
    )

async function fill(): Promise<void> {
  for (let i = 0; i < TENANTS; i++) {
    const batch = rows(EACH)
    await byHand(`t${i}`, batch)
    await upsertOurs(`t${i}`, batch)
  }
}

async function measured(): Promise<Result[]> {
  const filtered = await compare({
    name: `top-10 of one of ${TENANTS} tenants, ${EACH} vectors each`,
    goal: 3,
    rounds: many(30),
    calls: 5,
    warm: 20,
    ours: () => memory.forTenant('t7').search({ vector: vector(), kinds: ['document'], limit: 10 }),
    raw: () => raw.query({ queryEmbeddings: [Array.from(vector())], nResults: 10, where: { tenant: 't7' } }),
  })
  const narrowed = await compare({
    name: 'the same with a condition on the namespace',
    goal: 1.5,
    rounds: many(30),
    calls: 5,
    warm: 20,
    ours: () => memory.forTenant('t7').search({ vector: vector(), namespace: 'n1', limit: 10 }),
    raw: () =>
      raw.query({
        queryEmbeddings: [Array.from(vector())],
        nResults: 10,
        where: { $and: [{ tenant: 't7' }, { namespace: 'n1' }] },
      }),
  })
  const write = (name: string, ours: (batch: ReturnType<typeof rows>) => unknown) =>
    compare({
      name,
      goal: 0.95,
      rounds: many(15),
      warm: 1,
      ours: () => ours(rows(500)),
      raw: () => byHand('new', rows(500)),
    })
  return [
    filtered,
    narrowed,
    await write('upsert of 500 new memories with their vectors', (batch) =>
      memory.forTenant('new').memories.addMany(batch.map((each) => ({ userId: 'bench', ...each }))),
    ),
    await write('upsert of 500 documents with ids of their own, looked for before', (batch) =>
      upsertOurs('new', batch),
    ),
  ]
}

try {
  await memory.connect()
  await fill()
  print(await measured())
} finally {
  await memory.close()
  await server.stop()
}

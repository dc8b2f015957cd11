// `npm run bench:qdrant`: our calls against the server's own client, as it comes and with the header that keeps its answers
// whole, and against bare node:http, on the same server and collection, in the same run, in turn; medians.
import { createBackend } from '../src/index.js'
import { startQdrant } from '../test/ground/index.js'
import { compare, print, type Result } from './bench/measure.js'
import { bareHttp, queryBody, rawClient } from './bench/raw-qdrant.js'
import { sentences } from './bench/sentences.js'
import { vectors } from './bench/vectors.js'

const DIMENSIONS = 512
const STORED = 10_000
const NAMESPACES = 5
const quick = process.argv.includes('--quick')
const many = (rounds: number) => (quick ? Math.ceil(rounds / 5) : rounds)
const text = sentences()
const vector = vectors(DIMENSIONS)
const server = await startQdrant({ own: true })
const memory = createBackend('qdrant', { url: server.url, collectionName: 'bench', embeddingDimensions: DIMENSIONS })
const asItComes = rawClient(server.url)
const whole = rawClient(server.url, { 'accept-encoding': 'identity' })
const bare = bareHttp(server.url)

async function fill(): Promise<void> {
  for (let at = 0; at < STORED; at += 500)
    await memory.documents.upsert(
      Array.from({ length: 500 }, (_, i) => ({
        namespace: `n${(at + i) % NAMESPACES}`,
        id: `document ${at + i}`,
        content: text(),
        metadata: { page: i },
        vector: vector(),
      })),
    )
}

const match = (key: string, value: string) => ({ key, match: { value } })
const filter = { must: [match('tenant', 'default'), match('kind', 'document'), { must: [match('namespace', 'n1')] }] }
const ours = () => memory.search({ vector: vector(), namespace: 'n1', limit: 10 })
const bareQuery = () => bare.post('/collections/bench/points/query', queryBody(vector(), filter))

async function queries(): Promise<Result[]> {
  const name = 'filtered top-10 with payload'
  const side = { ours, rounds: many(30), calls: 10, warm: 100 }
  const together = <T>(query: () => Promise<T>) => Promise.all(Array.from({ length: 16 }, query))
  return [
    await compare({
      ...side,
      name: `${name}, client as it comes`,
      goal: 10,
      raw: () => asItComes.query('bench', queryBody(vector(), filter)),
    }),
    await compare({
      ...side,
      name: `${name}, client with the header`,
      goal: 1,
      raw: () => whole.query('bench', queryBody(vector(), filter)),
    }),
    await compare({ ...side, name: `${name}, bare node:http`, goal: 0.5, raw: bareQuery }),
    await compare({
      name: '16 of them at once, client as it comes',
      goal: 5,
      rounds: many(20),
      calls: 2,
      warm: 40,
      ours: () => together(ours),
      raw: () => together(() => asItComes.query('bench', queryBody(vector(), filter))),
    }),
    await compare({
      name: '16 of them at once, client with the header',
      goal: 1,
      rounds: many(20),
      calls: 2,
      warm: 40,
      ours: () => together(ours),
      raw: () => together(() => whole.query('bench', queryBody(vector(), filter))),
    }),
  ]
}

async function writes(): Promise<Result> {
  const [template] = (await whole.scroll('bench', { limit: 1, with_payload: true })).points
  await whole.createCollection('raw', { vectors: { size: DIMENSIONS, distance: 'Dot' } })
  for (const [field_name, field_schema] of Object.entries((await whole.getCollection('bench')).payload_schema))
    await whole.createPayloadIndex('raw', {
      field_name,
      field_schema: (field_schema as { data_type: 'keyword' }).data_type,
      wait: true,
    })
  const batch = () => Array.from({ length: 500 }, () => ({ content: text(), vector: vector() }))
  return compare({
    name: 'upsert of 500 vectors of 512 dimensions, client with the header',
    goal: 1.1,
    rounds: many(15),
    warm: 1,
    ours: () => memory.memories.addMany(batch().map((each) => ({ userId: 'bench', ...each }))),
    raw: () =>
      whole.upsert('raw', {
        wait: true,
        points: batch().map(({ content, vector: v }) => ({
          id: crypto.randomUUID(),
          vector: Array.from(v),
          payload: { ...template?.payload, content },
        })),
      }),
  })
}

try {
  await memory.connect()
  await fill()
  print([...(process.argv.includes('--writes') ? [] : await queries()), await writes()])
} finally {
  await memory.close()
  bare.close()
  await server.stop()
}

// `npx tsx test/transfer/support/vector-bench.ts [points] [raw batch]`: records through the sink against batched upserts
// of the same points by the server's own client, into collections that are alike, in turn; medians of three.
import { QdrantClient } from '@qdrant/js-client-rest'
import { toPayload } from '../../../src/backends/qdrant/payload.js'
import { toPoint } from '../../../src/backends/vector/point.js'
import type { Carried } from '../../../src/contract/transfer.js'
import { normalize } from '../../../src/embeddings/vector.js'
import type { Document } from '../../../src/model/records.js'
import { startChroma, startQdrant } from '../../ground/index.js'
import { openEnd, sinkOf, sourceOf } from './vector-ends.js'

const DIMENSIONS = 384
const ROUNDS = 3
/** Records of one `write`. */
const BATCH = 1000
const [count = 20_000, rawBatch = 500] = process.argv.slice(2).map(Number)

let state = 1
const random = (): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}

const at = new Date('2026-01-02T03:04:05.678Z')
const documents = Array.from(
  { length: count },
  (_, i): Document => ({
    tenantId: 'default',
    namespace: `n${i % 5}`,
    id: `document ${i}`,
    content: `This is what stands on page ${i} of a handbook, ${'which has many words '.repeat(8)}`,
    metadata: { page: i, title: 'Handbook' },
    expiresAt: null,
    createdAt: at,
    updatedAt: at,
    version: 1,
  }),
)
const vectors = documents.map(() => normalize(Float32Array.from({ length: DIMENSIONS }, () => random() - 0.5)))
const carried = documents.map(
  (record, i): Carried => ({
    kind: 'document',
    record,
    vector: { vector: vectors[i] as Float32Array, hash: new Uint8Array() },
  }),
)

const pointsPerSecond = async (work: () => Promise<void>): Promise<number> => {
  const started = performance.now()
  await work()
  return (count * 1000) / (performance.now() - started)
}

type End = Awaited<ReturnType<typeof openEnd>>

async function sunk({ backend }: End): Promise<void> {
  const sink = sinkOf(backend)
  await sink.open(null)
  let written = 0
  for (let i = 0; i < count; i += BATCH) written += (await sink.write(carried.slice(i, i + BATCH))).written
  await sink.finish()
  if (written !== count) throw new Error(`${written} were written`)
}

async function raw(url: string, collection: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const client = new QdrantClient({ host: hostname, port: Number(port), checkCompatibility: false })
  for (let i = 0; i < count; i += rawBatch) {
    const points = documents.slice(i, i + rawBatch).map((record, j) => {
      const point = toPoint('document', record, null, { revision: i + j + 1, hash: '' })
      const payload = { ...toPayload('default', 'document', point) }
      return { id: point.key, vector: Array.from(vectors[i + j] as Float32Array), payload }
    })
    await client.upsert(collection, { wait: true, points })
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

async function rounds(name: string, url: string): Promise<Record<string, number[]>> {
  const seen: Record<string, number[]> = { sink: [], again: [], raw: [], read: [], fingerprint: [] }
  for (let round = 0; round < ROUNDS; round++) {
    const ours = await openEnd(name, url, { embeddingDimensions: DIMENSIONS })
    seen.sink?.push(await pointsPerSecond(() => sunk(ours)))
    const source = sourceOf(ours.backend)
    seen.fingerprint?.push(await pointsPerSecond(async () => void (await source.fingerprint({ kinds: ['document'] }))))
    seen.read?.push(
      await pointsPerSecond(async () => {
        for (const range of await source.ranges({ kinds: ['document'] }, 10_000))
          for await (const _ of source.read(range, { after: null, limits: { records: 1000, bytes: 8e6 } }));
      }),
    )
    await ours.remove()
    if (name !== 'qdrant') continue
    const other = await openEnd(name, url, { embeddingDimensions: DIMENSIONS })
    seen.raw?.push(await pointsPerSecond(() => raw(url, other.collection)))
    await other.remove()
  }
  return seen
}

for (const [name, start] of [
  ['qdrant', startQdrant],
  ['chromadb', startChroma],
] as const) {
  const server = await start({ own: true })
  try {
    for (const [what, values] of Object.entries(await rounds(name, server.url)))
      if (values.length > 0)
        console.log(`${name} ${what}: ${Math.round(median(values))} points/s (${values.map(Math.round).join(', ')})`)
  } finally {
    await server.stop()
  }
}

// `npm run bench:vectors`: the ten nearest of one tenant under a filter, in stores of 200 tenants and 200,000 vectors, one
// store after the other, asked in turn; medians, and the share of what comparing every vector finds.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBackend, type Memory } from '../src/index.js'
import { startChroma, startQdrant } from '../test/ground/index.js'
import { median } from './bench/measure.js'
import { vectors } from './bench/vectors.js'

const quick = process.argv.includes('--quick')
const TENANTS = quick ? 20 : 200
const EACH = 1000
const BATCH = 500
const DIMENSIONS = 256
const CATEGORIES = 4
const QUESTIONS = 200
const LIMIT = 10

const qdrant = await startQdrant({ own: true })
const chroma = await startChroma({ own: true })
const folder = await mkdtemp(join(tmpdir(), 'bruno-memory-bench-'))
const options = { embeddingDimensions: DIMENSIONS }
const at = new URL(chroma.url)
const stores: readonly (readonly [name: string, memory: Memory])[] = [
  ['Qdrant', createBackend('qdrant', { url: qdrant.url, ...options }) as Memory],
  ['ChromaDB', createBackend('chromadb', { host: at.hostname, port: Number(at.port), ...options }) as Memory],
  ['SQLite', createBackend('sqlite', { databasePath: join(folder, 'memory.db'), ...options }) as Memory],
]

const next = vectors(DIMENSIONS)
const made = Array.from({ length: TENANTS }, () => Array.from({ length: EACH }, next))
const categoryOf = (i: number): string => `k${i % CATEGORIES}`

async function fill(memory: Memory): Promise<number> {
  const started = performance.now()
  for (const [tenant, all] of made.entries())
    for (let from = 0; from < EACH; from += BATCH)
      await memory.forTenant(`t${tenant}`).memories.addMany(
        all.slice(from, from + BATCH).map((vector, i) => ({
          id: `m${from + i}`,
          userId: 'bench',
          content: `memory ${from + i}`,
          category: categoryOf(from + i),
          vector,
        })),
      )
  return (TENANTS * EACH * 1000) / (performance.now() - started)
}

const product = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0)

/** What comparing every vector finds. */
function nearest(tenant: number, question: Float32Array, category: string | null): Set<string> {
  const all = (made[tenant] as Float32Array[]).map((vector, i) => ({
    id: `m${i}`,
    i,
    score: product(vector, question),
  }))
  const wanted = all.filter(({ i }) => category === null || categoryOf(i) === category)
  return new Set(
    wanted
      .sort((a, b) => b.score - a.score)
      .slice(0, LIMIT)
      .map(({ id }) => id),
  )
}

interface Figures {
  readonly times: number[]
  found: number
}

async function ask(memory: Memory, n: number, question: Float32Array, filtered: boolean, figures: Figures) {
  const tenant = n % TENANTS
  const category = filtered ? categoryOf(n) : null
  const query = {
    vector: question,
    mode: 'vector',
    kinds: ['memory'],
    limit: LIMIT,
    ...(category && { category }),
  } as const
  const started = performance.now()
  const hits = await memory.forTenant(`t${tenant}`).search(query)
  figures.times.push(performance.now() - started)
  const right = nearest(tenant, question, category)
  figures.found += hits.filter(({ record }) => right.has(record.id)).length
}

try {
  const rates: number[] = []
  for (const [, memory] of stores) {
    await memory.connect()
    rates.push(await fill(memory))
  }
  console.log(`${TENANTS} tenants, ${EACH} vectors each, ${DIMENSIONS} dimensions; the ${LIMIT} nearest of one tenant`)
  console.log('| store | stored per second | top-10 ms | recall | with a filter ms | recall |')
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |')
  const figures = stores.map(() => [false, true].map((): Figures => ({ times: [], found: 0 })))
  for (let n = 0; n < QUESTIONS; n++) {
    const question = next()
    for (const [i, [, memory]] of stores.entries())
      for (const filtered of [false, true]) await ask(memory, n, question, filtered, figures[i]?.[+filtered] as Figures)
  }
  for (const [i, [name]] of stores.entries()) {
    const cells = (figures[i] as Figures[]).flatMap(({ times, found }) => [
      median(times).toFixed(2),
      (found / (QUESTIONS * LIMIT)).toFixed(4),
    ])
    console.log(`| ${name} | ${Math.round(rates[i] as number)} | ${cells.join(' | ')} |`)
  }
} finally {
  for (const [, memory] of stores) await memory.close()
  await Promise.all([qdrant.stop(), chroma.stop(), rm(folder, { recursive: true })])
}

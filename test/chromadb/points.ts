import { randomUUID } from 'node:crypto'
import { inject, onTestFinished } from 'vitest'
import { ChromaStore } from '../../src/backends/chromadb/store.js'
import type { Point, PointFields, PointWrite, VectorStore, WantedSpace } from '../../src/backends/vector/store.js'
import type { ChromaOptions } from '../../src/contract/options.js'

export const DIMENSIONS = 4

export const SPACE: WantedSpace = { provider: 'test', model: 'm', dimensions: DIMENSIONS, metric: 'cosine' }

/** A store over the shared server, or another one; closed with the test. */
export async function opened(options: ChromaOptions = {}, space: WantedSpace = SPACE): Promise<VectorStore> {
  const store = new ChromaStore({ ...shared(), ...options })
  onTestFinished(() => store.close())
  await store.open(space, async () => DIMENSIONS)
  return store
}

export function shared(): ChromaOptions {
  const { hostname, port } = new URL(inject('servers').CHROMA_URL)
  return { host: hostname, port: Number(port), collectionName: `store-${randomUUID()}`, callTimeout: 5000 }
}

const NOTHING: PointFields = {
  id: 'x',
  user: null,
  conversation: null,
  parent: null,
  namespace: null,
  role: null,
  type: null,
  category: null,
  tags: [],
  importance: null,
  confidence: null,
  created: 0,
  expires: null,
  position: null,
  metadata: {},
}

export const pointOf = (fields: Partial<PointFields> = {}, more: Partial<Point> = {}): Point => ({
  key: randomUUID(),
  fields: { ...NOTHING, ...fields },
  content: 'content',
  rest: '{}',
  revision: 1,
  earlier: [],
  hash: '',
  ...more,
})

export const towards = (...values: number[]): Float32Array => {
  const length = Math.hypot(...values)
  return Float32Array.from({ length: DIMENSIONS }, (_, i) => (values[i] ?? 0) / length)
}

export const put = (point: Point, more: Partial<PointWrite> = {}): PointWrite => ({
  point,
  vector: towards(1),
  guard: null,
  ...more,
})

/** The server's collections whose names begin so. */
async function collections(beginning: string): Promise<{ readonly name: string }[]> {
  const answer = await fetch(`${base()}?limit=10000`)
  return ((await answer.json()) as { name: string }[]).filter(({ name }) => name.startsWith(beginning))
}

const base = (): string =>
  `${inject('servers').CHROMA_URL}/api/v2/tenants/default_tenant/databases/default_database/collections`

/** As somebody else would: the store is not told. */
export async function dropCollections(beginning: string): Promise<number> {
  const found = await collections(beginning)
  for (const { name } of found) await fetch(`${base()}/${name}`, { method: 'DELETE' })
  return found.length
}

export async function makeCollection(name: string): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  await fetch(base(), { method: 'POST', headers, body: JSON.stringify({ name }) })
}

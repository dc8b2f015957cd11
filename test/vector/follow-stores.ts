import { createHash, randomUUID } from 'node:crypto'
import { inject, onTestFinished } from 'vitest'
import { ChromaStore } from '../../src/backends/chromadb/store.js'
import { QdrantStore } from '../../src/backends/qdrant/store.js'
import { keyOf } from '../../src/backends/vector/point.js'
import type { Entry, FollowWrite, PointFields, VectorStore } from '../../src/backends/vector/store.js'
import { SEARCH_KINDS, type SearchKind } from '../../src/model/records.js'
import { DIMENSIONS, pointOf, SPACE, towards } from '../chromadb/points.js'
import { startQdrantCluster } from '../ground/qdrant-cluster.js'

type Make = (collectionName: string) => VectorStore

export interface FollowKind {
  readonly name: string
  /** Whether what was deleted is remembered, so that any process may tell of anything at any time. */
  readonly remembers: boolean
  start(): Promise<{ readonly make: Make; readonly collections: Collections; readonly stop: () => Promise<unknown> }>
}

/** The server's collections, as somebody else sees them. */
interface Collections {
  names(): Promise<string[]>
  make(name: string): Promise<void>
  remove(name: string): Promise<void>
}

async function ask(url: string, method = 'GET', body?: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
  return answer.json()
}

function ofQdrant(url: string): Collections {
  const vectors = { size: DIMENSIONS, distance: 'Dot' }
  return {
    names: async () => {
      const { result } = (await ask(`${url}/collections`)) as { result: { collections: { name: string }[] } }
      return result.collections.map(({ name }) => name)
    },
    make: async (name) => void (await ask(`${url}/collections/${name}`, 'PUT', { vectors })),
    remove: async (name) => void (await ask(`${url}/collections/${name}`, 'DELETE')),
  }
}

function ofChroma(url: string): Collections {
  const base = `${url}/api/v2/tenants/default_tenant/databases/default_database/collections`
  return {
    names: async () => ((await ask(`${base}?limit=100000`)) as { name: string }[]).map(({ name }) => name),
    make: async (name) => void (await ask(base, 'POST', { name })),
    remove: async (name) => void (await ask(`${base}/${name}`, 'DELETE')),
  }
}

const qdrant = (name: string, options: object, cluster = false): FollowKind => ({
  name,
  remembers: true,
  start: async () => {
    const own = cluster ? await startQdrantCluster({ nodes: 1 }) : null
    const url = own?.urls[0] ?? inject('servers').QDRANT_URL
    return {
      make: (collectionName) => new QdrantStore({ url, collectionName, callTimeout: 20_000, ...options }),
      collections: ofQdrant(url),
      stop: async () => own?.stop(),
    }
  },
})

const chroma: FollowKind = {
  name: 'chromadb',
  remembers: false,
  start: async () => {
    const url = inject('servers').CHROMA_URL
    const { hostname: host, port } = new URL(url)
    return {
      make: (collectionName) => new ChromaStore({ host, port: Number(port), collectionName, callTimeout: 20_000 }),
      collections: ofChroma(url),
      stop: async () => undefined,
    }
  },
}

export const FOLLOW_KINDS: readonly FollowKind[] = [
  qdrant('qdrant', {}),
  qdrant('qdrant, a collection per tenant', { tenantsBy: 'collection' }),
  qdrant('qdrant, a shard per tenant', { tenantsBy: 'shard', shardTenants: ['a', 'b'] }, true),
  chroma,
]

/** Opened, and removed with the test. */
export async function openStore(make: Make, collectionName: string = newName()): Promise<VectorStore> {
  const store = make(collectionName)
  await store.open(SPACE, async () => DIMENSIONS)
  onTestFinished(async () => {
    await store.drop()
    await store.close()
  })
  return store
}

export const newName = (): string => `follow-${randomUUID()}`

const SCOPES: Readonly<Record<SearchKind, Partial<PointFields>>> = {
  message: { conversation: 'scope' },
  memory: {},
  document: { namespace: 'scope' },
}

export interface Told {
  readonly tenantId: string
  readonly kind: SearchKind
  readonly id: string
  readonly revision: number
}

export const keyFor = ({ tenantId, kind, id }: Omit<Told, 'revision'>): string =>
  keyOf(tenantId, kind, kind === 'memory' ? '' : 'scope', id)

/** Of its own for each revision. */
export const vectorOf = (revision: number): Float32Array =>
  towards(Math.cos(revision), Math.sin(revision), Math.cos(revision * 7), 0.5)

/** A record as it is at a revision, in which every field may differ from the one before. */
export function live({ tenantId, kind, id, revision }: Told, fields: Partial<PointFields> = {}) {
  const tags = revision % 2 ? ['odd', `r${revision}`] : ['even']
  const metadata = { revision, [`m${revision % 3}`]: true }
  const own = { id, ...SCOPES[kind], tags, metadata, created: revision, importance: revision % 5 ? 0.1 : null }
  const point = pointOf(
    { ...own, ...fields },
    {
      key: keyFor({ tenantId, kind, id }),
      content: '',
      rest: JSON.stringify({ seq: revision }),
      revision,
      hash: createHash('sha256').update(`${revision}`).digest('hex'),
    },
  )
  return { point, vector: vectorOf(revision) } satisfies FollowWrite
}

export const gone = (told: Told, at = 0): FollowWrite => ({
  gone: { key: keyFor(told), revision: told.revision, at },
})

export async function entriesOf(store: VectorStore, tenantId?: string): Promise<Entry[]> {
  const all: Entry[] = []
  for await (const page of store.entries({ tenantId })) all.push(...page)
  return all
}

/** Records in every kind and in these tenants alike, in equal parts. */
export function spread(count: number, tenants: readonly string[]): Told[] {
  const parts = tenants.length * SEARCH_KINDS.length
  return Array.from({ length: count }, (_, i) => ({
    tenantId: tenants[i % tenants.length] as string,
    kind: SEARCH_KINDS[Math.floor(i / tenants.length) % SEARCH_KINDS.length] as SearchKind,
    id: `r${Math.floor(i / parts)}`,
    revision: i + 1,
  }))
}

/** Tells of records of any tenant and kind. */
export async function tell(store: VectorStore, all: readonly Told[], write: (told: Told) => FollowWrite = live) {
  for (const tenantId of new Set(all.map((each) => each.tenantId)))
    for (const kind of SEARCH_KINDS) {
      const some = all.filter((each) => each.tenantId === tenantId && each.kind === kind)
      for (let i = 0; i < some.length; i += 500)
        await store.tenant(tenantId).follow(
          kind,
          some.slice(i, i + 500).map((each) => write(each)),
        )
    }
}

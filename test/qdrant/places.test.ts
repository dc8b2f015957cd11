import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { QdrantOptions } from '../../src/contract/options.js'
import { refused } from '../conformance/expecting.js'
import { ADA, idsOf, says } from '../conformance/fixtures.js'
import { ids, wordModel } from '../conformance/vectors-fixtures.js'
import { type Server, startQdrant } from '../ground/index.js'
import { startQdrantTls } from '../ground/qdrant-tls.js'
import { makeAuthority } from '../support/certificates.js'

const KEY = 'key-to-everything'
const READER = 'key-to-look'
let server: Server
beforeAll(async () => {
  const settings = { QDRANT__SERVICE__API_KEY: KEY, QDRANT__SERVICE__READ_ONLY_API_KEY: READER }
  server = await startQdrant({ own: true, settings })
})
afterAll(() => server.stop())

const opened: Memory[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
})
function open(options: Partial<QdrantOptions> = {}): Memory {
  const given = { url: server.url, apiKey: KEY, embeddingFunction: wordModel(), callTimeout: 4000, ...options }
  const memory = createBackend('qdrant', given) as Memory
  opened.push(memory)
  return memory
}

async function ask(method: string, path: string, body?: object): Promise<{ status: number; result: unknown }> {
  const headers = { 'content-type': 'application/json', 'api-key': KEY }
  const sent = body && { body: JSON.stringify(body) }
  const answer = await fetch(server.url + path, { method, headers, ...sent })
  return { status: answer.status, result: ((await answer.json()) as { result: unknown }).result }
}

describe('a key', () => {
  it('opens, alone or in the URL; a wrong one and one that only reads are refused, and not told', async () => {
    await open({ collectionName: 'keyed' }).connect()
    const { hostname, port } = new URL(server.url)
    const byUrl = createBackend(`qdrant://:${KEY}@${hostname}:${port}/keyed`, { embeddingFunction: wordModel() })
    opened.push(byUrl)
    await byUrl.memories.add({ userId: ADA, content: 'x' })
    for (const [apiKey, collectionName] of [
      ['wrong-key', 'keyed'],
      [undefined, 'keyed'],
      [READER, 'not there yet'],
    ] as const) {
      const memory = open({ apiKey, collectionName })
      const error = await refused(memory.connect(), 'connection')
      expect(error.message).toMatch(/refuses the key/)
      expect(error.retryable).toBe(false)
      expect(inspect([error, memory], { depth: 12 })).not.toMatch(/wrong-key|key-to-look/)
    }
    const { result } = await ask('GET', '/collections')
    expect((result as { collections: unknown[] }).collections).toEqual([{ name: 'keyed' }])
    const reader = open({ apiKey: READER, collectionName: 'keyed' })
    expect((await reader.memories.list()).items).toHaveLength(1)
    const error = await refused(reader.memories.add({ userId: ADA, content: 'x' }), 'connection')
    expect(error.message).toMatch(/refuses the key/)
  })

  it('over TLS by the authority that is given, and not by another', async () => {
    await using tls = await startQdrantTls()
    const { url, authority } = tls
    const secure = (options: Partial<QdrantOptions>): Memory => open({ apiKey: undefined, url, ...options })
    const memory = secure({ tls: { ca: authority } })
    await memory.memories.add({ userId: ADA, content: 'a walnut' })
    expect(await ids(memory, { text: 'nuts' })).toHaveLength(1)
    for (const options of [{}, { tls: { ca: makeAuthority().certificate } }]) {
      const error = await refused(secure(options).connect(), 'connection')
      expect(error.message).toMatch(/TLS with Qdrant failed/)
      expect(error.retryable).toBe(false)
    }
    const plain = await refused(secure({ url: url.replace('https:', 'http:') }).connect(), 'connection')
    expect(plain.message).toMatch(/cannot be reached|does not speak HTTP|refused/)
    await memory.close()
  })
})

describe('a collection', () => {
  it('of another model, dimension or metric is refused, with both sides and the way out', async () => {
    const collectionName = 'spaces'
    await open({ collectionName }).connect()
    for (const options of [
      { embeddingFunction: wordModel('another') },
      { embeddingFunction: { ...wordModel(), dimensions: 9 } },
      { distanceMetric: 'dot' },
      { embeddingFunction: undefined, embeddingDimensions: 8 },
    ] as const) {
      const error = await refused(open({ collectionName, ...options }).connect(), 'configuration')
      expect(error.message).toMatch(/words, 8 dimensions, cosine; here: .*collectionName/)
    }
  })

  it('that somebody else made is not touched', async () => {
    for (const [name, vectors] of [
      ['foreign', { size: 8, distance: 'Dot' }],
      ['elsewhere', { size: 4, distance: 'Cosine' }],
    ] as const) {
      await ask('PUT', `/collections/${name}`, { vectors })
      const before = await ask('GET', `/collections/${name}`)
      const error = await refused(open({ collectionName: name }).connect(), 'configuration')
      expect(error.message).toMatch(/was not made by this library/)
      expect(await ask('GET', `/collections/${name}`)).toEqual(before)
    }
  })

  it('is made once by many who open it at the same moment, with all its indexes', async () => {
    const many = Array.from({ length: 6 }, () => open({ collectionName: 'raced', callTimeout: 20_000 }))
    await Promise.all(many.map((memory) => memory.connect()))
    const { result } = await ask('GET', '/collections/raced')
    const { payload_schema } = result as { payload_schema: Record<string, { data_type: string; params?: object }> }
    expect(payload_schema.tenant).toMatchObject({ data_type: 'keyword', params: { is_tenant: true } })
    for (const name of ['kind', 'user', 'conversation', 'namespace', 'tags', 'importance', 'position', 'created_at'])
      expect(payload_schema).toHaveProperty(name)
  })

  it('takes the shape that is asked for', async () => {
    const memory = open({
      collectionName: 'shaped',
      hnsw: { m: 0, payloadM: 24, efConstruct: 64 },
      quantization: { type: 'scalar', quantile: 0.99, alwaysRam: true },
      onDisk: true,
      onDiskPayload: false,
      efSearch: 200,
    })
    await memory.memories.add({ userId: ADA, content: 'a walnut' })
    expect(await ids(memory, { text: 'nuts' })).toHaveLength(1)
    expect(await ids(memory, { text: 'nuts', exact: true })).toHaveLength(1)
    const { result } = await ask('GET', '/collections/shaped')
    expect((result as { config: unknown }).config).toMatchObject({
      hnsw_config: { m: 0, payload_m: 24, ef_construct: 64 },
      quantization_config: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
      params: { vectors: { on_disk: true }, on_disk_payload: false },
    })
  })

  it('options that contradict one another are refused before anything is opened', () => {
    const make = (options: object) => () =>
      createBackend('qdrant', { embeddingDimensions: 2, ...options } as QdrantOptions)
    expect(() => createBackend('qdrant', {} as QdrantOptions)).toThrow(/embeddingFunction.*required/)
    expect(make({ collectionNam: 'x' })).toThrow(/collectionName/)
    expect(make({ port: 0 })).toThrow(/port/)
    expect(make({ quantization: { type: 'scala' } })).toThrow(/quantization/)
    expect(make({ url: 'ftp://x' })).toThrow(/url/)
  })

  it('contradictions of place are refused at the first call', async () => {
    await refused(open({ host: 'localhost' }).connect(), 'configuration')
    await refused(open({ tls: {} }).connect(), 'configuration')
    await refused(open({ shardTenants: ['a'] }).connect(), 'configuration')
  })
})

describe('a write', () => {
  const update = (memory: Memory, id: string) => memory.memories.update(id, { content: 'a cello' })

  it('that does not wait for the server to show it is decided about all the same', async () => {
    const memory = open({ collectionName: 'hasty', wait: false })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    for (let i = 0; i < 20; i++) await memory.memories.update('m', { metadata: { [`k${i}`]: i } })
    expect(await memory.memories.get('m')).toMatchObject({ version: 21, metadata: { k0: 0, k19: 19 } })
    await refused(memory.memories.add({ id: 'm', userId: ADA, content: 'y' }), 'conflict')
  })

  it('over what is deleted at the same moment is made before, or finds nothing', async () => {
    const memory = open({ collectionName: 'gone' })
    for (let i = 0; i < 30; i++) {
      await memory.memories.add({ id: `m${i}`, userId: ADA, content: 'a walnut' })
      const outcomes = await Promise.allSettled([memory.memories.delete(`m${i}`), update(memory, `m${i}`)])
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'not-found' })
      expect(await memory.memories.get(`m${i}`)).toBeNull()
    }
  })
})

describe('a collection for each tenant', () => {
  it('is made at its first write; reads and deletions before find nothing', async () => {
    const options = { collectionName: 'apart', tenantsBy: 'collection' } as const
    const memory = open(options)
    const [a, b] = [memory.forTenant('a/b "c"'), memory.forTenant('b')]
    expect((await a.memories.list()).items).toEqual([])
    expect(await a.search({ text: 'walnut' })).toEqual([])
    expect(await a.statistics()).toMatchObject({ memories: 0 })
    expect(await a.documents.deleteNamespace('n')).toBe(0)
    await Promise.all([1, 2, 3].map((i) => a.memories.add({ id: `m${i}`, userId: ADA, content: 'a walnut' })))
    await b.messages.append('c', says('a walnut', { id: 'x' }), { userId: ADA })
    expect((await ids(a, { text: 'nuts' })).sort()).toEqual(['m1', 'm2', 'm3'])
    expect(await ids(b, { text: 'nuts' })).toEqual(['x'])
    const { result } = await ask('GET', '/collections')
    const names = (result as { collections: { name: string }[] }).collections.map(({ name }) => name)
    expect(names.filter((name) => name.startsWith('apart-'))).toHaveLength(2)
    await a.memories.update('m1', { expiresAt: new Date(Date.now() + 20) })
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(await open(options).sweep()).toMatchObject({ memories: 1 })
    expect(idsOf((await a.memories.list({ includeExpired: true })).items).sort()).toEqual(['m2', 'm3'])
  })

  it('shards by tenant need a server in cluster mode, and say so', async () => {
    const error = await refused(open({ collectionName: 'sharded', tenantsBy: 'shard' }).connect(), 'configuration')
    expect(error.message).toMatch(/cluster mode/)
  })
})

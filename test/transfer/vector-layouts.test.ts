import { afterEach, describe, expect, inject, it } from 'vitest'
import { keyOf } from '../../src/backends/vector/point.js'
import { refused } from '../conformance/expecting.js'
import { collect } from '../conformance/fixtures.js'
import { MODEL_DIMENSIONS, vectorOf, wordModel } from '../conformance/vectors-fixtures.js'
import { startQdrantCluster } from '../ground/qdrant-cluster.js'
import { carried } from './support/vector-carried.js'
import { type OpenEnd, openEnd, sinkOf, sourceOf } from './support/vector-ends.js'
import { ALL, byName, FILLED_ALL, fill, move, readAll, TENANTS } from './support/vector-records.js'

const NAMES = ['qdrant', 'chromadb'] as const
const urlOf = (name: string): string => inject('servers')[name === 'qdrant' ? 'QDRANT_URL' : 'CHROMA_URL']
const ends: OpenEnd[] = []

async function fresh(name: string, options: object = {}, url = urlOf(name)): Promise<OpenEnd> {
  const end = await openEnd(name, url, { embeddingFunction: wordModel(), ...options })
  ends.push(end)
  return end
}

afterEach(async () => {
  for (const end of ends.splice(0)) await end.remove()
})

describe.each(NAMES)('%s that follows another memory', (name) => {
  it('has no records to give, and takes none', async () => {
    const end = await fresh(name)
    const store = end.store()
    await store.open(
      { provider: 'custom', model: 'words', dimensions: MODEL_DIMENSIONS, metric: 'cosine' },
      async () => 8,
    )
    const key = keyOf('a', 'memory', '', 'x')
    const fields = { id: 'x', user: 'u', conversation: null, parent: null, namespace: null, role: null }
    const point = {
      key,
      fields: {
        ...fields,
        type: 'fact',
        category: null,
        tags: [],
        importance: 1,
        confidence: 1,
        created: 0,
        expires: null,
        position: null,
        metadata: {},
      },
      content: '',
      rest: JSON.stringify({ seq: 1 }),
      revision: 5,
      earlier: [],
      hash: 'ab',
    }
    await store.tenant('a').follow('memory', [{ point, vector: Float32Array.from(vectorOf('walnut')) }])
    const source = sourceOf(end.backend)
    const sink = sinkOf(end.backend)
    const range = { kind: 'memory', from: null, to: null, records: 1 } as const
    const limits = { records: 10, bytes: 1000 }
    for (const work of [
      () => source.ranges(ALL, 10),
      () => source.fingerprint(ALL),
      () => collect(source.read(range, { after: null, limits })),
      () => sink.open(null),
    ]) {
      const error = await refused(work, 'configuration')
      expect(error.message).toMatch(/index of another memory/)
    }
    await store.tenant('a').follow('memory', [{ gone: { key, revision: 6, at: 0 } }])
    if (store.followsSideBySide) await refused(sink.open(null), 'configuration')
    await store.close()
  })
})

const broken = { id: keyOf('a', 'memory', '', 'bad'), vector: vectorOf('x') }

describe('what is stored and is no record', () => {
  it('is told as such with its key, and the others are carried', async () => {
    const end = await fresh('qdrant')
    await sinkOf(end.backend).write([carried.memory()])
    const payload = { tenant: 'a', kind: 'memory', id: 'bad', revision: 1, rest: '["secret"', content: 'secret' }
    await fetch(`${urlOf('qdrant')}/collections/${end.collection}/points?wait=true`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ points: [{ ...broken, payload }] }),
    })
    const all = await readAll(sourceOf(end.backend))
    expect(all).toHaveLength(2)
    const bad = all.find(({ fault }) => fault !== undefined)
    expect(bad).toMatchObject({
      kind: 'memory',
      record: { tenantId: 'a', id: 'bad' },
      fault: 'record: what is stored is no memory',
    })
    const target = await fresh('chromadb')
    expect(await sinkOf(target.backend).write(all)).toMatchObject({ written: 1, refused: [{ reason: bad?.fault }] })
  })
})

describe('qdrant with tenants apart', () => {
  it('in collections of their own: read and written like any other', async () => {
    const [one, two] = [await fresh('qdrant', { tenantsBy: 'collection' }), await fresh('chromadb')]
    await fill(one.memory())
    const wanted = byName(await readAll(sourceOf(one.backend)))
    expect(Object.keys(wanted)).toHaveLength(FILLED_ALL)
    expect(await move(sourceOf(one.backend), sinkOf(two.backend))).toMatchObject({ written: FILLED_ALL })
    const back = await fresh('qdrant', { tenantsBy: 'collection' })
    expect(await move(sourceOf(two.backend), sinkOf(back.backend))).toMatchObject({ written: FILLED_ALL })
    expect(byName(await readAll(sourceOf(back.backend)))).toEqual(wanted)
    const scope = { ...ALL, tenantId: TENANTS[1] as string }
    expect(await readAll(sourceOf(back.backend), { scope })).toHaveLength(FILLED_ALL / 2)
    expect(await sourceOf(back.backend).fingerprint({ ...ALL, tenantId: 'nobody' })).toBe(
      'message 0 0, memory 0 0, document 0 0',
    )

    // Opened as if all tenants shared one, it would seem to be empty.
    const careless = await back.again({ tenantsBy: undefined })
    expect((await refused(sourceOf(careless).ranges(ALL, 10), 'configuration')).message).toMatch(/tenantsBy/)
    await refused(sinkOf(careless).open(null), 'configuration')
    expect(await sourceOf(await back.again({ tenantsBy: 'payload' })).ranges(ALL, 10)).toEqual([])
  })

  it('in shards of their own', async () => {
    const cluster = await startQdrantCluster({ nodes: 1 })
    try {
      const options = { tenantsBy: 'shard', shardTenants: [TENANTS[0]] }
      const [one, two] = [await fresh('qdrant', options, cluster.urls[0]), await fresh('qdrant')]
      await fill(one.memory())
      const wanted = byName(await readAll(sourceOf(one.backend)))
      expect(await move(sourceOf(one.backend), sinkOf(two.backend))).toMatchObject({ written: FILLED_ALL })
      const back = await fresh('qdrant', options, cluster.urls[0])
      expect(await move(sourceOf(two.backend), sinkOf(back.backend))).toMatchObject({ written: FILLED_ALL })
      expect(byName(await readAll(sourceOf(back.backend)))).toEqual(wanted)
      // Reads do not have to know of the shards.
      const plain = await back.again({ tenantsBy: undefined, shardTenants: undefined })
      expect(byName(await readAll(sourceOf(plain)))).toEqual(wanted)
      for (const end of ends.splice(0)) await end.remove()
    } finally {
      await cluster.stop()
    }
  })
})

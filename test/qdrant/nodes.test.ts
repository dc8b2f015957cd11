import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { QdrantOptions } from '../../src/contract/options.js'
import { failure } from '../conformance/expecting.js'
import { ADA, collect, says } from '../conformance/fixtures.js'
import { ids, wordModel } from '../conformance/vectors-fixtures.js'
import { type QdrantCluster, startQdrantCluster } from '../ground/qdrant-cluster.js'

describe('three nodes', { timeout: 120_000 }, () => {
  let cluster: QdrantCluster
  beforeAll(async () => {
    cluster = await startQdrantCluster({ nodes: 3 })
  }, 60_000)
  afterAll(() => cluster.stop())

  const at = (node: number, options: Partial<QdrantOptions>): Memory =>
    createBackend('qdrant', {
      url: cluster.urls[node] as string,
      embeddingFunction: wordModel(),
      callTimeout: 30_000,
      ...options,
    }) as Memory

  it('each change of many writers on all nodes is there once', async () => {
    const options = { collectionName: 'replicated', shardNumber: 2, replicationFactor: 3 }
    const memories = [0, 1, 2].map((node) => at(node, options))
    try {
      await memories[0]?.memories.add({ id: 'm', userId: ADA, content: 'x' })
      const changes = Array.from({ length: 30 }, (_, i) =>
        failure((memories[i % 3] as Memory).memories.update('m', { metadata: { [`k${i}`]: i } })),
      )
      const done = (await Promise.all(changes)).flatMap((error, i) => (error === null ? [`k${i}`] : []))
      const stored = await memories[1]?.memories.get('m')
      expect(Object.keys(stored?.metadata ?? {}).sort()).toEqual(done.sort())
      expect(stored?.version).toBe(1 + done.length)
      expect(done.length).toBeGreaterThan(10)
    } finally {
      await Promise.all(memories.map((memory) => memory.close()))
    }
  })

  it('tenants have shards of their own, and all others share one', async () => {
    const options = { collectionName: 'sharded', tenantsBy: 'shard', shardTenants: ['large'] } as const
    const memory = at(0, options)
    const again = at(1, { ...options, shardTenants: ['large', 'larger'] })
    try {
      for (const tenant of ['large', 'small', 'tiny'])
        await memory.forTenant(tenant).memories.add({ id: 'm', userId: ADA, content: `a walnut of ${tenant}` })
      await again.forTenant('larger').documents.upsert({ namespace: 'n', id: 'd', content: 'a walnut' })
      for (const tenant of ['large', 'small', 'tiny', 'larger']) {
        const hits = await again.forTenant(tenant).search({ text: 'nuts' })
        expect(hits.map(({ record }) => record.tenantId)).toEqual([tenant])
      }
      await memory.forTenant('large').memories.update('m', { importance: 0.9 })
      await memory.forTenant('large').memories.delete('m')
      expect(await memory.forTenant('large').statistics()).toMatchObject({ memories: 0 })
      expect(await memory.forTenant('small').statistics()).toMatchObject({ memories: 1 })
    } finally {
      await Promise.all([memory.close(), again.close()])
    }
  })

  it('with two replicas, a node that dies takes no acknowledged write with it, and reads and writes go on', async () => {
    const options = { collectionName: 'kept', shardNumber: 3, replicationFactor: 2, writeConsistencyFactor: 1 }
    const memory = at(0, options)
    try {
      await memory.connect()
      await cluster.replicated('kept')
      const acknowledged: string[] = []
      const write = async (i: number): Promise<void> => {
        const error = await failure(
          memory.messages.append('c', says(`the ferry ${i}`, { id: `m${i}` }), { userId: ADA }),
        )
        if (error === null) acknowledged.push(`m${i}`)
      }
      for (let i = 0; i < 30; i++) await write(i)
      await cluster.nodes[2]?.kill()
      for (let i = 30; i < 50; i++) await write(i)
      const stored = (await collect(memory.messages.each('c'))).map(({ id }) => id)
      expect(acknowledged.filter((id) => !stored.includes(id))).toEqual([])
      expect(new Set(stored).size).toBe(stored.length)
      expect(acknowledged.length).toBeGreaterThanOrEqual(45)
      expect(await ids(memory, { text: 'boat', limit: 100 })).toHaveLength(stored.length)
      await cluster.nodes[2]?.start()
      await cluster.agreed()
      await cluster.replicated('kept')
      const back = at(2, options)
      expect((await collect(back.messages.each('c'))).map(({ id }) => id)).toEqual(stored)
      await back.close()
    } finally {
      await memory.close()
    }
  })
})

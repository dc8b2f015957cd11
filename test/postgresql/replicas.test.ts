import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { type PrimaryWithReplica, startPrimaryWithReplica } from '../ground/postgres-replica.js'

let servers: PrimaryWithReplica
let memory: Memory
const says = (content: string) => ({ role: 'user' as const, content })

beforeAll(async () => {
  servers = await startPrimaryWithReplica()
  memory = createBackend('postgresql', {
    connectionString: servers.primaryUrl,
    replicas: [servers.replicaUrl],
    replicaWait: 2000,
  })
  await memory.connect()
})
afterAll(async () => {
  await memory.close()
  await servers.stop()
})

/** Which server a memory reads from: what is written beside it on the primary is not on a replica that pauses. */
async function readsFromReplica(behind: () => Promise<boolean>): Promise<boolean> {
  return !(await behind())
}

describe('several hosts in one URL', () => {
  const hosts = (...urls: readonly string[]): string => {
    const [first = ''] = urls
    return first.replace(new URL(first).host, urls.map((url) => new URL(url).host).join(','))
  }
  const absent = (): string => {
    const made = new URL(servers.primaryUrl)
    made.port = '1'
    return made.href
  }

  test('lead to the one that accepts writes, whatever their order', async () => {
    for (const urls of [
      [servers.replicaUrl, servers.primaryUrl],
      [absent(), servers.primaryUrl],
      [servers.primaryUrl, absent(), servers.replicaUrl],
    ]) {
      const found = createBackend('postgresql', { connectionString: hosts(...urls), poolSize: 4, connectTimeout: 2000 })
      await Promise.all(Array.from({ length: 8 }, (_, i) => found.users.create({ name: `${i}` })))
      await found.unitOfWork((unit) => unit.users.create({ name: 'of a unit' }))
      await found.close()
    }
  })

  test('are refused in time where none accepts writes', async () => {
    const found = createBackend('postgresql', {
      connectionString: hosts(servers.replicaUrl, absent()),
      connectTimeout: 1000,
    })
    await expect(found.connect()).rejects.toMatchObject({ code: 'connection' })
    await found.close()
  })
})

describe('reads with a replica', () => {
  test('see what this memory wrote, outside and inside of units', async () => {
    for (let i = 0; i < 30; i++) {
      await memory.messages.append('own', says(`${i}`), { userId: 'ada' })
      expect((await memory.messages.list('own', { last: 1 })).items[0]?.content).toBe(`${i}`)
      await memory.unitOfWork((unit) => unit.memories.add({ id: `m${i}`, userId: 'ada', content: `fact ${i}` }))
      expect((await memory.memories.get(`m${i}`))?.content).toBe(`fact ${i}`)
    }
  })

  test('go to the replica, which may be behind another process, but never units and sessions', async () => {
    const other = createBackend('postgresql', { connectionString: servers.primaryUrl })
    await other.sessions.create({ id: 's', userId: 'ada' })
    await memory.messages.append('shared', says('before'), { userId: 'ada' })
    await servers.caughtUp()
    await memory.messages.list('shared')
    await servers.pauseReplay()
    try {
      await other.messages.append('shared', says('after'))
      await other.sessions.end('s')
      const seen = async () => (await memory.messages.list('shared')).items.length === 2
      expect(await readsFromReplica(seen)).toBe(true)
      expect((await memory.sessions.get('s'))?.endedAt).not.toBeNull()
      await memory.unitOfWork(async (unit) => {
        expect((await unit.messages.list('shared')).items).toHaveLength(2)
      })
    } finally {
      await servers.resumeReplay()
      await other.close()
    }
  })

  test('go to the primary where the replica does not catch up in time', async () => {
    const hasty = createBackend('postgresql', {
      connectionString: servers.primaryUrl,
      replicas: [servers.replicaUrl],
      replicaWait: 20,
    })
    await hasty.connect()
    await servers.caughtUp()
    await servers.pauseReplay()
    try {
      await hasty.messages.append('hasty', says('now'), { userId: 'ada' })
      expect((await hasty.messages.list('hasty')).items).toHaveLength(1)
    } finally {
      await servers.resumeReplay()
      await hasty.close()
    }
  })

  test('go to the primary where what is called a replica is none', async () => {
    const mistaken = createBackend('postgresql', {
      connectionString: servers.primaryUrl,
      replicas: [servers.primaryUrl],
    })
    await mistaken.messages.append('mistaken', says('one'), { userId: 'ada' })
    for (let i = 0; i < 3; i++) expect((await mistaken.messages.list('mistaken')).items).toHaveLength(1)
    await mistaken.close()
  })

  test('go to the primary where the replica is down, and back to it later', async () => {
    await servers.replica.kill()
    await memory.messages.append('down', says('one'), { userId: 'ada' })
    expect((await memory.messages.list('down')).items).toHaveLength(1)
    expect(await memory.healthCheck()).toBe(true)
    await servers.replica.start()
    expect((await memory.messages.list('down')).items).toHaveLength(1)
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { startRedis } from '../ground/redis.js'
import type { Server } from '../ground/types.js'
import { everything, foundIn, plant, word } from './canaries.js'

let server: Server
beforeAll(async () => {
  server = await startRedis({ own: true, settings: { save: '3600 1' } })
})
afterAll(() => server.stop())

const open = () => createBackend('redis', { url: server.url, events: true })

/** Names of keys are encoded. */
const encoded = (who: string): string => Buffer.from(who).toString('base64url')

describe('erase on Redis', () => {
  test('leaves no byte of a user in the files of the server, and another user as they were', async () => {
    const memory = open()
    const acme = memory.forTenant('acme')
    for (const who of ['ada', 'bob']) {
      await plant(acme, who, { vectors: false })
      await acme.cache.set(`profile:${who}`, { of: word(who, 'content') })
      await acme.rateLimiter({ points: 5, duration: 60 }).consume(who)
    }
    const before = await everything(acme, 'bob')
    expect(foundIn([server.folder], 'ada').length).toBeGreaterThan(15)
    const dry = await memory.erase({ tenantId: 'acme', userId: 'ada' }, { dryRun: true })
    const report = await memory.erase({ tenantId: 'acme', userId: 'ada' })
    expect(report.stores[0]?.error).toBe(null)
    expect(report.stores[0]?.parts.filter(({ left }) => left !== 0)).toEqual([])
    expect(report.stores[0]?.parts.map(({ what, found }) => [what, found])).toEqual(
      dry.stores[0]?.parts.map(({ what, found }) => [what, found]),
    )
    expect(report.stores[0]?.scrub.map(({ what, done }) => [what, done])).toEqual([
      ['BGREWRITEAOF', true],
      ['BGSAVE', true],
    ])
    expect(report).toMatchObject({ erased: true, scrubbed: true, complete: true })
    expect(foundIn([server.folder], 'ada')).toEqual([])
    expect(await everything(acme, 'bob')).toEqual(before)
    expect(await acme.cache.get('profile:bob')).toBe(null)
    await memory.close()
  })

  test('leaves no key of a tenant, and every key of another', async () => {
    const memory = open()
    for (const name of ['north', 'south']) {
      const tenant = memory.forTenant(name)
      await plant(tenant, 'eve', { vectors: false })
      await tenant.cache.set('key', word('eve', 'content'))
      await tenant.rateLimiter({ points: 5, duration: 60 }).consume('anything')
    }
    const before = await everything(memory.forTenant('south'), 'eve')
    const report = await memory.erase({ tenantId: 'north' })
    expect(report).toMatchObject({ complete: true })
    const { Redis } = await import('ioredis')
    const client = new Redis(server.url)
    const keys = await client.keys('*')
    expect(keys.filter((key) => key.includes(`.${encoded('north')}}`))).toEqual([])
    expect(await client.zrange(`bruno:{${encoded('bruno_memory')}}:tenants`, 0, '-1')).not.toContain('north')
    client.disconnect()
    expect(await everything(memory.forTenant('south'), 'eve')).toEqual(before)
    expect(await memory.forTenant('south').cache.get('key')).toBe(word('eve', 'content'))
    await memory.close()
  })
})

import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { TenantKeys } from '../../src/backends/redis/keys.js'
import type { RedisOptions } from '../../src/contract/options.js'
import { numbered, says, talk } from '../conformance/fixtures.js'
import { freshPrefix, memories, serverUrl } from './support/memories.js'

let admin: Redis
beforeAll(() => {
  admin = new Redis(serverUrl())
})
afterAll(() => admin.disconnect())
const { create, dispose } = memories()
afterEach(dispose)

/** Redis takes whole blocks of a stream away, of 100 entries where nothing else is configured. */
const BLOCK = 100

const WRITTEN = 600
/** Writes by the two ways that tell of them: appends of their own, and units. */
async function write(options: Partial<RedisOptions>, keys = new TenantKeys(options.prefix as string, 'default')) {
  const memory = create(options)
  await talk(memory, 'c', ['first'])
  await Promise.all(numbered(WRITTEN / 2).map((text) => memory.messages.append('c', says(text))))
  for (let i = 0; i < WRITTEN / 2; i += 50)
    await memory.unitOfWork(async (unit) => {
      for (let n = i; n < i + 50; n++) await unit.users.create({ id: `u${n}` })
    })
  return { memory, length: await admin.xlen(keys.events) }
}

it('events: { keep } bounds how many of a tenant are kept, and the newest are', async () => {
  const keep = 150
  const prefix = freshPrefix()
  const { memory, length } = await write({ prefix, events: { keep } })
  expect(length).toBeGreaterThanOrEqual(keep)
  expect(length).toBeLessThan(keep + BLOCK)
  const heard: string[] = []
  await memory.events.consume('late', ({ key }) => void heard.push(key.join(' '))).ready
  await expect.poll(() => heard.length, { timeout: 5000 }).toBe(length)
  const newest = Array.from({ length: keep }, (_, i) => `u${WRITTEN / 2 - keep + i}`)
  expect(heard.slice(-keep)).toEqual(newest)
})

it('events: true keeps far more, and without events nothing is kept', async () => {
  expect((await write({ prefix: freshPrefix(), events: true })).length).toBeGreaterThan(WRITTEN)
  expect((await write({ prefix: freshPrefix() })).length).toBe(0)
})

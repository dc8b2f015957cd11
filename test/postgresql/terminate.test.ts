import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { ConnectionError } from '../../src/errors.js'
import { ownPostgresql } from '../ground/index.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'
import { Killer, killAt, POINTS } from './support/terminate.js'

let memory: Memory
const says = (id: string) => ({ id, role: 'user' as const, content: 'x' })

afterAll(leaveServer)

describe('a connection that is ended', () => {
  let killer: Killer
  beforeEach(async () => {
    const url = await freshDatabase()
    const application = `terminate ${url.slice(-12)}`
    memory = createBackend('postgresql', { connectionString: url, poolSize: 3, applicationName: application })
    await memory.conversations.create({ id: 'c', userId: 'ada' })
    killer = new Killer(url, application)
  })
  afterEach(async () => {
    await killer.end()
    await memory.close()
    await returnDatabases()
  })

  test.each(POINTS)('%s of a unit leaves the answer and the table in agreement', async (point) => {
    for (let i = 0; i < 5; i++) {
      const { problems, answer } = await killAt(memory, killer, point, `u${i}`)
      expect(problems).toEqual([])
      if (point !== 'at commit') expect(answer).toBe('not stored')
    }
  })

  test('among appends leaves each answer true', async () => {
    const answers = new Map<string, 'stored' | 'not stored' | 'unknown'>()
    let going = true
    const worker = async (w: number): Promise<void> => {
      for (let i = 0; going; i++) {
        const id = `${w}:${i}`
        try {
          await memory.messages.append(`c${w}`, says(id), { userId: 'ada' })
          answers.set(id, 'stored')
        } catch (error) {
          answers.set(id, (error as ConnectionError).outcome === 'unknown' ? 'unknown' : 'not stored')
        }
      }
    }
    const workers = Array.from({ length: 8 }, (_, w) => worker(w))
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      await killer.kill()
    }
    going = false
    await Promise.all(workers)
    const stored = new Set<string>()
    for (let w = 0; w < 8; w++) for await (const { id } of memory.messages.each(`c${w}`)) stored.add(id)
    for (const [id, answer] of answers)
      if (answer !== 'unknown') expect([id, stored.has(id)]).toEqual([id, answer === 'stored'])
    expect([...answers.values()].filter((answer) => answer === 'stored').length).toBeGreaterThan(5)
  })
})

describe('a server that goes away', () => {
  test.each(['killed', 'shut down'] as const)(
    '%s under load and started again serves, with every answer true',
    async (how) => {
      await using server = await ownPostgresql()
      const under = createBackend('postgresql', { connectionString: server.url, poolSize: 4, connectTimeout: 1000 })
      await under.conversations.create({ id: 'c', userId: 'ada' })
      const stored = new Set<string>()
      const refused = new Set<string>()
      const errors = new Set<string>()
      let going = true
      const worker = async (w: number): Promise<void> => {
        for (let i = 0; going; i++) {
          const id = `${w}:${i}`
          const call =
            i % 3 === 0
              ? under.unitOfWork((unit) => unit.messages.append('c', says(id)))
              : under.messages.append('c', says(id))
          await call.then(
            () => stored.add(id),
            async (error: unknown) => {
              errors.add((error as ConnectionError).code)
              if ((error as ConnectionError).outcome !== 'unknown') refused.add(id)
              await new Promise((resolve) => setTimeout(resolve, 20))
            },
          )
        }
      }
      const workers = Array.from({ length: 6 }, (_, w) => worker(w))
      await expect.poll(() => stored.size).toBeGreaterThan(20)
      await (how === 'killed' ? server.kill() : server.shutdown())
      expect(await under.healthCheck()).toBe(false)
      await server.start()
      const before = stored.size
      await expect.poll(() => stored.size, { timeout: 10_000 }).toBeGreaterThan(before + 20)
      going = false
      await Promise.all(workers)
      const there = new Set<string>()
      for await (const { id } of under.messages.each('c')) there.add(id)
      expect([...stored].filter((id) => !there.has(id))).toEqual([])
      expect([...refused].filter((id) => there.has(id))).toEqual([])
      expect([...errors].filter((code) => code !== 'connection')).toEqual([])
      await under.close()
    },
  )
})

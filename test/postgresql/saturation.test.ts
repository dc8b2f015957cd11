import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'
import { saturate } from './support/saturation.js'

let url: string
let memory: Memory
beforeEach(async () => {
  url = await freshDatabase()
})
afterEach(async () => {
  await memory.close()
  await returnDatabases()
})
afterAll(leaveServer)

const says = (content: string) => ({ role: 'user' as const, content })

describe('far more callers than connections', () => {
  test('lose nothing, leave nothing of what was rolled back, and all are answered', async () => {
    memory = createBackend('postgresql', { connectionString: url, poolSize: 4, acquireTimeout: 120_000 })
    const report = await saturate(memory, url, { workers: 300, target: 5000 })
    expect(report).toMatchObject({ lost: 0, phantoms: 0, partial: 0, refused: 0 })
    expect(report.acknowledged).toBeGreaterThanOrEqual(5000)
  })

  test('are refused after the deadline, in time and before anything was begun, and served afterwards', async () => {
    memory = createBackend('postgresql', { connectionString: url, poolSize: 2, acquireTimeout: 300 })
    await memory.messages.append('c', says('first'), { userId: 'ada' })
    let release: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const holder = memory.unitOfWork(async (unit) => {
      await unit.messages.append('c', says('of the holder'))
      await held
    })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => memory.memories.add({ userId: 'ada', content: `late ${i}` })),
    )
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'overloaded', retryable: true } })
    release()
    await holder
    await memory.memories.add({ userId: 'ada', content: 'in time' })
    expect(await memory.statistics()).toMatchObject({ messages: 2, memories: 1 })
  })

  test('one connection serves units and everything else in turn', async () => {
    memory = createBackend('postgresql', { connectionString: url, poolSize: 1 })
    const report = await saturate(memory, url, { workers: 20, target: 300, units: 0.1 })
    expect(report).toMatchObject({ lost: 0, phantoms: 0, partial: 0, refused: 0 })
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { v7 } from 'uuid'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { keyOf } from '../../src/backends/vector/point.js'
import type { MemoryOptions } from '../../src/contract/composition.js'
import { createMemory, type Memory } from '../../src/index.js'
import { type Server, startQdrant } from '../ground/index.js'
import { compareStores, noDifferences } from './support/agreement.js'
import { brought } from './support/brought.js'
import { qdrantPeek } from './support/engine.js'
import { startPickyProxy } from './support/picky-proxy.js'
import { sqlitePeek } from './support/primary.js'
import { DIMENSIONS, vectorOf } from './support/vectors.js'

const opened: Memory[] = []
const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-away-'))
afterEach(async () => {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function open(options: MemoryOptions): Promise<Memory> {
  const memory = createMemory({ embeddingDimensions: DIMENSIONS, ...options })
  opened.push(memory)
  await memory.connect()
  return memory
}

const fresh = () => {
  const databasePath = join(folder, `${v7()}.db`)
  return { databasePath, primary: { backend: 'sqlite', databasePath }, collectionName: `away_${v7()}` }
}

async function depthOf(memory: Memory): Promise<number> {
  const [semantic] = (await memory.followers()).filter(({ kind }) => kind === 'semantic')
  return semantic?.depth ?? -1
}

const add = (memory: Memory, id: string) => {
  const content = `text ${id}`
  return memory.memories.add({ id, userId: 'ada', content, vector: vectorOf(content) })
}

describe('a semantic store that is away', () => {
  let server: Server
  beforeAll(async () => {
    server = await startQdrant({ own: true })
  })
  afterAll(() => server.stop())

  test('is told of everything in order when it is back, and nobody waits for it meanwhile', async () => {
    const { databasePath, primary, collectionName } = fresh()
    const semantic = { backend: 'qdrant', url: server.url, collectionName }
    const memory = await open({ primary, semantic })
    await add(memory, 'first')
    await memory.settle()
    const spy = brought()
    await server.kill()
    const before = process.memoryUsage().rss
    let written = 0
    let slowest = 0
    for (const until = performance.now() + 5000; performance.now() < until; written++) {
      const started = performance.now()
      await add(memory, `m${written}`)
      slowest = Math.max(slowest, performance.now() - started)
      await sleep(2)
    }
    expect(await depthOf(memory)).toBe(written)
    const grown = process.memoryUsage().rss - before
    await server.start()
    const back = performance.now()
    while ((await depthOf(memory)) > 0 && performance.now() - back < 30_000) await sleep(20)
    spy.restore()
    expect(await depthOf(memory)).toBe(0)
    expect(spy).toMatchObject({ records: written, inOrder: true })
    expect(slowest).toBeLessThan(1000)
    expect(grown).toBeLessThan(64 * 2 ** 20)
    await agree(databasePath, server.url, collectionName, written + 1)
  })
})

async function agree(databasePath: string, url: string, collectionName: string, records: number): Promise<void> {
  const peek = sqlitePeek(databasePath)
  const differences = noDifferences()
  await compareStores(peek, qdrantPeek(url, collectionName), differences)
  await peek.close()
  expect(differences).toMatchObject({ wrong: [], records })
}

test('a record that the store refuses is left alone after its attempts, and stops no other', async () => {
  const { databasePath, primary, collectionName } = fresh()
  const { QDRANT_URL } = inject('servers')
  await using proxy = await startPickyProxy(QDRANT_URL)
  let ahead = 0
  const clock = () => Date.now() + ahead
  const semantic = { backend: 'qdrant', url: proxy.url, collectionName }
  const memory = await open({ primary, semantic, clock, settle: 'off' })
  proxy.poison = keyOf('default', 'memory', '', 'm7')
  for (let i = 0; i < 20; i++) await add(memory, `m${i}`)
  const told: number[] = []
  for (let attempt = 1; attempt <= 5; attempt++) {
    const { pending, parked } = await memory.settle()
    expect({ pending, parked }).toEqual(attempt < 5 ? { pending: 1, parked: 0 } : { pending: 0, parked: 1 })
    told.push((await qdrantPeek(QDRANT_URL, collectionName).points()).length)
    ahead += 300_000
  }
  expect(told).toEqual([19, 19, 19, 19, 19])
  const refused = proxy.refused
  await add(memory, 'later')
  expect(await memory.settle()).toEqual({ pending: 0, parked: 1 })
  expect(proxy.refused).toBe(refused)
  expect(await memory.followers()).toMatchObject([{ kind: 'semantic', depth: 0, parked: 1 }])
  proxy.poison = null
  expect(await memory.requeue('semantic')).toBe(1)
  expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
  await agree(databasePath, QDRANT_URL, collectionName, 21)
})

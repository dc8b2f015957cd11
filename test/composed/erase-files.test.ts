import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { createMemory } from '../../src/index.js'
import { DIMENSIONS, everything, foundIn, plant } from '../erase/canaries.js'
import { startChroma, startQdrant, startRedis } from '../ground/index.js'
import type { Server } from '../ground/types.js'
import { folder } from './composition.js'

const PATIENCE = { timeout: 10_000, interval: 200 }

const started: Server[] = []
afterAll(() => Promise.all(started.map((server) => server.stop())))

async function start(server: Promise<Server>): Promise<Server> {
  const made = await server
  started.push(made)
  return made
}

const SEMANTIC = {
  qdrant: () => startQdrant({ own: true }),
  chromadb: () => startChroma({ own: true }),
} as const

/** Which canaries of somebody are in the files of each store. */
const traces = (places: Readonly<Record<string, string>>, who: string) =>
  Object.fromEntries(Object.entries(places).map(([name, path]) => [name, foundIn([path], who)]))

describe.each(Object.keys(SEMANTIC) as (keyof typeof SEMANTIC)[])('after an erasure, the files of %s', (name) => {
  test('and of those beside it hold not one word or vector of the user, and all of the others', async () => {
    const semantic = await start(SEMANTIC[name]())
    const redis = await start(startRedis({ own: true, settings: { appendonly: 'yes', save: '3600 1' } }))
    const file = folder()
    const memory = createMemory({
      primary: { backend: 'sqlite', databasePath: join(file, 'memory.db') },
      semantic: semantic.url.replace(/^http/, name === 'qdrant' ? 'qdrant' : 'chroma'),
      cache: redis.url,
      // Stored as they are: a cosine's vectors are stored at length 1, and other bytes would have to be looked for.
      distanceMetric: 'dot',
      embeddingDimensions: DIMENSIONS,
    })
    const acme = memory.forTenant('acme')
    for (const who of ['ada', 'bob']) await plant(acme, who)
    await memory.settle()
    for (const who of ['ada', 'bob']) {
      await acme.messages.list(`c-${who}`)
      await acme.search({ text: `qzx${who}contentvjk`, userId: who })
    }
    const places = { sqlite: file, [name]: semantic.folder, redis: redis.folder }
    // Redis writes its file once a second.
    await vi.waitFor(() => {
      const before = traces(places, 'ada')
      expect(Object.keys(before).filter((store) => before[store]?.length === 0)).toEqual([])
    }, PATIENCE)
    const others = await everything(acme, 'bob')
    const report = await memory.erase({ tenantId: 'acme', userId: 'ada' })
    expect(report.stores.flatMap(({ store, error }) => (error ? [`${store}: ${error}`] : []))).toEqual([])
    expect(report).toMatchObject({ erased: true, scrubbed: true, complete: true })
    // Qdrant deletes the files of a collection that is gone in the background.
    await vi.waitFor(() => expect(traces(places, 'ada')).toEqual({ sqlite: [], [name]: [], redis: [] }), PATIENCE)
    expect(await everything(acme, 'bob')).toEqual(others)
    expect(await memory.verify()).toMatchObject({ missing: 0, orphan: 0, stale: 0 })
    await memory.close()
  })
})

import Sqlite from 'better-sqlite3'
import { afterEach, expect, inject, test } from 'vitest'
import {
  ConfigurationError,
  ConflictError,
  createBackend,
  createMemory,
  TimeoutError,
  transferOnline,
} from '../../src/index.js'
import { newOwner } from '../../src/owner.js'
import { openCapture } from '../../src/run-online.js'
import { openSource, openTarget } from '../../src/run-transfer.js'
import { OnlineMove } from '../../src/transfer/online.js'
import { type End, type EndName, freshEnd } from './support/ends.js'
import { fill } from './support/writing.js'

const servers = inject('servers')
const ends: End[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end.remove()
})
async function fresh(name: EndName): Promise<string> {
  const end = await freshEnd(name, servers)
  ends.push(end)
  return end.url
}

/** What a move has left in a file: followers of its kind, and triggers. */
function leftIn(url: string): number {
  const client = new Sqlite(url.slice('sqlite:'.length), { readonly: true })
  const count = (text: string) => Number(client.prepare(text).pluck().get())
  const left =
    count(`select count(*) from bruno_followers where kind = 'target'`) +
    count(`select count(*) from sqlite_master where name glob 'bruno_transfer_*'`)
  client.close()
  return left
}

test('a part of a memory is not moved so: what is left would be lost behind the switch', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('sqlite')]
  await fill(from)
  for (const part of [
    { tenantId: 'acme' },
    { kinds: ['user'] },
    { quarantineLimit: 5 },
    { verify: false },
    { merge: true },
  ])
    await expect(transferOnline({ from: { url: from }, to: { url: to }, ...(part as object) })).rejects.toThrow(
      ConfigurationError,
    )
  expect(leftIn(from)).toBe(0)
})

test.each(['archive', 'redis', 'qdrant'] as const)(
  'a target that cannot be kept up, such as %s, is refused before anything is noted or copied',
  async (name) => {
    const [from, to] = [await fresh('sqlite'), await fresh(name)]
    await fill(from)
    const options = name === 'qdrant' ? { embeddingDimensions: 3 } : {}
    await expect(transferOnline({ from: { url: from }, to: { url: to, options } })).rejects.toThrow(
      /cannot be kept up with a store in use/,
    )
    expect(leftIn(from)).toBe(0)
  },
)

test('a memory that got vectors of another kind meanwhile is not switched: they would be left behind', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('sqlite')]
  await fill(from)
  await transferOnline({ from: { url: from }, to: { url: to }, signal: AbortSignal.abort() })
  await using memory = createBackend(from, { embeddingDimensions: 3 })
  await memory.documents.upsert([{ namespace: 'n', id: 'a', content: 'text', vector: [0.1, 0.2, 0.3] }])
  const going = transferOnline({ from: { url: from }, to: { url: to }, resume: true })
  await expect(going).rejects.toThrow(ConflictError)
  await expect(going).rejects.toThrow(/space of vectors/)
  await memory.documents.upsert([{ namespace: 'n', id: 'b', content: 'goes on', vector: [0.1, 0.2, 0.3] }])
})

test('a target that says nothing more while writers wait does not keep them waiting', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('sqlite')]
  await fill(from)
  const [source, target, capture] = [
    await openSource({ url: from }),
    await openTarget({ url: to }),
    await openCapture({ url: from }),
  ]
  await using memory = createBackend(from)
  let silent = false
  const { end } = target
  const move = new OnlineMove(
    {
      source: source.end,
      target: {
        ...{ describe: () => end.describe(), count: (scope) => end.count(scope), unfinished: () => end.unfinished() },
        ...{ abandon: () => end.abandon(), close: () => end.close(), isKeptUp: end.isKeptUp },
        async begin(request) {
          const job = await end.begin(request)
          return {
            ...{
              checkpoint: job.checkpoint,
              epoch: job.epoch,
              finish: () => job.finish(),
              complete: () => job.complete(),
            },
            ...{ release: () => job.release(), write: (...args: Parameters<typeof job.write>) => job.write(...args) },
            apply: (present) => (silent ? new Promise(() => undefined) : (job.apply?.(present) as Promise<void>)),
          }
        },
      },
      targetSource: async () => (await openSource({ url: to })).end,
      capture: new Proxy(capture, {
        get: (of, name) => {
          if (name !== 'alone')
            return typeof Reflect.get(of, name) === 'function' ? Reflect.get(of, name).bind(of) : Reflect.get(of, name)
          return async (work: () => Promise<unknown>) => {
            await memory.messages.append('old 1', [{ role: 'user', content: 'the last one' }])
            return of.alone(() => {
              silent = true
              return work()
            })
          }
        },
      }),
      back: () => Promise.reject(new Error('not asked for')),
      old: () => Promise.reject(new Error('not asked for')),
    },
    {},
    { clock: Date.now, newId: () => 'job', owner: newOwner() },
  )
  await expect(move.run()).rejects.toThrow(TimeoutError)
  await memory.messages.append('old 1', [{ role: 'user', content: 'written behind it' }])
  expect((await memory.messages.list('old 1', { last: 2 })).items.map(({ content }) => content)).toEqual([
    'the last one',
    'written behind it',
  ])
  await capture.close()
  await source.close()
  await target.close()
}, 30_000)

test('stores that follow a memory follow it to the new primary, and are told nothing old while the old one is kept up', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('postgresql')]
  const collectionName = `moved${Date.now()}`
  const prefix = `moved${Date.now()}`
  await using memory = createMemory({
    primary: from,
    movingTo: to,
    semantic: { backend: servers.QDRANT_URL.replace(/^http/, 'qdrant'), collectionName },
    cache: { backend: servers.REDIS_URL, prefix },
    embeddingDimensions: 3,
    settle: 'await',
  })
  const put = (id: string, content: string, vector: number[]) =>
    memory.documents.upsert([{ namespace: 'n', id, content, vector }])
  const near = async (vector: number[]) => {
    const hits = await memory.search({ vector, mode: 'vector', limit: 10, fresh: true })
    return hits.map(({ record }) => `${record.id} ${record.content}`)
  }
  await put('a', 'one', [1, 0, 0])
  await put('b', 'two', [0, 1, 0])
  await memory.messages.append('c', [{ id: 'm1', role: 'user', content: 'before' }], { userId: 'ada' })
  expect(await near([1, 0, 0])).toEqual(['a one', 'b two'])
  let isKeptUp = false
  const going = transferOnline({
    from: { url: from },
    to: { url: to },
    soak: 4000,
    onProgress: ({ phase }) => {
      isKeptUp ||= phase === 'soak'
    },
  })
  for (let n = 0; !isKeptUp; n++) await put('a', `again ${n}`, [0, 0, 1])
  for (let n = 0; n < 20; n++) await put('a', `behind ${n}`, [0, 0, 1])
  await memory.documents.delete('n', 'b')
  await put('c', 'three', [0, 1, 0])
  await memory.messages.append('c', [{ id: 'm2', role: 'user', content: 'behind' }])
  await put('a', 'last', [1, 0, 0])
  const { online } = await going
  expect(online.moved).toBe(true)
  expect(online.soaked).toBeGreaterThan(0)
  expect(await near([1, 0, 0])).toEqual(['a last', 'c three'])
  expect((await memory.messages.list('c')).items.map(({ content }) => content)).toEqual(['before', 'behind'])
  expect(await memory.verify()).toMatchObject({ missing: 0, orphan: 0, stale: 0 })
}, 60_000)

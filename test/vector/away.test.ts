import { createServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { BrunoMemoryError, type ErrorCode } from '../../src/errors.js'
import { failure, refused } from '../conformance/expecting.js'
import { ADA, contentsOf, says } from '../conformance/fixtures.js'
import { wordModel } from '../conformance/vectors-fixtures.js'
import { type Server, startChroma, startQdrant } from '../ground/index.js'
import { freePort } from '../ground/ports.js'
import { type FaultyProxy, startProxy } from '../support/proxy.js'

const SECRET = 'correct-horse'
const ENGINES = [
  { name: 'qdrant', start: () => startQdrant({ own: true }), secret: { apiKey: SECRET }, tls: { https: true } },
  {
    name: 'chromadb',
    start: () => startChroma({ own: true }),
    secret: { headers: { authorization: `Bearer ${SECRET}` } },
    tls: { ssl: true },
  },
] as const

const unhandled: unknown[] = []
const note = (error: unknown): void => void unhandled.push(error)
beforeAll(() => void process.on('unhandledRejection', note))
afterAll(() => {
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

describe.each(ENGINES)('$name away', ({ name, start, secret, tls }) => {
  let server: Server
  let made = 0
  const opened: Memory[] = []
  const open = (port: number, options: object = {}): Memory => {
    const collectionName = `away-${++made}`
    const given = { port, collectionName, callTimeout: 1500, embeddingFunction: wordModel(), ...options }
    const memory: Memory = createBackend(name as string, given)
    opened.push(memory)
    return memory
  }
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server.stop())
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((memory) => memory.close()))
  })

  /** Opens nothing: it fails with this code within its time, says why, and repeats no secret. */
  async function fails(port: number, options: object, code: ErrorCode, says: RegExp, retryable: boolean) {
    const memory = open(port, { ...secret, ...options })
    const started = performance.now()
    const error = await refused(memory.connect(), code)
    expect(performance.now() - started).toBeLessThan(5000)
    expect(error.message).toMatch(says)
    expect(error.retryable).toBe(retryable)
    expect(inspect(error, { depth: 10 }) + error.stack + inspect(memory, { depth: 10 })).not.toContain(SECRET)
    expect(await memory.healthCheck()).toBe(false)
  }

  async function listening(other: HttpServer | ReturnType<typeof createTcpServer>): Promise<number> {
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    return (other.address() as AddressInfo).port
  }

  it('is absent', async () => {
    await fails(await freePort(), {}, 'connection', /ECONNREFUSED/, true)
    await fails(1, { host: 'no-such-host.invalid' }, 'connection', /cannot be reached/, true)
  })

  it('is something else: a web server, or nothing that speaks HTTP', async () => {
    const web = createServer((_, response) => response.end('<html>hello</html>'))
    const error = await failure(open(await listening(web)).connect())
    expect(error).toMatchObject({ code: 'configuration', message: expect.stringContaining('what answers there is no') })
    web.close()
    const missing = createServer((_, response) => {
      response.statusCode = 404
      response.end('nothing')
    })
    expect(await failure(open(await listening(missing)).connect())).toBeInstanceOf(BrunoMemoryError)
    missing.close()
    const other = createTcpServer((socket) => socket.on('error', () => {}).end('-ERR unknown command\r\n'))
    await fails(await listening(other), {}, 'connection', /does not speak HTTP/, false)
    other.close()
  })

  it('refuses the key, now and later, and is not taken for one without a collection', async () => {
    let status = 401
    const guard = createServer((_, response) => {
      response.statusCode = status
      response.end(`{"error":"the key ${SECRET} is wrong"}`)
    })
    const port = await listening(guard)
    await fails(port, {}, 'connection', /refuses the key/, false)
    status = 403
    await fails(port, {}, 'connection', /refuses the key/, false)
    status = 500
    await fails(port, {}, 'storage', /failed \(500\)/, true)
    status = 429
    await fails(port, {}, 'overloaded', /overloaded/, true)
    guard.closeAllConnections()
    guard.close()
  })

  it('speaks no TLS where TLS is spoken to it', async () => {
    await fails(server.port, tls, 'connection', /TLS|cannot be reached/, false)
  })

  describe('behind a line that breaks', () => {
    let proxy: FaultyProxy
    let memory: Memory
    beforeAll(async () => {
      proxy = await startProxy({ host: '127.0.0.1', port: server.port })
    })
    afterAll(() => proxy.stop())
    const through = async (callTimeout = 5000): Promise<Memory> => {
      // The collection is made with all the time that a busy machine needs for it.
      const collectionName = `away-${++made}`
      const maker = open(server.port, { collectionName, callTimeout: 30_000 })
      await maker.connect()
      await maker.close()
      memory = open(proxy.port, { collectionName, callTimeout })
      await memory.connect()
      return memory
    }

    it('every write whose answer gets lost is made once', async () => {
      await through()
      await memory.memories.add({ id: 'm', userId: ADA, content: 'a walnut' })
      await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'music' })
      await memory.messages.append('c', says('first', { id: 'one' }), { userId: ADA })
      const writes: readonly (() => Promise<unknown>)[] = [
        () => memory.memories.add({ id: 'new', userId: ADA, content: 'a garden' }),
        () => memory.memories.add({ userId: ADA, content: 'without a name' }),
        () => memory.memories.update('m', { content: 'a cello', tags: ['x'] }),
        () => memory.memories.update('m', { importance: 0.9 }),
        () => memory.memories.recall({ userId: ADA, limit: 1 }),
        () => memory.documents.upsert({ namespace: 'n', id: 'd', content: 'music', metadata: { page: 2 } }),
        () => memory.messages.append('c', [says('second', { id: 'two' }), says('third')]),
        () => memory.messages.update('c', 'one', { content: 'the first' }),
        () => memory.messages.delete('c', 'two'),
      ]
      for (const [i, write] of writes.entries())
        for (const lost of [1, 2, 3]) {
          if (lost > 1 && ![2, 3, 5, 7].includes(i)) continue
          proxy.dropReplies(lost)
          await expect(write(), `write ${i}, ${lost} lost`).resolves.not.toThrow()
          proxy.dropReplies(0)
        }
      const { items } = await memory.memories.list()
      expect(contentsOf(items).sort()).toEqual(['a cello', 'a garden', 'without a name'])
      expect(items.find(({ id }) => id === 'm')).toMatchObject({ version: 7, importance: 0.9, tags: ['x'] })
      expect(items.reduce((sum, { accessCount }) => sum + accessCount, 0)).toBe(1)
      expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['the first', 'third'])
      expect(await memory.statistics()).toMatchObject({ messages: 2, memories: 3, documents: 1 })
      expect(await memory.documents.get('n', 'd')).toMatchObject({ version: 4, metadata: { page: 2 } })
    })

    it('a line that hangs is an error within its time, and what follows it works', async () => {
      await through(800)
      await memory.memories.add({ id: 'm', userId: ADA, content: 'a walnut' })
      proxy.freeze()
      for (const call of [
        () => memory.memories.get('m'),
        () => memory.memories.update('m', { importance: 0.9 }),
        () => memory.search({ text: 'walnut' }),
      ]) {
        const started = performance.now()
        const error = await failure(call())
        expect(error).toMatchObject({ code: expect.stringMatching(/^(timeout|connection)$/), retryable: true })
        expect(performance.now() - started).toBeLessThan(4000)
      }
      proxy.cut()
      proxy.thaw()
      expect((await memory.memories.get('m'))?.content).toBe('a walnut')
    })

    it('connections that are cut, or refused for a while, cost time alone', async () => {
      await through()
      for (let i = 0; i < 5; i++) {
        const write = memory.memories.add({ id: `m${i}`, userId: ADA, content: 'x' })
        proxy.cut()
        await write
      }
      proxy.refuse(true)
      proxy.cut()
      const waits = memory.memories.list()
      setTimeout(() => proxy.refuse(false), 300)
      expect((await waits).items).toHaveLength(5)
    })

    it('closing does not wait for a line that hangs', async () => {
      await through(60_000)
      proxy.freeze()
      const call = failure(memory.memories.list())
      await new Promise((resolve) => setTimeout(resolve, 50))
      const started = performance.now()
      setTimeout(() => proxy.cut(), 500)
      setTimeout(() => proxy.thaw(), 510)
      await Promise.all([memory.close(), call])
      expect(performance.now() - started).toBeLessThan(10_000)
    })
  })

  it('killed in the middle of writes and started again, twenty times: nothing acknowledged is lost or doubled', {
    timeout: 120_000,
  }, async () => {
    const memory = open(server.port, { callTimeout: 15_000 })
    await memory.connect()
    const stored: string[] = []
    let going = true
    const writing = (async () => {
      for (let i = 0; going; i++) {
        const answer = await failure(memory.messages.append('c', [says(`n${i}`)], { userId: ADA }))
        if (answer === null) stored.push(`n${i}`)
        else expect(answer).toBeInstanceOf(BrunoMemoryError)
      }
    })()
    for (let kills = 0; kills < 20; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 20 + 17 * (kills % 7)))
      await server.kill()
      await server.start()
    }
    going = false
    await writing
    const found: string[] = []
    for await (const { content } of memory.messages.each('c')) found.push(content)
    expect(new Set(found).size).toBe(found.length)
    expect(stored.filter((content) => !found.includes(content))).toEqual([])
    expect(stored.length).toBeGreaterThan(20)
  })
})

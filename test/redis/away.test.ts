import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { RedisOptions } from '../../src/contract/options.js'
import { ConfigurationError, type ErrorCode } from '../../src/errors.js'
import { failure, refused } from '../conformance/expecting.js'
import { ADA, contentsOf, numbered, says, talk } from '../conformance/fixtures.js'
import { type Server, startRedis } from '../ground/index.js'
import { freePort } from '../ground/ports.js'
import { addUser, tell } from '../ground/redis-acl.js'
import { startRedisTls } from '../ground/redis-tls.js'
import { makeAuthority } from '../support/certificates.js'
import { type FaultyProxy, startProxy } from '../support/proxy.js'
import { memories } from './support/memories.js'

let server: Server
beforeAll(async () => {
  server = await startRedis({ own: true })
})
afterAll(() => server.stop())
const { create, dispose } = memories(() => ({ url: server.url }))
afterEach(dispose)

const SECRET = 'correct horse'
const unhandled: unknown[] = []
const note = (error: unknown): void => void unhandled.push(error)
beforeAll(() => void process.on('unhandledRejection', note))
afterAll(() => {
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

/** Opens nothing: it fails with this code, says why, and repeats no secret. */
async function fails(options: Partial<RedisOptions>, code: ErrorCode, says: RegExp, retryable: boolean): Promise<void> {
  const memory = createBackend('redis', { callTimeout: 1500, connectTimeout: 1500, password: SECRET, ...options })
  const started = performance.now()
  const error = await refused(memory.connect(), code)
  expect(performance.now() - started).toBeLessThan(4000)
  expect(error.message).toMatch(says)
  expect(error.retryable).toBe(retryable)
  expect(inspect(error, { depth: 10 }) + error.stack).not.toContain(SECRET)
  expect(await memory.healthCheck()).toBe(false)
  await memory.close()
}

describe('a server that cannot be opened', () => {
  const noPassword = { password: undefined }
  it('is absent, or no Redis at all', async () => {
    await fails({ port: await freePort() }, 'connection', /ECONNREFUSED/, true)
    const other = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const error = await failure(
      createBackend('redis', { port: (other.address() as AddressInfo).port, callTimeout: 1000 }).connect(),
    )
    expect(error).toMatchObject({ code: expect.stringMatching(/^(connection|storage)$/) })
    other.close()
  })

  it('refuses the password, the user, or the database', async () => {
    await addUser(server, 'ada', 'right', ['~*', '+@all'])
    await fails({ port: server.port, username: 'ada' }, 'connection', /refuses the user or the password/, false)
    await fails({ port: server.port, username: 'nobody' }, 'connection', /refuses the user or the password/, false)
    await fails({ port: server.port, db: 99, ...noPassword }, 'connection', /no database of this number/, false)
  })

  it('speaks TLS where none is spoken, none where it should, or for another authority', async () => {
    await fails({ port: server.port, tls: true, ...noPassword }, 'connection', /Redis/, false).catch(() =>
      fails({ port: server.port, tls: true, ...noPassword }, 'connection', /Redis/, true),
    )
    await using tls = await startRedisTls()
    const { port } = tls.server
    await fails({ port, ...noPassword }, 'connection', /Redis/, true)
    await fails(
      { port, tls: { ca: makeAuthority().certificate }, ...noPassword },
      'connection',
      /TLS.*option tls/,
      false,
    )
    const memory = create({ url: tls.url, tls: { ca: tls.authority } })
    await talk(memory, 'c', ['over TLS'])
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['over TLS'])
    await memory.close()
  })

  it('can be connected to later, once it is there', async () => {
    const late = await startRedis({ own: true })
    await late.shutdown()
    const memory = create({ url: late.url, callTimeout: 1000 })
    await refused(memory.connect(), 'connection')
    await refused(memory.users.get(ADA), 'connection')
    await late.start()
    await memory.connect()
    expect(await memory.users.get(ADA)).toBeNull()
    await memory.close()
    await late.stop()
  })

  it('options that contradict one another are refused before anything is opened', () => {
    const wrong: readonly Partial<RedisOptions>[] = [
      { url: 'redis://h', host: 'h' },
      { url: 'redis://h', cluster: [{ host: 'h', port: 1 }] },
      { url: 'redis://h/one' },
      { url: 'redis://h?ttl=1' },
      { url: 'http://h' },
      { cluster: [] },
      { cluster: [{ host: 'h', port: 1 }], db: 2 },
      { sentinels: [{ host: 'h', port: 0 }] },
      { ttl: 0 },
      { ttl: -1 },
      { prefix: '' },
      { port: 70_000 },
      { events: { keep: 0 } },
      { durability: 'always' as never },
    ]
    for (const options of wrong)
      expect(() => createBackend('redis', options), inspect(options)).toThrow(ConfigurationError)
  })
})

it('an ACL user needs these rights and no others', async () => {
  const rules = [
    '~bruno:*',
    '&bruno:*',
    '+@connection',
    '+@read',
    '+@write',
    '-@dangerous',
    '+info',
    '+config|get',
    '+evalsha',
    '+eval',
    '+publish',
    '+subscribe',
    '+unsubscribe',
  ]
  const url = await addUser(server, 'app', 'right', rules)
  const memory = create({ url, events: true })
  await talk(memory, 'c', ['a'])
  await memory.unitOfWork(async (unit) => {
    await unit.memories.add({ userId: ADA, content: 'x' })
  })
  await memory.cache.set('k', 1)
  expect(await memory.rateLimiter({ points: 1, duration: 1 }).consume('a')).toMatchObject({ allowed: true })
  const live = memory.events.on('*', () => {})
  const consumer = memory.events.consume('w', () => {})
  await Promise.all([live.ready, consumer.ready])
  await memory.sweep()
  expect(memory.capabilities.durability).toBe('process')
  const less = create({ url: await addUser(server, 'less', 'right', ['~bruno:*', '+@connection', '+info', '+@read']) })
  await less.connect()
  // As far as the server tells of itself.
  expect(less.capabilities.durability).toBe('process')
  const blind = create({ url: await addUser(server, 'blind', 'right', ['~bruno:*', '+@connection', '+@read']) })
  await blind.connect()
  expect(blind.capabilities.durability).toBe('none')
  expect((await refused(less.users.create({ id: 'x' }), 'storage')).message).toContain('NOPERM')
})

describe('a line that breaks', () => {
  let proxy: FaultyProxy
  const through = (more: Partial<RedisOptions> = {}): Memory =>
    create({ url: proxy.url('redis'), callTimeout: 5000, ...more })
  beforeAll(async () => {
    proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  })
  afterAll(() => proxy.stop())
  afterEach(() => {
    proxy.thaw()
    proxy.refuse(false)
  })

  it('is mended: calls that were cut are answered, each once', async () => {
    const memory = through()
    await talk(memory, 'c', ['first'])
    const appends = numbered(200).map((content) => memory.messages.append('c', says(content, { id: content })))
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 3))
      proxy.cut()
    }
    await Promise.all(appends)
    const { items } = await memory.messages.list('c', { first: 300 })
    expect(contentsOf(items).slice(1).sort()).toEqual(numbered(200).sort())
    expect((await memory.conversations.get('c'))?.messageCount).toBe(201)
  })

  it('a write whose answer was lost is done once, and answered right', async () => {
    const memory = through({ events: true })
    await talk(memory, 'c', [says('first', { id: 'first' })])
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    await memory.sessions.create({ id: 's', userId: ADA })
    const writes: readonly (() => Promise<unknown>)[] = [
      () => memory.messages.append('c', says('own id', { id: 'own' })),
      () => memory.messages.append('c', [says('a'), says('b')]),
      () => talk(memory, 'new', ['x'], 'eve'),
      () => memory.memories.update('m', { content: 'y' }),
      () => memory.memories.add({ id: 'm2', userId: ADA, content: 'z' }),
      () => memory.users.create({ id: 'bob' }),
      () => memory.sessions.end('s'),
      () => memory.messages.delete('c', 'first'),
      () => memory.unitOfWork(async (unit) => (await unit.messages.append('c', says('in a unit')))[0]?.position),
      () => memory.cache.set('k', 'v'),
    ]
    for (const write of writes) {
      proxy.dropReplies(1)
      await write()
    }
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['own id', 'a', 'b', 'in a unit'])
    expect((await memory.conversations.get('c'))?.messageCount).toBe(4)
    expect(await memory.memories.get('m')).toMatchObject({ content: 'y', version: 2 })
    expect(await memory.sessions.get('s')).toMatchObject({ version: 2 })
    expect(await memory.statistics()).toMatchObject({ users: 3, conversations: 2, messages: 5, memories: 2 })
    expect(await memory.cache.get('k')).toBe('v')
  })

  it('an id that is really taken is a conflict, also where the first answer was lost', async () => {
    const memory = through()
    await talk(memory, 'c', [says('theirs', { id: 'taken' })])
    proxy.dropReplies(1)
    await refused(memory.messages.append('c', says('mine', { id: 'taken' })), 'conflict')
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(['theirs'])
  })

  it('half open, it is given up in time, and taken up again within two seconds', async () => {
    const memory = through({ callTimeout: 800 })
    await talk(memory, 'c', ['before'])
    proxy.freeze()
    const started = performance.now()
    await refused(memory.messages.append('c', says('lost')), 'connection')
    expect(performance.now() - started).toBeLessThan(1300)
    expect(await memory.cache.get('k')).toBeNull()
    proxy.thaw()
    const back = performance.now()
    await expect.poll(() => failure(memory.messages.list('c')), { timeout: 5000, interval: 20 }).toBeNull()
    expect(performance.now() - back).toBeLessThan(2000)
  })

  it('whose new connection answers no write: what was waited for it counts too', async () => {
    const memory = through({ callTimeout: 1000 })
    await talk(memory, 'c', ['before'])
    proxy.refuse(true)
    proxy.cut()
    const started = performance.now()
    const call = refused(memory.messages.append('c', says('lost')), 'connection')
    await new Promise((resolve) => setTimeout(resolve, 600))
    await tell(server.url, 'CLIENT', 'PAUSE', 5000, 'WRITE')
    proxy.refuse(false)
    await call
    expect(performance.now() - started).toBeLessThan(1400)
    await tell(server.url, 'CLIENT', 'UNPAUSE')
  })

  it('where nobody answers any more, calls end with their time, also in a unit', async () => {
    const memory = through({ callTimeout: 500 })
    await talk(memory, 'c', ['before'])
    proxy.refuse(true)
    proxy.cut()
    await refused(memory.messages.list('c'), 'connection')
    await refused(
      memory.unitOfWork((unit) => unit.users.create({ id: 'x' })),
      'connection',
    )
    expect(await memory.healthCheck()).toBe(false)
    proxy.refuse(false)
    await expect.poll(() => memory.healthCheck(), { timeout: 5000 }).toBe(true)
    expect(await memory.users.get('x')).toBeNull()
  })
})

it('a server that is killed and started again keeps what it acknowledged, once and in order', async () => {
  const mortal = await startRedis({ own: true, settings: { appendfsync: 'always' } })
  const memory = create({ url: mortal.url })
  await talk(memory, 'c', ['first'])
  const acknowledged: string[] = []
  let stop = false
  const writing = (async () => {
    for (let i = 0; !stop; i++) {
      await memory.messages.append('c', says(`${i}`))
      acknowledged.push(`${i}`)
    }
  })()
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 80))
    await mortal.kill()
    await mortal.start()
    const before = acknowledged.length
    const back = performance.now()
    await expect.poll(() => acknowledged.length, { timeout: 5000, interval: 10 }).toBeGreaterThan(before)
    expect(performance.now() - back).toBeLessThan(2000)
  }
  stop = true
  await writing
  const stored: string[] = []
  for await (const { content } of memory.messages.each('c')) stored.push(content)
  expect(stored).toEqual(['first', ...acknowledged])
  await memory.close()
  await mortal.stop()
})

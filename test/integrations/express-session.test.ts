import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import session, { type SessionData } from 'express-session'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { MemorySessionStore } from '../../src/integrations/express-session.js'
import { freshDatabase, leaveServer } from '../postgresql/support/databases.js'
import { memories } from '../redis/support/memories.js'

declare module 'express-session' {
  interface SessionData {
    visits?: number
    userId?: string
  }
}

type Request = IncomingMessage & { session: session.Session & Partial<SessionData> }

/** A server that counts visits in its sessions. */
async function serve(store: MemorySessionStore): Promise<{ server: Server; url: string }> {
  const middleware = session({
    secret: 'test',
    store,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 60_000 },
  })
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    middleware(request as never, response as never, (error?: unknown) => {
      if (error) return void response.writeHead(500).end(String((error as Error).name))
      const { session: mine } = request as Request
      if (request.url === '/leave') return mine.destroy(() => response.end('left'))
      mine.visits = (mine.visits ?? 0) + 1
      mine.userId = 'ada'
      response.end(String(mine.visits))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const redis = memories()
const stores: readonly (readonly [name: string, open: () => Promise<Memory>])[] = [
  ['sqlite', async () => createBackend('sqlite', { databasePath: ':memory:' })],
  ['postgresql', async () => createBackend('postgresql', { connectionString: await freshDatabase(), poolSize: 4 })],
  ['redis', async () => redis.create()],
]
afterAll(leaveServer)

describe.each(stores)('express-session on %s', (_, open) => {
  let memory: Memory
  let store: MemorySessionStore
  let server: Server
  let url: string
  beforeEach(async () => {
    memory = await open()
    store = new MemorySessionStore({ memory, userIdOf: (data) => data.userId })
    ;({ server, url } = await serve(store))
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await memory.close()
  })

  const visit = async (cookie = '', path = '/') => {
    const response = await fetch(url + path, { headers: { cookie } })
    return { body: await response.text(), cookie: response.headers.get('set-cookie')?.split(';')[0] ?? cookie }
  }
  const call = <T>(work: (done: (error: unknown, result?: T) => void) => void): Promise<T | undefined> =>
    new Promise((resolve, reject) => work((error, result) => (error ? reject(error) : resolve(result))))

  it('a visitor is known again, others are not taken for them, and one who left is forgotten', async () => {
    const first = await visit()
    expect(first.body).toBe('1')
    expect((await visit(first.cookie)).body).toBe('2')
    expect((await visit()).body).toBe('1')
    expect((await visit(first.cookie)).body).toBe('3')
    expect((await visit(first.cookie, '/leave')).body).toBe('left')
    expect((await visit(first.cookie)).body).toBe('1')
  })

  it('sessions lie in a tenant of their own, belong to their user, and expire with their cookie', async () => {
    await visit()
    expect((await memory.sessions.list()).items).toEqual([])
    const { items } = await memory.forTenant('express-session').sessions.list({ userId: 'ada' })
    expect(items).toHaveLength(1)
    const left = (items[0]?.expiresAt?.getTime() ?? 0) - Date.now()
    expect(left).toBeGreaterThan(50_000)
    expect(left).toBeLessThanOrEqual(60_000)
  })

  it('answers as express-session asks: get, set, touch, all, length, destroy, clear', async () => {
    const cookie = { originalMaxAge: 1000, expires: new Date(Date.now() + 1000) }
    const data = { cookie, visits: 1 } as unknown as SessionData
    expect(await call((done) => store.get('nobody', done))).toBeNull()
    await call((done) => store.set('a', data, done))
    await call((done) => store.set('a', { ...data, visits: 2 }, done))
    await call((done) => store.set('b', data, done))
    expect(await call((done) => store.get('a', done))).toMatchObject({ visits: 2 })
    const later = { ...data, cookie: { ...cookie, expires: new Date(Date.now() + 100_000) } } as unknown as SessionData
    await call((done) => store.touch('a', later, done))
    await call((done) => store.touch('gone', later, done))
    const touched = await memory.forTenant('express-session').sessions.get('a')
    expect(touched?.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 50_000)
    expect(await call((done) => store.length(done))).toBe(2)
    expect(await call((done) => store.all(done))).toHaveLength(2)
    await call((done) => store.destroy('a', done))
    await call((done) => store.destroy('a', done))
    expect(await call((done) => store.length(done))).toBe(1)
    await call((done) => store.clear(done))
    expect(await call((done) => store.length(done))).toBe(0)
  })

  it('two requests that begin one session at once both succeed', async () => {
    const data = { cookie: { originalMaxAge: 1000 }, visits: 1 } as unknown as SessionData
    await Promise.all([1, 2, 3].map(() => call((done) => store.set('same', data, done))))
    expect(await call((done) => store.length(done))).toBe(1)
  })

  it('a store that is closed reports its error to the callback', async () => {
    await memory.close()
    await expect(call((done) => store.get('a', done))).rejects.toMatchObject({ code: 'closed' })
  })
})

it('refuses what is no memory', () => {
  expect(() => new MemorySessionStore({ memory: {} as never })).toThrow(/option memory/)
  expect(() => new MemorySessionStore({ memory: redis.create(), ttl: 0 })).toThrow(/option ttl/)
})

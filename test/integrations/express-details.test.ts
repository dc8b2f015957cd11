import { createServer } from 'node:http'
import express, { type Express, type Request } from 'express'
import session from 'express-session'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import * as errors from '../../src/errors.js'
import {
  closeOnShutdown,
  healthRoutes,
  memoryErrors,
  memoryMiddleware,
  memoryOf,
  problemOf,
  rateLimit,
  type TenantOptions,
  unitOf,
  unitOfWorkMiddleware,
} from '../../src/integrations/express/index.js'
import { MemorySessionStore } from '../../src/integrations/express-session.js'
import { serveExpress } from './support/express-app.js'
import { client, control, fileMemory, raw, stop, urlOf } from './support/served.js'

let memory: Memory
let remove: () => Promise<void>
const ends: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  ;({ memory, remove } = await fileMemory())
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await remove()
})

async function listen(app: Express): Promise<string> {
  app.set('env', 'test')
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => stop(server))
  return urlOf(server)
}

describe('the tenant of a request', () => {
  const tenantOf = async (options: TenantOptions<Request>, headers: Record<string, string>, more: object = {}) => {
    const app = express()
    app.use((req, _, next) => next(void Object.assign(req, more)))
    app.use(memoryMiddleware({ memory, ...options }))
    app.get('/chats/a', (req, res) => void res.send(memoryOf(req).tenantId))
    const { status, body } = await raw(await listen(app), headers)
    return status === 200 ? body : status
  }

  test.each([
    [true, 'acme.example.com', 'acme'],
    [true, 'ACME.example.com:8080', 'acme'],
    [true, 'example.com', 400],
    [true, 'www.example.com', 400],
    [true, '127.0.0.1', 400],
    [true, '[::1]:80', 400],
    [{ of: 'example.com' }, 'acme.example.com.', 'acme'],
    [{ of: 'example.com' }, 'a.b.example.com', 400],
    [{ of: 'example.com' }, 'acme.example.org', 400],
    [{ of: 'example.com' }, 'acmeexample.com', 400],
    [{ of: 'example.com' }, 'example.com', 400],
    [{ of: 'localhost' }, 'acme.localhost:3000', 'acme'],
  ] as const)('by subdomain %j of %s is %s', async (subdomain, host, wanted) => {
    expect(await tenantOf({ tenant: { subdomain } }, { host })).toBe(wanted)
  })

  test.each([
    [{ auth: { tenant: 'acme' } }, 'acme'],
    [{ user: { tenant: 'acme' } }, 'acme'],
    [{ auth: { payload: { tenant: 'acme' }, token: 'x' } }, 'acme'],
    [{ auth: {}, user: { tenant: 'acme' } }, 401],
    [{}, 401],
    [{ user: { tenant: '' } }, 401],
    [{ user: { tenant: ['acme'] } }, 400],
    [{ user: { tenant: '../acme' } }, 400],
    [{ user: { tenant: 7 } }, 400],
  ] as const)('by claim of %j is %s', async (more, wanted) => {
    expect(await tenantOf({ tenant: { claim: 'tenant' } }, {}, more)).toBe(wanted)
  })

  test('by claims of one’s own, by a function, by a promise', async () => {
    const mine = { claims: { org: 'acme' } }
    expect(await tenantOf({ tenant: { claim: 'org', from: (req) => Reflect.get(req, 'claims') } }, {}, mine)).toBe(
      'acme',
    )
    expect(await tenantOf({ tenant: (req) => req.get('x-org') }, { 'x-org': 'acme' })).toBe('acme')
    expect(await tenantOf({ tenant: (req) => req.get('x-org') }, {})).toBe(400)
    expect(await tenantOf({ tenant: async (req) => req.get('x-org') }, { 'x-org': 'acme' })).toBe('acme')
    expect(await tenantOf({ tenant: async () => null }, {})).toBe(400)
    expect(await tenantOf({ tenant: () => 'über', pattern: /^\p{L}+$/u }, {})).toBe('über')
    expect(await tenantOf({ tenant: () => Promise.reject(new Error('x')) }, {})).toBe(500)
  })

  test('is not looked for where the middleware is told wrongly', () => {
    expect(() => memoryMiddleware({ memory, tenant: {} as never })).toThrow(errors.ConfigurationError)
    expect(() => memoryMiddleware({ memory: {} as never, tenant: { header: 'x' } })).toThrow(/option memory/)
    expect(() => rateLimit({ memory: {} as never, points: 1, duration: 1 })).toThrow(/option memory/)
  })
})

describe('an error', () => {
  test.each([
    [new errors.ValidationError('id', 'must not be empty'), 400, 'id: must not be empty'],
    [new errors.ConflictError('exists'), 409, 'exists'],
    [new errors.NotFoundError('message'), 404, 'no such message'],
    [new errors.UnsupportedError('search', 'has none'), 501, 'has none'],
    [new errors.ConnectionError('db1.internal refused'), 503, 'the store cannot be reached'],
    [new errors.TimeoutError('busy at db1.internal'), 504, 'the store did not answer in time'],
    [new errors.OverloadedError('queue of 9'), 503, 'too much waits already'],
    [new errors.ClosedError('closed'), 503, 'the server is shutting down'],
    [new errors.MigrationError('0001 of db1'), 500, 'the server made a mistake'],
    [new errors.ConfigurationError('option x'), 500, 'the server made a mistake'],
    [new errors.StorageError('SQLITE_IOERR'), 500, 'the server made a mistake'],
  ])('%o is told as %i', (error, status, detail) => {
    expect(problemOf(error)).toMatchObject({
      status,
      detail,
      code: error.code,
      type: `urn:problem-type:bruno-memory:${error.code}`,
    })
  })

  const answered = async (error: unknown) => {
    const app = express()
    app.get('/', () => {
      throw error
    })
    app.use(memoryErrors({ type: 'https://example.com/', retryAfter: 7 }))
    return client(await listen(app)).call('/')
  }

  test('says when to come again, where coming again is safe', async () => {
    expect((await answered(new errors.OverloadedError('full'))).headers.get('retry-after')).toBe('7')
    const unknown = await answered(new errors.ConnectionError('lost', { outcome: 'unknown' }))
    expect([unknown.headers.get('retry-after'), unknown.json]).toMatchObject([null, { outcome: 'unknown' }])
    expect((await answered(new errors.StorageError('x'))).json).toMatchObject({ type: 'https://example.com/storage' })
  })

  test('of others is theirs', async () => {
    expect(await answered(Object.assign(new Error('mine'), { status: 418 }))).toMatchObject({
      status: 418,
      type: 'text/html',
    })
  })

  test('of a handler without its middleware says which one is missing', async () => {
    const req = new (await import('node:http')).IncomingMessage(undefined as never)
    expect(() => memoryOf(req)).toThrow(/memoryMiddleware/)
    expect(() => unitOf(req)).toThrow(/unitOfWorkMiddleware/)
  })
})

describe('a handler in a unit', () => {
  const serve = async () => {
    const served = await serveExpress(express)({ memory, control: control() })
    ends.push(() => stop(served.server))
    return client(served.url)
  }

  test('that uses the memory instead of the unit is told of by a 500, and does not hang', async () => {
    const { say, heard } = await serve()
    expect(await say('a', 'one', 'misuse')).toMatchObject({ status: 500, json: { code: 'validation' } })
    expect(await heard('a')).toEqual([])
  })

  test('that fails after its answer cannot answer a second time', async () => {
    const { say } = await serve()
    // Express cuts the connection of an answer that was begun: the client never takes it for a success.
    const second = await say('a', 'one', 'twice').catch(() => null)
    expect(second === null || second.json).toEqual(second === null ? true : { first: true })
    expect((await say('a', 'two')).status).toBe(201)
  })

  test('has its session stored too, with the store in the same memory', async () => {
    const app = express()
    const store = new MemorySessionStore({ memory })
    app.use(session({ secret: 'test', store, resave: false, saveUninitialized: true }))
    app.use(memoryMiddleware({ memory, tenant: { header: 'x-tenant-id' } }))
    app.post('/', unitOfWorkMiddleware(), async (req, res) => {
      await req.unit.messages.append('a', { role: 'user', content: 'one' }, { userId: 'ada' })
      res.json({ id: req.sessionID })
    })
    const { status, json } = await client(await listen(app)).call('/', { content: '' })
    expect(status).toBe(200)
    const { id } = json as { id: string }
    expect(await memory.forTenant('express-session').sessions.get(id)).not.toBeNull()
  })
})

test('a server that leaves says first that it is not ready', async () => {
  const app = express()
  app.use(healthRoutes({ memory, path: '/up' }))
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { call } = client(urlOf(server))
  const shutdown = closeOnShutdown(server, memory, { delay: 300, signals: ['SIGUSR2'] })
  expect([(await call('/up/ready')).status, (await call('/up/ready', { method: 'POST' })).status]).toEqual([200, 404])
  process.kill(process.pid, 'SIGUSR2')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect([(await call('/up/ready')).status, (await call('/up/live')).status]).toEqual([503, 200])
  await shutdown()
  expect(process.listenerCount('SIGUSR2')).toBe(0)
  await expect(call('/up/live')).rejects.toThrow()
  expect(await memory.healthCheck()).toBe(false)
})

test('a memory that nobody used yet becomes ready when it is asked', async () => {
  const { createBackend } = await import('../../src/backend.js')
  const fresh = createBackend('sqlite', { databasePath: ':memory:', tenancy: 'required' })
  ends.push(() => fresh.close())
  const app = express()
  app.use(healthRoutes({ memory: fresh }))
  expect((await client(await listen(app)).call('/health/ready')).json).toEqual({ status: 'up' })
})

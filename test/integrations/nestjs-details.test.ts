import 'reflect-metadata'
import type { Server } from 'node:http'
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpException,
  Inject,
  Module,
  Post,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory, TenantMemory } from '../../src/contract/memory.js'
import { ConnectionError } from '../../src/errors.js'
import type { HttpRequest } from '../../src/integrations/http/types.js'
import {
  BRUNO_MEMORY,
  BrunoMemoryModule,
  InjectRepository,
  InjectTenantMemory,
  MemoryHealthIndicator,
  type MemoryModuleOptions,
  RequestMemory,
  TenantGuard,
  UnitOfWork,
} from '../../src/integrations/nestjs/index.js'
import { decorate } from './support/decorate.js'
import { client, fileMemory, stop, urlOf } from './support/served.js'

const says = (content: string) => ({ role: 'user' as const, content })
const ADA = { userId: 'ada' }

let memory: Memory
let path: string
let remove: () => Promise<void>
const ends: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  ;({ memory, path, remove } = await fileMemory())
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  await remove()
})

/** Asks the tenant's memory in the way that a test hands in. */
class Asking {
  static made = 0
  static later: Promise<unknown> = Promise.resolve()
  constructor(
    readonly tenant: TenantMemory,
    readonly messages: TenantMemory['messages'],
  ) {
    Asking.made++
  }
  idle() {
    return 'idle'
  }
  async tenantId() {
    return this.tenant.tenantId
  }
  async guarded() {
    return this.tenant.tenantId
  }
  async count() {
    return (await this.messages.list('a')).items.length
  }
  async nested() {
    await this.messages.append('a', says('one'), ADA)
    const undone = async () => {
      await this.messages.append('a', says('undone'), ADA)
      throw new Error('back')
    }
    await this.tenant.unitOfWork(undone).catch(() => undefined)
    await this.tenant.unitOfWork(async () => this.messages.append('a', says('two'), ADA))
    await this.tenant.storeMessage('a', says('three'), ADA)
    return (await this.tenant.retrieveMessages('a')).map(({ content }) => content)
  }
  async byHand() {
    await this.tenant.unitOfWork(async () => this.messages.append('a', says('one'), ADA))
    return this.tenant.statistics()
  }
  async operation() {
    return this.tenant.unitOfWork(async () => 1, { operationId: 'x' })
  }
  async straggler() {
    const late = new Promise((resolve) => setTimeout(resolve, 100))
    Asking.later = late.then(() => this.messages.append('a', says('late'), ADA)).catch((error) => error.code)
    return 'done'
  }
}

class SignsIn implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest()
    request.user = { tenant: request.headers['x-signed-in'] }
    return true
  }
}

decorate(Asking, [Controller(), UseGuards(SignsIn)], [InjectTenantMemory(), InjectRepository('messages')], {
  idle: { on: [Get('chats/a')] },
  count: { on: [Get('count')] },
  guarded: { on: [Get('guarded'), UseGuards(SignsIn, TenantGuard)] },
  tenantId: { on: [Get('tenant')] },
  nested: { on: [Post('nested'), UnitOfWork()] },
  byHand: { on: [Post('by-hand')] },
  operation: { on: [Post('operation'), UnitOfWork()] },
  straggler: { on: [Post('straggler'), UnitOfWork()] },
})

class Singleton {
  static made = 0
  constructor() {
    Singleton.made++
  }
  async get(tenant: TenantMemory) {
    return `${tenant.tenantId} ${(await tenant.messages.list('a')).items.length}`
  }
  async add(tenant: TenantMemory) {
    await tenant.messages.append('a', says('one'), ADA)
    await tenant.unitOfWork(async () => tenant.storeMessage('a', says('two'), ADA))
    throw new HttpException('undone', 409)
  }
}
decorate(Singleton, [Controller('parameter'), UseGuards(SignsIn)], [], {
  get: { on: [Get()], params: [RequestMemory()] },
  add: { on: [Post(), UnitOfWork()], params: [RequestMemory()] },
})

class Free {
  get() {
    return 'free'
  }
}
decorate(Free, [Controller()], [], { get: { on: [Get('free')] } })

class Settings {
  readonly header = 'x-tenant-id'
}

async function serve(options: MemoryModuleOptions) {
  class SettingsModule {}
  decorate(SettingsModule, [Module({ providers: [Settings], exports: [Settings] })])
  const root = BrunoMemoryModule.forRootAsync({
    imports: [SettingsModule],
    inject: [Settings],
    useFactory: async (settings: Settings) => ({ ...options, tenant: options.tenant ?? { header: settings.header } }),
  })
  class App {}
  const imports = [root, BrunoMemoryModule.forFeature(['messages'])]
  decorate(App, [Module({ imports, controllers: [Asking, Singleton, Free] })])
  const app = await NestFactory.create(App, { logger: false, abortOnError: false })
  await app.listen(0, '127.0.0.1')
  const server = app.getHttpServer() as Server
  ends.push(async () => {
    await stop(server)
    await app.close()
  })
  return { app, url: urlOf(server), ...client(urlOf(server)) }
}
const fromSettings = () => serve({ memory } as unknown as MemoryModuleOptions)

describe('a Nest application', () => {
  test('is configured by what it injects; each request has its own tenant and objects', async () => {
    const { call } = await fromSettings()
    const before = Asking.made
    const tenants = await Promise.all(['a', 'b', 'c'].map((tenant) => call('/tenant', { tenant })))
    expect(tenants.map(({ text }) => text)).toEqual(['a', 'b', 'c'])
    expect(Asking.made - before).toBe(3)
  })

  test('refuses a request with no tenant where a tenant’s memory was injected, used or not', async () => {
    const { call, url } = await fromSettings()
    expect(await call('/chats/a', { tenant: '../b' })).toMatchObject({ status: 400, type: 'application/problem+json' })
    expect((await fetch(`${url}/chats/a`)).status).toBe(400)
    expect((await fetch(`${url}/free`)).status).toBe(200)
  })

  test.each([
    ['a claim that a guard has found', { claim: 'tenant' }, 401],
    ['a promise', async (req: HttpRequest) => (req.user as { tenant?: string }).tenant, 400],
  ])('knows the tenant by %s, and refuses when it is used or guarded', async (_, tenant, wanted) => {
    const { url } = await serve({ memory, tenant })
    const asked = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(url + path, { headers })
      return [response.status, response.ok ? await response.text() : response.headers.get('content-type')]
    }
    const signedIn = { 'x-signed-in': 'acme' }
    expect(await asked('/guarded', signedIn)).toEqual([200, 'acme'])
    expect(await asked('/parameter', signedIn)).toEqual([200, 'acme 0'])
    expect(await asked('/count', signedIn)).toEqual([200, '0'])
    for (const path of ['/guarded', '/parameter', '/count'])
      expect(await asked(path)).toEqual([wanted, 'application/problem+json'])
  })
})

describe('what was injected', () => {
  test('means the unit of the request, and the innermost one in it', async () => {
    const { call } = await fromSettings()
    expect((await call('/nested', { content: '' })).json).toEqual(['one', 'two', 'three'])
    const { items } = await memory.forTenant('acme').messages.list('a')
    expect(items.map(({ content }) => content)).toEqual(['one', 'two', 'three'])
  })

  test('means the same as a parameter, without anything made for the request', async () => {
    const { call } = await fromSettings()
    const before = Singleton.made
    expect((await call('/parameter', { content: '' })).status).toBe(409)
    const all = await Promise.all(['a', 'b'].map((tenant) => call('/parameter', { tenant })))
    expect([all.map(({ text }) => text), Singleton.made]).toEqual([['a 0', 'b 0'], before])
    expect((await call('/parameter', { tenant: '../b' })).status).toBe(400)
  })

  test('means a unit that a service begins by itself', async () => {
    const { call } = await fromSettings()
    expect((await call('/by-hand', { content: '' })).json).toMatchObject({ messages: 1 })
  })

  test('does not begin an operation inside of a unit, and writes nothing after it', async () => {
    const { call } = await fromSettings()
    expect((await call('/operation', { content: '' })).status).toBe(500)
    expect((await call('/straggler', { content: '' })).text).toBe('done')
    expect(await Asking.later).toBe('closed')
    expect((await memory.forTenant('acme').messages.list('a')).items).toEqual([])
  })
})

describe('the module', () => {
  test.each([
    ['a URL', (file: string) => `sqlite:${file}`],
    ['a backend', (file: string) => ({ backend: 'sqlite', databasePath: file, tenancy: 'optional' })],
    ['a primary', (file: string) => ({ primary: `sqlite:${file}`, tenancy: 'optional' as const })],
  ])('makes a memory of %s in which every call wants a tenant, and closes it', async (_, given) => {
    const { app, call } = await serve({ memory: given(path), tenant: { header: 'x-tenant-id' } })
    const made = app.get<Memory>(BRUNO_MEMORY)
    await expect(made.messages.list('a')).rejects.toMatchObject({ code: 'validation', field: 'tenantId' })
    expect((await call('/tenant')).text).toBe('acme')
    const indicator = app.get(MemoryHealthIndicator)
    expect(await indicator.isHealthy()).toEqual({ memory: { status: 'up' } })
    await app.close()
    expect(await indicator.isHealthy('store')).toEqual({ store: { status: 'down' } })
    await expect(made.forTenant('acme').messages.list('a')).rejects.toMatchObject({ code: 'closed' })
  })

  test('fails to start where the store is away, unless it is told to wait', async () => {
    const away = () => createBackend('postgresql', { connectionString: 'postgres://nobody@127.0.0.1:1/none' }) as Memory
    const tenant = { header: 'x-tenant-id' }
    await expect(serve({ memory: away(), tenant })).rejects.toBeInstanceOf(ConnectionError)
    const { app, call } = await serve({ memory: away(), tenant, connect: false })
    expect(await app.get(MemoryHealthIndicator).isHealthy()).toEqual({ memory: { status: 'down' } })
    expect((await call('/free')).text).toBe('free')
  })

  test('refuses what it does not know', async () => {
    expect(() => BrunoMemoryModule.forFeature(['message' as never])).toThrow(/did you mean messages|messages/)
    await expect(serve({ memory: {} as never, tenant: { header: 'x' } })).rejects.toThrow(/option memory/)
    await expect(serve({ memory, tenant: {} as never })).rejects.toThrow(/option tenant/)
  })
})

test('one that only injects the memory stays of the whole application', async () => {
  class Whole {
    static made = 0
    constructor(readonly all: Memory) {
      Whole.made++
    }
    async count() {
      return (await this.all.forTenant('acme').messages.list('a')).items.length
    }
  }
  decorate(Whole, [Controller()], [Inject(BRUNO_MEMORY)], { count: { on: [Get('count')] } })
  class App {}
  const root = BrunoMemoryModule.forRoot({ memory, tenant: { header: 'x-tenant-id' } })
  decorate(App, [Module({ imports: [root], controllers: [Whole] })])
  const app = await NestFactory.create(App, { logger: false, abortOnError: false })
  await app.listen(0, '127.0.0.1')
  ends.push(() => app.close())
  const { call } = client(urlOf(app.getHttpServer()))
  expect([(await call('/count')).text, (await call('/count')).text, Whole.made]).toEqual(['0', '0', 1])
})

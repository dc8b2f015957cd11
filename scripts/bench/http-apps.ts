import 'reflect-metadata'
import { createServer, type Server } from 'node:http'
import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Module,
  type ModuleMetadata,
  Param,
  Post,
  type Type,
  UseInterceptors,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import express, { type Express, type Request } from 'express'
import type { Memory, TenantMemory } from '../../src/contract/memory.js'
import type { MessageRepository } from '../../src/contract/repositories.js'
import { memoryErrors, memoryMiddleware, unitOfWorkMiddleware } from '../../src/integrations/express/index.js'
import {
  BRUNO_MEMORY,
  BrunoMemoryModule,
  InjectMemory,
  InjectRepository,
  RequestMemory,
  UnitOfWork,
} from '../../src/integrations/nestjs/index.js'
import { decorate } from '../../test/integrations/support/decorate.js'

type Said = { readonly content: string }

/** What every handler does, by whichever repository it is given. */
const store = async (messages: Pick<MessageRepository, 'append'>, id: string, content: string) =>
  (await messages.append(id, { role: 'user', content }, { userId: 'ada' })).map((message) => message.id)
const read = async (messages: Pick<MessageRepository, 'list'>, id: string) =>
  (await messages.list(id, { last: 20 })).items.map((message) => message.content)

/** The tenant as it is found by hand. */
function byHand(memory: Memory, tenant: unknown): TenantMemory {
  if (typeof tenant !== 'string' || !/^[\w.-]{1,255}$/.test(tenant)) throw new Error('no tenant')
  return memory.forTenant(tenant)
}

export function bareExpress(memory: Memory): Promise<Server> {
  const app = express()
  app.use(express.json())
  app.get('/chats/:id', async (req, res) => {
    res.json(await read(byHand(memory, req.headers['x-tenant-id']).messages, req.params.id))
  })
  app.post('/chats/:id', async (req, res) => {
    const tenant = byHand(memory, req.headers['x-tenant-id'])
    const { content } = req.body as Said
    res.json(await tenant.unitOfWork((unit) => store(unit.messages, req.params.id, content)))
  })
  return listen(app)
}

export function memoryExpress(memory: Memory): Promise<Server> {
  const app = express()
  app.use(express.json())
  app.use(memoryMiddleware({ memory, tenant: { header: 'x-tenant-id' } }))
  app.get('/chats/:id', async (req, res) => {
    res.json(await read(req.memory.messages, req.params.id))
  })
  app.post('/chats/:id', unitOfWorkMiddleware(), async (req: Request, res) => {
    const { content } = req.body as Said
    res.json(await store(req.unit.messages, String(req.params.id), content))
  })
  app.use(memoryErrors())
  return listen(app)
}

async function listen(app: Express): Promise<Server> {
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

const LIST = [Get('chats/:id')]
const SAY = [Post('chats/:id'), HttpCode(200)]

/**
 * Nest without our module: the memory in its container, and all else in the handler.
 *
 * @param extra Decorators of the handler that stores.
 */
export function bareNest(memory: Memory, extra: readonly MethodDecorator[] = []): Promise<Server> {
  class Chats {
    constructor(readonly memory: Memory) {}
    list(id: string, tenant: string) {
      return read(byHand(this.memory, tenant).messages, id)
    }
    say(id: string, { content }: Said, tenant: string) {
      return byHand(this.memory, tenant).unitOfWork((unit) => store(unit.messages, id, content))
    }
  }
  const tenant = Headers('x-tenant-id')
  decorate(Chats, [Controller()], [InjectMemory()], {
    list: { on: LIST, params: [Param('id'), tenant] },
    say: { on: [...SAY, ...extra], params: [Param('id'), Body(), tenant] },
  })
  return serve({ controllers: [Chats], providers: [{ provide: BRUNO_MEMORY, useValue: memory }] })
}

/** The same with an interceptor that does nothing: what Nest itself takes for one. */
export const interceptedNest = (memory: Memory): Promise<Server> =>
  bareNest(memory, [UseInterceptors({ intercept: (_, next) => next.handle() })])

export function parameterNest(memory: Memory): Promise<Server> {
  class Chats {
    list(id: string, tenant: TenantMemory) {
      return read(tenant.messages, id)
    }
    say(id: string, { content }: Said, tenant: TenantMemory) {
      return store(tenant.messages, id, content)
    }
  }
  decorate(Chats, [Controller()], [], {
    list: { on: LIST, params: [Param('id'), RequestMemory()] },
    say: { on: [...SAY, UnitOfWork()], params: [Param('id'), Body(), RequestMemory()] },
  })
  return nest(Chats, memory)
}

export function injectedNest(memory: Memory): Promise<Server> {
  class Chats {
    constructor(readonly messages: MessageRepository) {}
    list(id: string) {
      return read(this.messages, id)
    }
    say(id: string, { content }: Said) {
      return store(this.messages, id, content)
    }
  }
  decorate(Chats, [Controller()], [InjectRepository('messages')], {
    list: { on: LIST, params: [Param('id')] },
    say: { on: [...SAY, UnitOfWork()], params: [Param('id'), Body()] },
  })
  return nest(Chats, memory)
}

function nest(controller: Type, memory: Memory): Promise<Server> {
  const root = BrunoMemoryModule.forRoot({ memory, tenant: { header: 'x-tenant-id' } })
  return serve({ imports: [root, BrunoMemoryModule.forFeature(['messages'])], controllers: [controller] })
}

async function serve(metadata: ModuleMetadata): Promise<Server> {
  class App {}
  decorate(App, [Module(metadata)])
  const app = await NestFactory.create(App, { logger: false })
  await app.listen(0, '127.0.0.1')
  return app.getHttpServer() as Server
}

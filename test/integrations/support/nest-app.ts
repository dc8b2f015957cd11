import 'reflect-metadata'
import type { Server, ServerResponse } from 'node:http'
import {
  Body,
  Controller,
  Get,
  Header,
  HttpException,
  Inject,
  Injectable,
  Module,
  Param,
  Post,
  Query,
  Redirect,
  Res,
  ServiceUnavailableException,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { Request, Response } from 'express'
import type { Memory, TenantMemory } from '../../../src/contract/memory.js'
import type { MessageRepository } from '../../../src/contract/repositories.js'
import { ValidationError } from '../../../src/errors.js'
import {
  BrunoMemoryModule,
  InjectMemory,
  InjectRepository,
  InjectTenantMemory,
  MemoryHealthIndicator,
  RateLimit,
  UnitOfWork,
} from '../../../src/integrations/nestjs/index.js'
import { decorate } from './decorate.js'
import { type Parts, type Served, urlOf } from './served.js'

type Said = { readonly content: string }

/** Stores by an injected repository and knows nothing of requests or units. */
class Notes {
  constructor(
    readonly messages: MessageRepository,
    readonly tenant: TenantMemory,
  ) {}

  async add(id: string, content: string): Promise<number> {
    await this.messages.append(id, { role: 'user', content }, { userId: 'ada' })
    return (await this.tenant.retrieveMessages(id, { last: 1000 })).length
  }
}
decorate(Notes, [Injectable()], [InjectRepository('messages'), InjectTenantMemory()])

const by = (name: string) => Query(name)

export async function serveNest({ memory, control, limits, deadline }: Parts): Promise<Served> {
  class Chats {
    constructor(
      readonly notes: Notes,
      readonly messages: MessageRepository,
      readonly memory: Memory,
    ) {}

    async list(id: string) {
      return (await this.messages.list(id, { last: 1000 })).items.map(({ content }) => content)
    }

    async say(id: string, { content }: Said, then: string, res: Response) {
      const count = await this.notes.add(id, content)
      return this.answer(then, count, res)
    }

    async answer(then: string, count: number, res: Response): Promise<unknown> {
      if (then === 'refuse') throw new HttpException({ refused: true }, 422)
      if (then === 'break') {
        res.status(500)
        return 'broken'
      }
      if (then === 'throw') throw new Error('secret words')
      if (then === 'invalid') throw new ValidationError('messages[0].content', 'must not be blank')
      if (then === 'misuse') return this.memory.forTenant('acme').messages.list('a')
      if (then === 'forget') void this.notes.add('forgotten', 'x').catch(() => undefined)
      if (then === 'large') return 'x'.repeat(100_000)
      if (then === 'wait') {
        control.arrived.open()
        await control.go.opened
        return { waited: true }
      }
      return { count }
    }

    async redirect(id: string, { content }: Said) {
      await this.notes.add(id, content)
    }

    /** With the response in its own hands. */
    async write(id: string, { content }: Said, then: string, res: ServerResponse) {
      await this.notes.add(id, content)
      if (then === 'parts') {
        res.writeHead(201, { 'content-type': 'text/plain', 'x-part': 'yes' })
        res.write('one ', () => res.end('two'))
      } else if (then === 'endless') {
        for (let i = 0; i < 20; i++) res.write('x'.repeat(100_000))
        res.end()
      } else {
        res.setHeader('content-type', 'text/event-stream')
        res.flushHeaders()
      }
    }
  }
  const unit = UnitOfWork({ deadline })
  decorate(Chats, [Controller()], [], {
    list: { on: [Get('chats/:id')], params: [Param('id')] },
    say: { on: [Post('chats/:id'), unit], params: [Param('id'), Body(), by('then'), Res({ passthrough: true })] },
    redirect: { on: [Post('redirect/:id'), Redirect('/elsewhere', 303), unit], params: [Param('id'), Body()] },
    write: { on: [Post('write/:id'), unit], params: [Param('id'), Body(), by('then'), Res()] },
  })
  decorate(Chats, [], [Inject(Notes), InjectRepository('messages'), InjectMemory()])

  class Limited {
    get() {
      return 'ok'
    }
  }
  decorate(Limited, [Controller()], [], {
    get: { on: [Get('limited'), RateLimit({ name: 'calls', points: 3, duration: 60 }), Header('x-limited', 'yes')] },
  })

  class Health {
    constructor(readonly indicator: MemoryHealthIndicator) {}
    live() {
      return {}
    }
    async ready() {
      const well = await this.indicator.isHealthy('memory')
      if (well.memory.status === 'down') throw new ServiceUnavailableException(well)
      return well
    }
  }
  decorate(Health, [Controller('health')], [Inject(MemoryHealthIndicator)], {
    live: { on: [Get('live')] },
    ready: { on: [Get('ready')] },
  })

  class App {}
  const root = BrunoMemoryModule.forRoot({ memory, tenant: { header: 'x-tenant-id' }, limits })
  const imports = [root, BrunoMemoryModule.forFeature(['messages'])]
  decorate(App, [Module({ imports, providers: [Notes], controllers: [Chats, Limited, Health] })])

  const app = await NestFactory.create(App, { logger: false })
  app.use((req: Request, _: Response, next: () => void) => {
    const id = req.headers['x-user']
    if (id) Object.assign(req, { user: { id } })
    // Of one route for the client, and by what the handler does of several for Nest.
    if (/then=redirect/.test(req.url)) req.url = req.url.replace('/chats/', '/redirect/')
    if (/then=(parts|endless|events)/.test(req.url)) req.url = req.url.replace('/chats/', '/write/')
    next()
  })
  await app.listen(0, '127.0.0.1')
  const server = app.getHttpServer() as Server
  return { url: urlOf(server), server, shutdown: () => app.close() }
}

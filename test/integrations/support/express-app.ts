import { createServer } from 'node:http'
import type { Express, Request, RequestHandler, Response } from 'express'
import { ValidationError } from '../../../src/errors.js'
import {
  closeOnShutdown,
  healthRoutes,
  memoryErrors,
  memoryMiddleware,
  memoryOf,
  rateLimit,
  unitOfWorkMiddleware,
} from '../../../src/integrations/express/index.js'
import { type Control, type Parts, type Served, urlOf } from './served.js'

/** The parts of an Express that the application needs, of 4 or 5. */
export interface ExpressModule {
  (): Express
  json(): RequestHandler
}

type Answer = (req: Request, res: Response, control: Control) => unknown

/** What a handler may do after its write. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  ok: async (req, res) =>
    res.status(201).json({ count: (await req.unit.messages.list(String(req.params.id))).items.length }),
  redirect: (_, res) => res.redirect(303, '/elsewhere'),
  refuse: (_, res) => res.status(422).json({ refused: true }),
  break: (_, res) => res.status(500).send('broken'),
  misuse: (req) => memoryOf(req).messages.list('a'),
  forget: (req, res) => {
    void req.unit.messages.append('forgotten', { role: 'user', content: 'x' }, { userId: 'ada' }).catch(() => undefined)
    res.status(201).json({ stored: true })
  },
  invalid: () => {
    throw new ValidationError('messages[0].content', 'must not be blank')
  },
  throw: () => {
    throw new Error('secret words')
  },
  parts: (_, res) => {
    res.writeHead(201, { 'content-type': 'text/plain', 'x-part': 'yes' })
    res.write('one ', () => res.end('two'))
  },
  large: (_, res) => void res.status(201).send('x'.repeat(100_000)),
  endless: (_, res) => {
    res.status(201)
    for (let i = 0; i < 20; i++) res.write('x'.repeat(100_000))
    res.end()
  },
  events: (_, res) => {
    res.setHeader('content-type', 'text/event-stream')
    res.flushHeaders()
  },
  twice: (_, res) => {
    res.status(201).json({ first: true })
    throw new Error('after the answer')
  },
  wait: async (_, res, { arrived, go }) => {
    arrived.open()
    await go.opened
    if (!res.headersSent) res.status(201).json({ waited: true })
  },
}

export const serveExpress =
  (express: ExpressModule) =>
  async ({ memory, control, limits, deadline }: Parts): Promise<Served> => {
    const app = express()
    app.set('env', 'test')
    app.use(healthRoutes({ memory }))
    app.use(express.json())
    app.use((req, _, next) => {
      const id = req.headers['x-user']
      if (id) Object.assign(req, { user: { id } })
      next()
    })
    app.use(memoryMiddleware({ memory, tenant: { header: 'X-Tenant-Id' } }))
    if (limits)
      app.get(
        '/limited',
        rateLimit({ memory: limits, name: 'calls', points: 3, duration: 60 }),
        (_, res) => void res.send('ok'),
      )
    app.get('/chats/:id', async (req, res, next) => {
      try {
        const { items } = await req.memory.messages.list(req.params.id, { last: 1000 })
        res.json(items.map(({ content }) => content))
      } catch (error) {
        next(error)
      }
    })
    // Express 4 does not look at what a handler promises.
    app.post('/chats/:id', unitOfWorkMiddleware({ deadline }), (req: Request, res: Response, next) => {
      const work = async () => {
        const { id } = req.params as { id: string }
        const { content } = req.body as { content: string }
        await req.unit.messages.append(id, { role: 'user', content }, { userId: 'ada' })
        await ANSWERS[String(req.query.then)]?.(req, res, control)
      }
      work().catch(next)
    })
    app.use(memoryErrors())
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { url: urlOf(server), server, shutdown: closeOnShutdown(server, memory, { signals: [] }) }
  }

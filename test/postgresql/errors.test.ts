import { connect as connectTo, createServer, type Server, type Socket } from 'node:net'
import { inspect } from 'node:util'
import postgres from 'postgres'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { PostgresqlOptions } from '../../src/contract/options.js'
import type { BrunoMemoryError } from '../../src/errors.js'
import { emptyDatabase, freshDatabase, leaveServer, returnDatabases } from './support/databases.js'

const SECRET = 'walnut-content-9173'
let url: string
const opened: Memory[] = []
const open = (options: Partial<PostgresqlOptions> = {}): Memory => {
  const memory = createBackend('postgresql', { connectionString: url, poolSize: 4, ...options })
  opened.push(memory)
  return memory
}
const says = (content: string) => ({ role: 'user' as const, content })

beforeEach(async () => {
  url = await freshDatabase()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
  await returnDatabases()
})
afterAll(leaveServer)

/** What a call is refused with; neither its message nor its causes hold a secret or content. */
async function refusal(call: Promise<unknown>, secrets: readonly string[] = []): Promise<BrunoMemoryError> {
  const error = await call.then(
    () => {
      throw new Error('the call succeeded')
    },
    (each: unknown) => each as BrunoMemoryError,
  )
  const shown = `${inspect(error, { depth: 6 })} ${error.message} ${error.stack}`
  for (const secret of [SECRET, new URL(url).password, ...secrets]) expect(shown).not.toContain(secret)
  return error
}

async function asAdministrator(...texts: readonly string[]): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  for (const text of texts) await sql.unsafe(text)
  await sql.end()
}

const nameOf = (database: string): string => new URL(database).pathname.slice(1)
const changed = (change: (made: URL) => void): string => {
  const made = new URL(url)
  change(made)
  return made.href
}

/** Two steps that wait for each other. */
function meeting(): { readonly arrive: () => Promise<void> } {
  let count = 0
  let release: () => void = () => {}
  const both = new Promise<void>((resolve) => {
    release = resolve
  })
  return {
    arrive: () => {
      if (++count === 2) release()
      return both
    },
  }
}

describe('opening', () => {
  test.each([
    [
      'a server that is not there',
      (made: URL) => {
        made.port = '1'
      },
      'connection',
      true,
    ],
    [
      'a wrong password',
      (made: URL) => {
        made.password = 'wrong-secret'
      },
      'connection',
      false,
    ],
    [
      'a database that does not exist',
      (made: URL) => {
        made.pathname = '/nothing_here'
      },
      'connection',
      false,
    ],
    [
      'a host that has no address',
      (made: URL) => {
        made.hostname = 'nowhere.invalid'
      },
      'connection',
      true,
    ],
  ] as const)('%s is said', async (_, change, code, retryable) => {
    const error = await refusal(open({ connectionString: changed(change) }).connect(), ['wrong-secret'])
    expect(error).toMatchObject({ code, retryable })
  })

  test('TLS to a server without is refused in time', async () => {
    const error = await refusal(open({ ssl: 'require', connectTimeout: 2000 }).connect())
    expect(error.code).toBe('connection')
  })

  test('a role without connections left is told so', async () => {
    await asAdministrator("create role bruno_limited login password 'limited-secret' connection limit 0")
    try {
      const limited = changed((made) => {
        made.username = 'bruno_limited'
        made.password = 'limited-secret'
      })
      const error = await refusal(open({ connectionString: limited, migrate: 'check' }).connect(), ['limited-secret'])
      expect(error).toMatchObject({ code: 'overloaded', retryable: true })
    } finally {
      await asAdministrator('drop role bruno_limited')
    }
  })

  test('a database without the schema is refused where it is only checked', async () => {
    const error = await refusal(open({ connectionString: await emptyDatabase(), migrate: 'check' }).connect())
    expect(error).toMatchObject({ code: 'migration', message: expect.stringContaining('bruno-memory migrate') })
  })
})

describe('units that meet', () => {
  test('in a deadlock: one is told to try again, and nothing of it is stored', async () => {
    const memory = open()
    for (const id of ['a', 'b']) await memory.conversations.create({ id, userId: 'ada' })
    const { arrive } = meeting()
    const unit = (first: string, second: string) =>
      memory.unitOfWork(async (within) => {
        await within.messages.append(first, says(SECRET))
        await arrive()
        await within.messages.append(second, says(SECRET))
      })
    const outcomes = await Promise.allSettled([unit('a', 'b'), unit('b', 'a')])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const [refused] = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(await refusal(Promise.reject(refused?.reason))).toMatchObject({ code: 'conflict', retryable: true })
    expect(await memory.statistics()).toMatchObject({ messages: 2 })
  })

  test('a verb in a deadlock with a unit is run again by itself', async () => {
    const memory = open()
    for (const id of ['a', 'b']) await memory.conversations.create({ id, userId: 'ada' })
    await memory.sessions.create({ id: 's', userId: 'ada', conversationId: 'a' })
    await memory.memories.add({ id: 'm', userId: 'ada', content: 'x', conversationId: 'b' })
    // Deleting a user locks what is theirs in an order of its own.
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 10 }, () => memory.unitOfWork((unit) => unit.sessions.update('s', { state: { n: 1 } }))),
      ...Array.from({ length: 10 }, () => memory.conversations.update('a', { title: 't' })),
    ])
    expect(outcomes.every(({ status }) => status === 'fulfilled')).toBe(true)
  })

  test('under serializable isolation: one is told to try again', async () => {
    await asAdministrator(`alter database ${nameOf(url)} set default_transaction_isolation = 'serializable'`)
    try {
      const memory = open()
      await memory.users.create({ id: 'ada' })
      const { arrive } = meeting()
      const unit = (name: string) =>
        memory.unitOfWork(async (within) => {
          await within.users.get('ada')
          await arrive()
          await within.users.update('ada', { name })
        })
      const outcomes = await Promise.allSettled([unit('a'), unit('b')])
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(refused).toMatchObject([{ reason: { code: 'conflict', retryable: true } }])
      // A verb of ours that meets another is run again instead.
      await Promise.all(Array.from({ length: 5 }, (_, i) => memory.users.update('ada', { name: `${i}` })))
    } finally {
      await asAdministrator(`alter database ${nameOf(url)} reset default_transaction_isolation`)
    }
  })
})

describe('time-outs', () => {
  test('a statement that waits too long for a row ends, and the pool serves on', async () => {
    const memory = open({ statementTimeout: 300 })
    await memory.conversations.create({ id: 'c', userId: 'ada' })
    let release: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const holder = memory.unitOfWork(async (unit) => {
      await unit.messages.append('c', says('first'))
      await held
    })
    const error = await refusal(memory.conversations.update('c', { title: SECRET }))
    expect(error).toMatchObject({ code: 'timeout', retryable: true })
    release()
    await holder
    await memory.conversations.update('c', { title: 'now' })
  })

  test('a unit that does nothing for too long is ended by the server, and nothing of it stays', async () => {
    const memory = open({ idleInTransactionTimeout: 200 })
    const unit = memory.unitOfWork(async (within) => {
      await within.messages.append('c', says(SECRET), { userId: 'ada' })
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await within.messages.append('c', says(SECRET))
    })
    expect(await refusal(unit)).toMatchObject({ code: 'connection', outcome: 'none' })
    expect(await memory.statistics()).toMatchObject({ messages: 0 })
  })

  test('a server that takes no writes says so', async () => {
    const memory = open()
    await memory.connect()
    await asAdministrator(`alter database ${nameOf(url)} set default_transaction_read_only = on`)
    try {
      const reading = open({ migrate: 'check' })
      expect(await reading.conversations.list()).toMatchObject({ items: [] })
      const error = await refusal(reading.messages.append('c', says(SECRET), { userId: 'ada' }))
      expect(error).toMatchObject({ code: 'storage', message: expect.stringContaining('read-only') })
    } finally {
      await asAdministrator(
        'set default_transaction_read_only = off',
        `alter database ${nameOf(url)} reset default_transaction_read_only`,
      )
    }
  })
})

describe('a line that goes dead', () => {
  let proxy: Server
  let silent = false
  const sockets = new Set<Socket>()
  beforeEach(async () => {
    silent = false
    const { hostname, port } = new URL(url)
    proxy = createServer((near) => {
      const far = connectTo(Number(port), hostname)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on('data', (data) => silent || to.write(data))
        from.on('close', () => to.destroy())
        from.on('error', () => to.destroy())
      }
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    await new Promise((resolve) => proxy.close(resolve))
  })
  const through = (): string =>
    changed((made) => {
      made.port = String((proxy.address() as { port: number }).port)
    })

  test('is a time-out within the deadline, for reads and for writes', async () => {
    const memory = open({ connectionString: through(), statementTimeout: 400, acquireTimeout: 400 })
    await memory.conversations.create({ id: 'c', userId: 'ada' })
    silent = true
    const started = performance.now()
    const [read, write] = await Promise.all([
      refusal(memory.messages.list('c')),
      refusal(memory.messages.append('c', says(SECRET))),
    ])
    expect(read.code).toBe('timeout')
    expect(write).toMatchObject({ code: 'timeout', message: expect.stringContaining('not known') })
    expect(performance.now() - started).toBeLessThan(5000)
    // The connections are of no use any more.
    for (const socket of sockets) socket.destroy()
  })

  test('is cut and made anew: the next calls are served', async () => {
    const memory = open({ connectionString: through() })
    await memory.conversations.create({ id: 'c', userId: 'ada' })
    for (const socket of sockets) socket.destroy()
    await memory.messages.append('c', says('after'))
    expect((await memory.messages.list('c')).items).toHaveLength(1)
  })
})

// `npm run bench:postgresql`: our calls against postgres.js with hand-written prepared statements, and against Drizzle as
// it comes, doing the same work on the same server with the same durability, in the same run, in turn; medians.
import postgres from 'postgres'
import { secureDatabase } from '../src/backends/postgresql/open.js'
import { createBackend, type Memory } from '../src/index.js'
import { createAnalyzer } from '../src/search/analyzer.js'
import { ownPostgresql } from '../test/ground/index.js'
import { compare, print, type Result } from './bench/measure.js'
import { naive } from './bench/naive-postgresql.js'
import { openRaw, type Raw } from './bench/raw-postgresql.js'
import { sentences } from './bench/sentences.js'

const quick = process.argv.includes('--quick')
const many = (rounds: number) => (quick ? Math.ceil(rounds / 5) : rounds)
const analyzer = await createAnalyzer('english')
const text = sentences()
const says = (content: string) => ({ role: 'user' as const, content })
const server = await ownPostgresql({ shared_buffers: '256MB', max_wal_size: '4GB' })

async function fill(memory: Memory, size: number): Promise<void> {
  for (let i = 0; i < size; i += 1000) {
    const conversations = await Promise.all(
      Array.from({ length: Math.min(5, (size - i) / 200) }, () => memory.conversations.create({ userId: 'bench' })),
    )
    await Promise.all(
      conversations.map(({ id }) =>
        memory.messages.append(
          id,
          Array.from({ length: 200 }, () => says(text())),
        ),
      ),
    )
  }
}

async function database(name: string): Promise<string> {
  const admin = postgres(server.url, { max: 1 })
  await admin.unsafe(`create database ${name}`)
  await admin.end()
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return url.href
}

async function appends(memory: Memory, hand: Raw): Promise<Result[]> {
  const ours = (await memory.conversations.create({ userId: 'bench' })).id
  const theirs = await hand.createConversation()
  const results: Result[] = []
  for (const [n, goal, rounds, calls, warm] of [
    [1, 0.85, 40, 50, 4000],
    [100, 1, 30, 5, 60],
    [1000, 1, 12, 1, 20],
  ] as const) {
    const contents = () => Array.from({ length: n }, text)
    results.push(
      await compare({
        name: `append ${n}${n > 1 ? ' (raw: multi-row VALUES)' : ''}`,
        goal,
        rounds: many(rounds),
        calls,
        warm,
        ours: () => memory.messages.append(ours, contents().map(says)),
        raw: () => hand.append(theirs, contents()),
      }),
    )
  }
  const mine = await Promise.all(Array.from({ length: 64 }, () => memory.conversations.create({ userId: 'bench' })))
  const other = await Promise.all(Array.from({ length: 64 }, () => hand.createConversation()))
  results.push(
    await compare({
      name: '64 concurrent appenders, 4 messages each, to different conversations',
      goal: 1,
      rounds: many(40),
      warm: 20,
      ours: () =>
        Promise.all(
          mine.map(async ({ id }) => {
            for (let i = 0; i < 4; i++) await memory.messages.append(id, says(text()))
          }),
        ),
      raw: () =>
        Promise.all(
          other.map(async (id) => {
            for (let i = 0; i < 4; i++) await hand.append(id, [text()])
          }),
        ),
    }),
  )
  return results
}

async function reads(url: string, memory: Memory, hand: Raw): Promise<Result[]> {
  const ours = (await memory.conversations.create({ userId: 'bench' })).id
  const theirs = await hand.createConversation()
  await memory.messages.append(
    ours,
    Array.from({ length: 200 }, () => says(text())),
  )
  await hand.append(theirs, Array.from({ length: 200 }, text))
  const drizzled = naive(url, analyzer)
  const results = [
    await compare({
      name: 'last 50',
      goal: 0.9,
      rounds: many(60),
      calls: 40,
      warm: 3000,
      ours: () => memory.messages.list(ours, { last: 50 }),
      raw: () => hand.last(theirs, 50),
    }),
    await compare({
      name: 'append 1, against naive Drizzle',
      goal: 1.3,
      rounds: many(30),
      calls: 30,
      warm: 200,
      ours: () => memory.messages.append(ours, says(text())),
      raw: () => drizzled.append(theirs, text()),
    }),
    await compare({
      name: 'last 50, against naive Drizzle',
      goal: 1.3,
      rounds: many(40),
      calls: 40,
      warm: 400,
      ours: () => memory.messages.list(ours, { last: 50 }),
      raw: () => drizzled.last(theirs, 50),
    }),
  ]
  await drizzled.close()
  return results
}

const QUESTIONS = [
  'where did she go for the weekend',
  'painting of the lake',
  'what book did he read',
  'counseling job and family',
]

async function searches(url: string, memory: Memory, hand: Raw): Promise<Result> {
  const admin = postgres(url, { max: 1 })
  await admin.unsafe('vacuum analyze')
  await admin.end()
  let next = 0
  const question = () => QUESTIONS[next++ % QUESTIONS.length] as string
  return compare({
    name: 'text search, top 10 (raw: the same statements, without the ranking)',
    goal: 0.9,
    rounds: many(30),
    calls: QUESTIONS.length,
    warm: 100,
    ours: () => memory.search({ text: question(), kinds: ['message'], limit: 10 }),
    raw: () => hand.search(question(), 10),
  })
}

/** A search under row-level security against one without, of one tenant with a third of 300,000 messages. */
async function secured(): Promise<Result> {
  const size = quick ? 30_000 : 300_000
  const url = await database('secured')
  const plain = createBackend('postgresql', { connectionString: url })
  await plain.connect()
  for (const [tenant, part] of [
    ['large', size / 3],
    ['b', size / 3],
    ['c', size / 3],
  ] as const) {
    const memory = plain.forTenant(tenant)
    for (let i = 0; i < part; i += 1000) {
      const { id } = await memory.conversations.create({ userId: 'bench' })
      await memory.messages.append(
        id,
        Array.from({ length: 1000 }, () => says(text())),
      )
    }
  }
  const admin = postgres(url, { max: 1, onnotice: () => {} })
  await admin.unsafe("create role bench_app login password 'bench'")
  await admin.unsafe('vacuum analyze')
  await admin.end()
  await secureDatabase(url, 'bench_app')
  const app = new URL(url)
  app.username = 'bench_app'
  app.password = 'bench'
  const guarded = createBackend('postgresql', { connectionString: app.href, rowLevelSecurity: true })
  await guarded.connect()
  let next = 0
  const question = () => QUESTIONS[next++ % QUESTIONS.length] as string
  const search = (memory: Memory) => () =>
    memory.forTenant('large').search({ text: question(), kinds: ['message'], limit: 10 })
  const result = await compare({
    name: `text search under row-level security, ${(size / 3).toLocaleString('en')} of ${size.toLocaleString('en')} messages (raw: without)`,
    goal: 0.5,
    rounds: many(15),
    calls: QUESTIONS.length,
    warm: 20,
    ours: search(guarded),
    raw: search(plain),
  })
  await guarded.close()
  await plain.close()
  return result
}

async function growth(small: Memory): Promise<Result> {
  const big = quick ? 100_000 : 1_000_000
  const url = await database('growth')
  const large = createBackend('postgresql', { connectionString: url })
  const started = performance.now()
  await fill(large, big)
  console.log(`filled ${big.toLocaleString('en')} messages in ${((performance.now() - started) / 1000).toFixed(0)} s`)
  const [here, there] = await Promise.all(
    [small, large].map(async (memory) => {
      const { id } = await memory.conversations.create({ userId: 'bench' })
      await memory.messages.append(
        id,
        Array.from({ length: 200 }, () => says(text())),
      )
      return id
    }),
  )
  const result = await compare({
    name: `last 50 among ${big.toLocaleString('en')} messages (raw: ours among 10,000)`,
    goal: 0.77,
    rounds: many(60),
    calls: 40,
    warm: 1000,
    ours: () => large.messages.list(there as string, { last: 50 }),
    raw: () => small.messages.list(here as string, { last: 50 }),
  })
  await memoryOf(large, big)
  await large.close()
  return result
}

/** Memory while every message is read, and nothing is kept. */
async function memoryOf(memory: Memory, expected: number): Promise<void> {
  const marks: number[] = []
  let n = 0
  for await (const { id } of each(memory))
    for await (const _ of memory.messages.each(id)) {
      n++
      if (n % Math.ceil(expected / 5) === 0) {
        globalThis.gc?.()
        marks.push(Math.round(process.memoryUsage().rss / 2 ** 20))
      }
    }
  console.log(`iterated ${n.toLocaleString('en')} messages; RSS at each fifth: ${marks.join(', ')} MB`)
}

async function* each(memory: Memory): AsyncGenerator<{ readonly id: string }> {
  for (let after: string | undefined; ; ) {
    const page = await memory.conversations.list({ limit: 500, ...(after && { after }) })
    yield* page.items
    if (!page.after) return
    after = page.after
  }
}

try {
  console.log(`Node ${process.version}, synchronous_commit on for both sides${quick ? ', quick run' : ''}\n`)
  const url = await database('main')
  const memory = createBackend('postgresql', { connectionString: url })
  await memory.connect()
  await fill(memory, 10_000)
  const hand = openRaw(url, analyzer)
  const results = [
    ...(await appends(memory, hand)),
    ...(await reads(url, memory, hand)),
    await searches(url, memory, hand),
    await secured(),
  ]
  if (!process.argv.includes('--no-growth')) results.push(await growth(memory))
  print(results)
  await hand.close()
  await memory.close()
} finally {
  await server.stop()
}

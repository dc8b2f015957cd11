// `npm run bench`: our calls against hand-written prepared better-sqlite3 statements doing the same work, with the same
// durability, in the same run, in turn; medians. A ratio, not a time, is the result.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBackend, type Memory } from '../src/index.js'
import { createAnalyzer } from '../src/search/analyzer.js'
import { compare, print, type Result } from './bench/measure.js'
import { openRaw, type Raw } from './bench/raw.js'
import { sentences } from './bench/sentences.js'
import { startup } from './bench/startup.js'

const quick = process.argv.includes('--quick')
const many = (rounds: number) => (quick ? Math.ceil(rounds / 5) : rounds)
const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-bench-'))
const analyzer = await createAnalyzer('english')
const text = sentences()

interface Sides {
  readonly memory: Memory
  readonly raw: Raw
  readonly ours: string
  readonly theirs: string
}

/** Two files of the same schema, one for each side, each with `size` messages in conversations of 200. */
async function open(name: string, size: number): Promise<Sides> {
  const [mine, other] = [join(folder, `${name}-ours.db`), join(folder, `${name}-raw.db`)]
  const memory = createBackend('sqlite', { databasePath: mine })
  const seed = createBackend('sqlite', { databasePath: other })
  for (const side of [memory, seed]) {
    let conversation = await side.conversations.create({ userId: 'bench' })
    for (let i = 0; i < size; i += 1000) {
      const batch = Array.from({ length: Math.min(1000, size - i) }, () => ({ role: 'user' as const, content: text() }))
      for (let j = 0; j < batch.length; j += 200) {
        conversation = await side.conversations.create({ userId: 'bench' })
        await side.messages.append(conversation.id, batch.slice(j, j + 200))
      }
    }
  }
  await seed.close()
  const raw = openRaw(other, analyzer)
  const ours = (await memory.conversations.create({ userId: 'bench' })).id
  return { memory, raw, ours, theirs: raw.createConversation() }
}

async function appends({ memory, raw, ours, theirs }: Sides): Promise<Result[]> {
  const results: Result[] = []
  for (const [n, goal, rounds, calls, warm] of [
    [1, 0.8, 40, 25, 3000],
    [100, 0.85, 25, 2, 60],
    [1000, 0.8, 15, 1, 20],
  ] as const) {
    const contents = () => Array.from({ length: n }, text)
    results.push(
      await compare({
        name: `append ${n}`,
        goal,
        rounds: many(rounds),
        calls,
        warm,
        ours: () =>
          memory.messages.append(
            ours,
            contents().map((content) => ({ role: 'user', content })),
          ),
        raw: () => raw.append(theirs, contents()),
      }),
    )
  }
  results.push(
    await compare({
      name: '100 concurrent single appends (raw: a transaction each)',
      goal: 2,
      rounds: many(20),
      ours: () =>
        Promise.all(Array.from({ length: 100 }, () => memory.messages.append(ours, { role: 'user', content: text() }))),
      raw: () => {
        for (let i = 0; i < 100; i++) raw.append(theirs, [text()])
      },
    }),
  )
  return results
}

async function reads({ memory, raw, ours, theirs }: Sides): Promise<Result[]> {
  const last = await compare({
    name: 'last 50',
    goal: 0.9,
    rounds: many(60),
    calls: 40,
    warm: 2000,
    ours: () => memory.messages.list(ours, { last: 50 }),
    raw: () => raw.last(theirs, 50),
  })
  const questions = [
    'where did she go for the weekend',
    'painting of the lake',
    'what book did he read',
    'counseling job and family',
  ]
  let next = 0
  const search = await compare({
    // Ours ranks by the tenant's own numbers and looks at the neighbouring turns of its candidates; raw does neither.
    name: "text search, top 10 (raw: the index's own ranking)",
    goal: 0.4,
    rounds: many(40),
    calls: questions.length,
    warm: 100,
    ours: () => memory.search({ text: questions[next++ % questions.length] as string, kinds: ['message'], limit: 10 }),
    raw: () => raw.search(questions[next++ % questions.length] as string, 10),
  })
  return [last, search]
}

/** The last 50 of a conversation among many messages, against the same among few. */
async function growth(): Promise<Result> {
  const big = quick ? 100_000 : 1_000_000
  const small = await open('growth-small', 10_000)
  const large = await open('growth-large', big)
  for (const { memory, ours } of [small, large])
    await memory.messages.append(
      ours,
      Array.from({ length: 200 }, () => ({ role: 'user' as const, content: text() })),
    )
  const result = await compare({
    name: `last 50 among ${big.toLocaleString('en')} messages (raw: ours among 10,000)`,
    goal: 0.77,
    rounds: many(60),
    calls: 40,
    warm: 2000,
    ours: () => large.memory.messages.list(large.ours, { last: 50 }),
    raw: () => small.memory.messages.list(small.ours, { last: 50 }),
  })
  for (const { memory, raw } of [small, large]) {
    raw.close()
    await memory.close()
  }
  return result
}

try {
  console.log(
    `Node ${process.version}, durability power (synchronous=FULL) on both sides${quick ? ', quick run' : ''}\n`,
  )
  const sides = await open('main', 10_000)
  const results = [...(await appends(sides)), ...(await reads(sides))]
  sides.raw.close()
  await sides.memory.close()
  if (!process.argv.includes('--no-growth')) results.push(await growth())
  print(results)
  startup(folder, many(15))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

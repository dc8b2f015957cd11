// `npm run bench:redis`: our calls against ioredis by hand with a script that stores the same, on the same server with the same
// durability, both with auto-pipelining, in the same run, in turn; medians.
import { createBackend } from '../src/index.js'
import { startRedis } from '../test/ground/index.js'
import { compare, print, type Result } from './bench/measure.js'
import { openRaw } from './bench/raw-redis.js'
import { sentences } from './bench/sentences.js'

const quick = process.argv.includes('--quick')
const many = (rounds: number) => (quick ? Math.ceil(rounds / 5) : rounds)
const text = sentences()
const says = (content: string) => ({ role: 'user' as const, content })
const server = await startRedis({ own: true })
const hand = await openRaw(server.url)
const memory = createBackend('redis', { url: server.url })
await memory.connect()

async function appends(): Promise<Result[]> {
  const { id } = await memory.conversations.create({ userId: 'bench' })
  const results: Result[] = []
  for (const [n, goal, rounds, calls, warm] of [
    [1, 0.8, 60, 100, 5000],
    [100, 0.8, 40, 5, 100],
  ] as const) {
    const contents = () => Array.from({ length: n }, text)
    results.push(
      await compare({
        name: `append ${n}`,
        goal,
        rounds: many(rounds),
        calls,
        warm,
        ours: () => memory.messages.append(id, contents().map(says)),
        raw: () => hand.append('one', contents()),
      }),
    )
  }
  results.push(
    await compare({
      name: 'append 1, against a bare RPUSH of JSON',
      goal: 0.5,
      rounds: many(60),
      calls: 100,
      warm: 200,
      ours: () => memory.messages.append(id, says(text())),
      raw: () => hand.push('one', [text()]),
    }),
  )
  return results
}

async function concurrent(): Promise<Result> {
  const ours = await Promise.all(Array.from({ length: 64 }, () => memory.conversations.create({ userId: 'bench' })))
  return compare({
    name: '64 concurrent appenders, 4 messages each, to different conversations',
    goal: 0.9,
    rounds: many(60),
    warm: 40,
    ours: () =>
      Promise.all(
        ours.map(async ({ id }) => {
          for (let i = 0; i < 4; i++) await memory.messages.append(id, says(text()))
        }),
      ),
    raw: () =>
      Promise.all(
        ours.map(async ({ id }) => {
          for (let i = 0; i < 4; i++) await hand.append(id, [text()])
        }),
      ),
  })
}

async function reads(): Promise<Result> {
  const { id } = await memory.conversations.create({ userId: 'bench' })
  await memory.messages.append(
    id,
    Array.from({ length: 200 }, () => says(text())),
  )
  await hand.append('read', Array.from({ length: 200 }, text))
  return compare({
    name: 'last 50',
    goal: 0.9,
    rounds: many(60),
    calls: 40,
    warm: 3000,
    ours: () => memory.messages.list(id, { last: 50 }),
    raw: () => hand.last('read', 50),
  })
}

try {
  print([...(await appends()), await concurrent(), await reads()])
} finally {
  await memory.close()
  hand.close()
  await server.stop()
}

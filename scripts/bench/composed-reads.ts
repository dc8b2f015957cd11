import { Redis } from 'ioredis'
import postgres from 'postgres'
import { prepare } from '../../src/backend.js'
import { SemanticIndex } from '../../src/backends/vector/semantic.js'
import { createBackend } from '../../src/index.js'
import { findKind } from '../../src/registry.js'
import { DIMENSIONS, type Figure, type Ground, opened, quantile } from './composed.js'
import { compare, median, type Result } from './measure.js'
import { sentences } from './sentences.js'
import { vectors } from './vectors.js'

const CONVERSATIONS = 500
const MESSAGES = 60
const RECORDS = 10_000
const USERS = 20

/** What a program would do at the least for the same: the values that are cached, got and parsed. */
async function bareReads(url: string) {
  const { protocol, host, searchParams } = new URL(url)
  const redis = new Redis(`${protocol}//${host}`)
  const prefix = Buffer.from(searchParams.get('prefix') as string).toString('base64url')
  const keys = await redis.keys(`bruno:{${prefix}.*}:v:*`)
  const count = (stats: string, name: string) => Number(new RegExp(`keyspace_${name}:(\\d+)`).exec(stats)?.[1])
  let next = 0
  return {
    read: async () =>
      JSON.parse(((await redis.get(keys[next++ % keys.length] as string)) as string).replace(/^\d*:/, '')),
    /** Keys that Redis had, and had not. */
    found: async () => {
      const stats = await redis.info('stats')
      return { hits: count(stats, 'hits'), misses: count(stats, 'misses') }
    },
    close: () => redis.disconnect(),
  }
}

/** The end of a conversation by Redis, against the same by PostgreSQL and against a bare client, of many conversations. */
export async function benchCached(ground: Ground, quick: boolean): Promise<Figure[]> {
  const primary = await ground.primary('postgresql')
  const cache = ground.cache()
  const cached = await opened({ primary, cache, embeddingDimensions: undefined })
  const alone = createBackend(primary)
  await alone.connect()
  const text = sentences()
  let bare: Awaited<ReturnType<typeof bareReads>> | null = null
  try {
    const ids = await Promise.all(
      Array.from({ length: CONVERSATIONS }, async () => {
        const { id } = await cached.conversations.create({ userId: 'bench' })
        await cached.messages.append(
          id,
          Array.from({ length: MESSAGES }, () => ({ role: 'user' as const, content: text() })),
        )
        return id
      }),
    )
    await cached.settle({ deadline: 60_000 })
    let next = 0
    const id = () => ids[next++ % CONVERSATIONS] as string
    let asked = 0
    const ours = () => {
      asked++
      return cached.messages.list(id(), { last: 50 })
    }
    for (let i = 0; i < 2 * CONVERSATIONS; i++) await ours()
    bare = await bareReads(cache)
    const before = { ...(await bare.found()), asked }
    const common = { name: '', ours, goal: 2, rounds: quick ? 15 : 60, calls: 20, warm: 4000 }
    const stored = await compare({ ...common, raw: () => alone.messages.list(id(), { last: 50 }) })
    const least = await compare({ ...common, raw: bare.read, warm: 200 })
    const { hits, misses } = await bare.found()
    if (misses > before.misses || hits - before.hits < asked - before.asked)
      throw new Error('not every read was answered by Redis')
    const of = ({ ours, raw }: Result) => `${ours.toFixed(0)} µs, ${raw.toFixed(0)} µs`
    const figure = { atMost: false, unit: '× as fast' }
    return [
      {
        name: `last 50 of ${CONVERSATIONS} conversations from Redis, against PostgreSQL`,
        value: stored.ratio,
        goal: 2,
        of: of(stored),
        ...figure,
      },
      {
        name: 'the same from Redis, against a bare GET and JSON.parse',
        value: least.ratio,
        goal: 0.5,
        of: of(least),
        ...figure,
      },
    ]
  } finally {
    bare?.close()
    await cached.close()
    await alone.close()
  }
}

const QUESTIONS = [
  'where did she go for the weekend',
  'painting of the lake',
  'what book did he read',
  'counseling job and family',
]

/** The store of vectors as the memory asks it. */
async function nearestOf(url: string, collectionName: string) {
  const { options } = prepare('qdrant', { url, collectionName, embeddingDimensions: DIMENSIONS })
  const store = await findKind('qdrant').kind.index?.make(options, 1)
  if (!store) throw new Error('no store of vectors')
  const space = { provider: 'records', model: 'records', dimensions: DIMENSIONS, metric: 'cosine' } as const
  const opened = await store.open(space, async () => DIMENSIONS)
  const index = new SemanticIndex(store, opened, { clock: Date.now, callTimeout: 10_000 })
  return { index, close: () => store.close() }
}

/** Of one user by words and by meaning, against its parts, which are asked in turn with it. */
export async function benchHybrid(ground: Ground, quick: boolean): Promise<Figure[]> {
  const primary = await ground.primary('postgresql')
  const semantic = ground.semantic()
  const memory = await opened({ primary, semantic: semantic.url })
  const text = sentences()
  const vector = vectors(DIMENSIONS)
  for (let at = 0; at < RECORDS; at += 500)
    await memory.memories.addMany(
      Array.from({ length: 500 }, (_, i) => ({ userId: `u${(at + i) % USERS}`, content: text(), vector: vector() })),
    )
  await memory.settle({ deadline: 120_000 })
  const database = postgres(primary, { max: 1, onnotice: () => undefined })
  await database.unsafe('vacuum analyze')
  const rows = await database`select seq from bruno_memories order by seq`
  const { index, close } = await nearestOf(ground.qdrantUrl, semantic.collection)
  let n = 0
  const user = () => `u${n % USERS}`
  const sides: Readonly<Record<string, () => Promise<unknown>>> = {
    hybrid: () => memory.search({ ...asked('hybrid'), vector: vector() }),
    text: () => memory.search(asked('text')),
    nearest: () =>
      index.nearest('default', 'memory', {
        filter: { userId: user() },
        vector: vector(),
        limit: 100,
        exact: false,
        now: Date.now(),
      }),
    both: () => Promise.all([sides.text?.(), sides.nearest?.()]),
    hydration: () => {
      const seqs = Array.from({ length: 10 }, (_, i) => rows[(n * 131 + i * 977) % RECORDS]?.seq as string)
      return database`select * from bruno_memories where tenant_id = 'default' and seq = any(${seqs}::bigint[]) and user_id is not null`
    },
  }
  function asked(mode: 'hybrid' | 'text') {
    const question = QUESTIONS[n % QUESTIONS.length] as string
    return { text: question, mode, kinds: ['memory' as const], userId: user(), limit: 10, candidates: 100 }
  }
  const names = Object.keys(sides)
  const times = new Map(names.map((name) => [name, [] as number[]]))
  try {
    const warm = 200
    for (; n < warm + (quick ? 200 : 800); n++)
      for (let i = 0; i < names.length; i++) {
        const name = names[(n + i) % names.length] as string
        const began = performance.now()
        await sides[name]?.()
        if (n >= warm) times.get(name)?.push(performance.now() - began)
      }
  } finally {
    await memory.close()
    await close()
    await database.end()
  }
  const middle = (name: string): number => median(times.get(name) ?? [])
  const parts = Math.max(middle('text'), middle('nearest')) + middle('hydration')
  const ms = (name: string) => `${name} ${middle(name).toFixed(2)} ms`
  return [
    {
      name: 'hybrid search of one user, against the slower of its parts and the reading of its records',
      value: middle('hybrid') / parts,
      goal: 1.2,
      atMost: true,
      unit: '×',
      of: `${names.map(ms).join(', ')}; hybrid p95 ${quantile(times.get('hybrid') ?? [], 0.95).toFixed(2)} ms`,
    },
    {
      // Two servers and this program on the cores that there are: what asking both at once costs here.
      name: 'the same, against a search by text and one by vectors at once, whose records nobody fuses',
      value: middle('hybrid') / middle('both'),
      goal: 1.2,
      atMost: true,
      unit: '×',
      of: `${ms('hybrid')}, ${ms('both')}`,
    },
  ]
}

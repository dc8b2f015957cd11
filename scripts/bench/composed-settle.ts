import type { Memory } from '../../src/index.js'
import {
  atPostgresql,
  DIMENSIONS,
  type Figure,
  type Ground,
  NAMES,
  opened,
  PRIMARIES,
  type Primary,
  seconds,
} from './composed.js'
import { median } from './measure.js'
import { bareHttp } from './raw-qdrant.js'
import { sentences } from './sentences.js'
import { vectors } from './vectors.js'

const text = sentences()
const vector = vectors(DIMENSIONS)
const BATCH = 250
const DEADLINE = { deadline: 600_000 }

const memories = (n: number) =>
  Array.from({ length: n }, () => ({ userId: 'bench', content: text(), vector: vector() }))

/** Effects of messages that change, which Redis is told of one by one: what is appended is one effect a conversation. */
async function toRedis(ground: Ground, kind: Primary, size: number): Promise<Figure> {
  const primary = await ground.primary(kind)
  const memory = await opened({ primary, cache: ground.cache(), settle: 'off' })
  try {
    const each = size / 500
    const said = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const { id } = await memory.conversations.create({ userId: 'bench' })
        const messages = Array.from({ length: each }, () => ({ role: 'user' as const, content: text() }))
        return (await memory.messages.append(id, messages)).map((message) => [id, message.id] as const)
      }),
    )
    const appended = await seconds(() => memory.settle(DEADLINE))
    for (const some of said)
      await Promise.all(some.map(([id, message]) => memory.messages.update(id, message, { metadata: { seen: true } })))
    await known(primary)
    const changed = await seconds(() => memory.settle(DEADLINE))
    return {
      name: `effects to Redis from ${NAMES[kind]}`,
      value: size / changed,
      goal: 3000,
      atMost: false,
      unit: '/s',
      of: `${size.toLocaleString('en')} messages that changed in 500 conversations; so many appended: ${(appended * 1000).toFixed(0)} ms`,
    }
  } finally {
    await memory.close()
  }
}

/** What a server finds out about its tables by itself within their first minute (autovacuum). */
async function known(url: string): Promise<void> {
  if (!url.startsWith('sqlite:')) await atPostgresql(url, 'analyze')
}

interface Scrolled {
  readonly result: { readonly points: readonly object[]; readonly next_page_offset: unknown }
}

/** What a collection is made of, and everything in it. */
async function whole(http: ReturnType<typeof bareHttp>, url: string, collection: string) {
  const points: object[] = []
  for (let offset: unknown = null; ; ) {
    const body = { limit: 1000, offset, with_payload: true, with_vector: true }
    const { result } = (await http.send('POST', `/collections/${collection}/points/scroll`, body)) as Scrolled
    points.push(...result.points)
    offset = result.next_page_offset ?? null
    if (offset === null) break
  }
  const { result } = (await (await fetch(`${url}/collections/${collection}`)).json()) as {
    result: {
      config: { params: object; hnsw_config: object }
      payload_schema: Record<string, { data_type: string; params?: object }>
    }
  }
  return { points, params: result.config.params, hnsw: result.config.hnsw_config, indexes: result.payload_schema }
}

type Whole = Awaited<ReturnType<typeof whole>>

/** The same points into a collection of the same make, one batch after the other. */
async function bare(http: ReturnType<typeof bareHttp>, collection: string, { points, params, hnsw, indexes }: Whole) {
  await http.send('PUT', `/collections/${collection}`, { ...params, hnsw_config: hnsw })
  for (const [field_name, { data_type, params }] of Object.entries(indexes))
    await http.send('PUT', `/collections/${collection}/index?wait=true`, {
      field_name,
      field_schema: params ?? data_type,
    })
  const taken = await seconds(async () => {
    for (let at = 0; at < points.length; at += BATCH)
      await http.send('PUT', `/collections/${collection}/points?wait=true`, { points: points.slice(at, at + BATCH) })
  })
  await http.send('DELETE', `/collections/${collection}`, {})
  return taken
}

async function filled(memory: Memory, url: string, size: number): Promise<void> {
  for (let at = 0; at < size; at += 500) await memory.memories.addMany(memories(Math.min(500, size - at)))
  await known(url)
}

async function toQdrant(ground: Ground, kind: Primary, size: number, rounds: number): Promise<Figure> {
  const http = bareHttp(ground.qdrantUrl)
  const shares: number[] = []
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { url, collection } = ground.semantic()
    const primary = await ground.primary(kind)
    const memory = await opened({ primary, semantic: url, settle: 'off' })
    await filled(memory, primary, size)
    const ours = await seconds(() => memory.settle(DEADLINE))
    await memory.close()
    const all = await whole(http, ground.qdrantUrl, collection)
    if (all.points.length !== size) throw new Error(`${all.points.length} points instead of ${size}`)
    await http.send('DELETE', `/collections/${collection}`, {})
    const theirs = await bare(http, `${collection}_bare`, all)
    rates.push(size / ours)
    shares.push(theirs / ours)
  }
  http.close()
  return {
    name: `records to Qdrant from ${NAMES[kind]}, share of bare upserts`,
    value: median(shares),
    goal: 0.8,
    atMost: false,
    unit: '×',
    of: `${Math.round(median(rates)).toLocaleString('en')}/s`,
  }
}

export async function benchRedis(ground: Ground, quick: boolean): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const kind of PRIMARIES) figures.push(await toRedis(ground, kind, quick ? 4000 : 20_000))
  return figures
}

export async function benchQdrant(ground: Ground, quick: boolean): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const kind of PRIMARIES) figures.push(await toQdrant(ground, kind, quick ? 3000 : 10_000, quick ? 1 : 3))
  return figures
}

/** A model that answers so many texts a second, however it is asked. */
function paced(rate: number) {
  let free = 0
  const answer = async (texts: readonly string[]): Promise<Float32Array[]> => {
    free = Math.max(free, performance.now()) + (texts.length * 1000) / rate
    await new Promise((resolve) => setTimeout(resolve, free - performance.now()))
    return texts.map(() => vector())
  }
  return { embedDocuments: answer, embedQuery: async (one: string) => (await answer([one]))[0] as Float32Array }
}

async function made(ground: Ground, kind: Primary, rate: number, size: number, batch: number): Promise<Figure> {
  const model = paced(rate)
  const primary = await ground.primary(kind)
  const memory = await opened({
    primary,
    semantic: ground.semantic().url,
    settle: 'off',
    embeddingFunction: model,
    embeddingBatchSize: batch,
  })
  try {
    const all = Array.from({ length: size }, (_, i) => ({ userId: 'bench', content: `${text()} ${i}` }))
    for (let at = 0; at < size; at += 500) await memory.memories.addMany(all.slice(at, at + 500))
    await known(primary)
    const ours = await seconds(() => memory.settle(DEADLINE))
    const own = await seconds(async () => {
      for (let at = 0; at < size; at += batch)
        await model.embedDocuments(all.slice(at, at + batch).map(({ content }) => content))
    })
    return {
      name: `texts from ${NAMES[kind]} to Qdrant by a model of ${rate}/s, ${batch === 1 ? 'one by one' : `${batch} at once`}`,
      value: own / ours,
      goal: 0.9,
      atMost: false,
      unit: '×',
      of: `${Math.round(size / ours)}/s, the model alone ${Math.round(size / own)}/s`,
    }
  } finally {
    await memory.close()
  }
}

export async function benchModels(ground: Ground, quick: boolean): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const kind of PRIMARIES) {
    figures.push(await made(ground, kind, 145, quick ? 600 : 1500, 1))
    figures.push(await made(ground, kind, 2000, quick ? 4000 : 10_000, 64))
  }
  return figures
}

import { setTimeout as sleep } from 'node:timers/promises'
import { keyOf } from '../../src/backends/vector/point.js'
import { DIMENSIONS, type Figure, type Ground, opened, quantile } from './composed.js'
import { bareHttp } from './raw-qdrant.js'
import { sentences } from './sentences.js'
import { vectors } from './vectors.js'

const RATE = 500
/** Milliseconds between two looks. */
const LOOK = 10

interface Waiting {
  readonly key: string
  readonly since: number
}

/** How long after each write was answered its record is found in the store, by its id. */
export async function benchLag(ground: Ground, quick: boolean): Promise<Figure[]> {
  const { url, collection } = ground.semantic()
  const memory = await opened({ primary: await ground.primary('postgresql'), semantic: url })
  const http = bareHttp(ground.qdrantUrl)
  const text = sentences()
  const vector = vectors(DIMENSIONS)
  let waiting: Waiting[] = []
  const lags: number[] = []
  const writes: number[] = []
  let ended = false

  const write = async (): Promise<void> => {
    const began = performance.now()
    const { id } = await memory.memories.add({ userId: 'bench', content: text(), vector: vector() })
    const since = performance.now()
    writes.push(since - began)
    waiting.push({ key: keyOf('default', 'memory', '', id), since })
  }
  const look = async (): Promise<void> => {
    while (!ended || waiting.length > 0) {
      await sleep(LOOK)
      const asked = waiting.slice(0, 2000)
      if (asked.length === 0) continue
      const body = { ids: asked.map(({ key }) => key), with_payload: false, with_vector: false }
      const { result } = (await http.send('POST', `/collections/${collection}/points`, body)) as {
        result: readonly { readonly id: string }[]
      }
      const now = performance.now()
      const found = new Set(result.map(({ id }) => id))
      for (const { key, since } of asked) if (found.has(key)) lags.push(now - since)
      waiting = waiting.filter(({ key }) => !found.has(key))
    }
  }
  const run = async (time: number): Promise<void> => {
    const began = performance.now()
    const under: Promise<void>[] = []
    for (let n = 0; n < (time * RATE) / 1000; n++) {
      const due = began + (n * 1000) / RATE
      if (due > performance.now() + 1) await sleep(due - performance.now())
      under.push(write())
    }
    await Promise.all(under)
  }
  try {
    const looking = look()
    await run(3000)
    lags.length = 0
    writes.length = 0
    await run(quick ? 5000 : 20_000)
    ended = true
    await looking
  } finally {
    await memory.close()
    http.close()
  }
  const of = `p50 ${quantile(lags, 0.5).toFixed(0)} ms, most ${Math.max(...lags).toFixed(0)} ms, of ${lags.length.toLocaleString('en')}; a write p50 ${quantile(writes, 0.5).toFixed(1)} ms, p99 ${quantile(writes, 0.99).toFixed(1)} ms`
  return [
    {
      name: `from the answer to a write to its record in Qdrant, ${RATE} writes/s to PostgreSQL, p99`,
      value: quantile(lags, 0.99),
      goal: 500,
      atMost: true,
      unit: ' ms',
      of,
    },
  ]
}

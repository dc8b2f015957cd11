import Database from 'better-sqlite3'
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
} from './composed.js'
import { median } from './measure.js'
import { sentences } from './sentences.js'
import { vectors } from './vectors.js'

const ROUNDS = 40
const CALLS = 25
const WARM = 500
const text = sentences()
const vector = vectors(DIMENSIONS)

/** Two messages and a memory with its vector, in one unit. */
async function writer(memory: Memory): Promise<() => Promise<unknown>> {
  const { id } = await memory.conversations.create({ userId: 'bench' })
  return () =>
    memory.unitOfWork(async (unit) => {
      await unit.messages.append(id, [
        { role: 'user', content: text() },
        { role: 'assistant', content: text() },
      ])
      await unit.memories.add({ userId: 'bench', content: text(), vector: vector() })
    })
}

/** Takes everybody who follows off the record, so that triggers tell nobody. */
async function unfollow(url: string): Promise<void> {
  const statement = 'delete from bruno_followers'
  if (!url.startsWith('sqlite:')) return atPostgresql(url, statement)
  const database = new Database(url.slice('sqlite:'.length))
  database.exec(statement)
  database.close()
}

interface Sides {
  readonly ours: Memory
  readonly alone: Memory
}

const time = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  for (let i = 0; i < CALLS; i++) await work()
  return ((performance.now() - started) * 1000) / CALLS
}

/** Both in turn; what the followers are still to be told is told before the other side is measured. */
async function measured({ ours, alone }: Sides, quick: boolean): Promise<{ us: number; them: number; ratio: number }> {
  const [here, there] = [await writer(ours), await writer(alone)]
  for (let i = 0; i < (quick ? WARM / 5 : WARM); i++) {
    await here()
    await there()
  }
  const a: number[] = []
  const b: number[] = []
  const our = async () => {
    a.push(await time(here))
    await ours.settle({ deadline: 60_000 })
  }
  await ours.settle({ deadline: 60_000 })
  for (let round = 0; round < (quick ? ROUNDS / 4 : ROUNDS); round++) {
    if (round % 2 === 0) await our()
    b.push(await time(there))
    if (round % 2 === 1) await our()
  }
  return { us: median(a), them: median(b), ratio: median(a.map((x, i) => x / (b[i] as number))) }
}

/** Who does what the followers must be told, beside the unit's own transaction. */
const WAYS = {
  others: 'others telling them',
  cache: 'the cache told before it answers, others telling Qdrant',
  all: 'telling them in the same process meanwhile',
} as const
type Way = keyof typeof WAYS

async function units(ground: Ground, kind: Primary, way: Way, quick: boolean): Promise<Figure> {
  const [url, bare] = [await ground.primary(kind), await ground.primary(kind)]
  const [semantic, cache] = [ground.semantic().url, ground.cache()]
  // From here on whoever writes tells the outbox of both, whether it knows them or not.
  await (await opened({ primary: url, semantic, cache, settle: 'off' })).close()
  const settle = way === 'all' ? 'background' : 'off'
  const ours = await opened({ primary: url, semantic, settle, ...(way === 'others' ? {} : { cache }) })
  const alone = await opened({ primary: bare, semantic: ground.semantic().url, settle: 'off' })
  await unfollow(bare)
  try {
    const { us, them, ratio } = await measured({ ours, alone }, quick)
    return {
      name: `a unit that Qdrant and Redis follow, ${NAMES[kind]}, ${WAYS[way]}`,
      value: ratio,
      goal: way === 'others' ? 1.25 : null,
      atMost: true,
      unit: '×',
      of: `${us.toFixed(0)} µs, ${them.toFixed(0)} µs without followers`,
    }
  } finally {
    await ours.close()
    await alone.close()
  }
}

export async function benchUnits(ground: Ground, quick: boolean): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const kind of PRIMARIES)
    for (const way of ['others', 'cache', 'all'] as const) figures.push(await units(ground, kind, way, quick))
  return figures
}

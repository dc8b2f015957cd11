import postgres from 'postgres'
import type { Memory } from '../../../src/contract/memory.js'

export interface Saturation {
  readonly workers: number
  /** Inserts that are acknowledged until it ends. */
  readonly target: number
  /** Of the calls that are units; half of these roll back on purpose. */
  readonly units?: number
}

export interface SaturationReport {
  readonly acknowledged: number
  readonly refused: number
  /** Acknowledged, and not there. */
  readonly lost: number
  /** Rolled back, and there. */
  readonly phantoms: number
  /** Units of which a part is there. */
  readonly partial: number
  readonly seconds: number
}

const CONVERSATIONS = 100
/** Rows of one unit. */
const ROWS = 4

/** What was promised, to be held against what is stored. */
class Promises {
  readonly kept = new Set<string>()
  readonly undone = new Set<string>()
  /** Units, by the ids of their rows. */
  readonly units: (readonly string[])[] = []
  refused = 0

  judge(stored: ReadonlySet<string>, seconds: number): SaturationReport {
    const missing = (ids: Iterable<string>) => [...ids].filter((id) => !stored.has(id)).length
    return {
      acknowledged: this.kept.size,
      refused: this.refused,
      lost: missing(this.kept),
      phantoms: this.undone.size - missing(this.undone),
      partial: this.units.filter((ids) => ![0, ids.length].includes(missing(ids))).length,
      seconds,
    }
  }
}

async function storedIds(url: string, queries: readonly string[]): Promise<Set<string>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const ids = new Set<string>()
  try {
    for (const query of queries)
      await sql.unsafe(query).cursor(5000, (rows) => {
        for (const { id } of rows) ids.add(String(id))
      })
  } finally {
    await sql.end()
  }
  return ids
}

/** One call after the other, of each kind in its share, until enough was acknowledged. */
async function work(
  promises: Promises,
  { workers, target, units = 0.02 }: Saturation,
  calls: {
    insert(id: string, n: number): Promise<unknown>
    unit(ids: readonly string[], fails: boolean, n: number): Promise<unknown>
    read(): Promise<unknown>
  },
): Promise<number> {
  const started = performance.now()
  const every = Math.round(1 / units)
  let calledUnits = 0
  const worker = async (w: number): Promise<void> => {
    for (let n = w; promises.kept.size < target; n++) {
      const id = `${w}-${n}`
      if (n % every === 0) {
        const ids = Array.from({ length: ROWS }, (_, i) => `${id}-${i}`)
        const fails = calledUnits++ % 2 === 0
        promises.units.push(ids)
        const done = await calls.unit(ids, fails, n).then(
          () => true,
          () => false,
        )
        for (const each of ids) (done ? promises.kept : promises.undone).add(each)
      } else if (n % 37 === 0) await calls.read()
      else
        await calls.insert(id, n).then(
          () => promises.kept.add(id),
          () => promises.refused++,
        )
    }
  }
  await Promise.all(Array.from({ length: workers }, (_, w) => worker(w)))
  return (performance.now() - started) / 1000
}

/** Far more callers than connections, units that roll back among them, through a memory. */
export async function saturate(memory: Memory, url: string, options: Saturation): Promise<SaturationReport> {
  for (let i = 0; i < CONVERSATIONS; i++) await memory.conversations.create({ id: `c${i}`, userId: 'ada' })
  const promises = new Promises()
  const says = (id: string) => ({ id, role: 'user' as const, content: `row ${id}` })
  const seconds = await work(promises, options, {
    // A third by a verb that needs a transaction, the others by one statement.
    insert: (id, n) =>
      n % 3 === 0
        ? memory.memories.add({ id, userId: 'ada', content: `row ${id}` })
        : memory.messages.append(`c${n % CONVERSATIONS}`, says(id)),
    unit: (ids, fails, n) =>
      memory.unitOfWork(async (unit) => {
        const [first = '', ...rest] = ids
        await unit.memories.add({ id: first, userId: 'ada', content: 'of a unit' })
        await unit.messages.append(`c${n % CONVERSATIONS}`, rest.map(says))
        if (fails) throw new Error('on purpose')
      }),
    read: () => memory.healthCheck(),
  })
  const stored = await storedIds(url, ['select id from bruno_messages', 'select id from bruno_memories'])
  return promises.judge(stored, seconds)
}

/** The same load on the driver as it comes: one pool, `sql.begin` for the units. */
export async function saturateDriver(url: string, max: number, options: Saturation): Promise<SaturationReport> {
  const sql = postgres(url, { max, onnotice: () => {} })
  const promises = new Promises()
  try {
    await sql.unsafe('create table bare (id text primary key, content text not null)')
    const seconds = await work(promises, options, {
      insert: (id) => sql.unsafe(`insert into bare values ('${id}', 'row')`),
      unit: (ids, fails) =>
        sql.begin(async (tx) => {
          for (const id of ids) await tx.unsafe(`insert into bare values ('${id}', 'row')`)
          if (fails) throw new Error('on purpose')
        }),
      read: () => sql.unsafe('select 1'),
    })
    return promises.judge(await storedIds(url, ['select id from bare']), seconds)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

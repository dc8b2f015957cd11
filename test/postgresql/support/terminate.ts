import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import type { Memory } from '../../../src/contract/memory.js'
import { ConnectionError } from '../../../src/errors.js'

/** Where a unit is when its connection ends. */
export const POINTS = ['before the first write', 'after the first write', 'while it waits', 'at commit'] as const
export type Point = (typeof POINTS)[number]

export interface Killing {
  readonly point: Point
  readonly answer: 'stored' | 'not stored' | 'unknown'
  /** What is wrong; empty where the answer and the table agree. */
  readonly problems: readonly string[]
}

/** Ends connections by their application's name. */
export class Killer {
  readonly #sql: postgres.Sql
  constructor(
    url: string,
    readonly application: string,
  ) {
    this.#sql = postgres(url, { max: 1, onnotice: () => {} })
  }

  async kill(): Promise<number> {
    const rows = await this.#sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = ${this.application} and pid <> pg_backend_pid()`
    return rows.length
  }

  /** How many rows a unit of this name left. */
  async rows(name: string): Promise<number> {
    const [row] = await this.#sql`select
      (select count(*) from bruno_messages where id like ${`${name}-%`}) + (select count(*) from bruno_memories where id = ${name}) as n`
    return Number(row?.n)
  }

  end(): Promise<void> {
    return this.#sql.end()
  }
}

/** A unit of three rows whose connection ends at a point; holds its answer against the table. */
export async function killAt(memory: Memory, killer: Killer, point: Point, name: string): Promise<Killing> {
  const says = (i: number) => ({ id: `${name}-${i}`, role: 'user' as const, content: 'x' })
  let killing: Promise<number> = Promise.resolve(0)
  const unit = memory.unitOfWork(async (within) => {
    if (point === 'before the first write') await killer.kill()
    await within.messages.append('c', says(1), { userId: 'ada' })
    if (point === 'after the first write') await killer.kill()
    await within.memories.add({ id: name, userId: 'ada', content: 'x' })
    await within.messages.append('c', says(2))
    if (point === 'while it waits') {
      await killer.kill()
      // The server ends the connection a moment after it was told to; on a busy machine not at once.
      await sleep(250)
    }
    if (point === 'at commit') killing = killer.kill()
  })
  const error = await unit.then(
    () => null,
    (each: unknown) => each,
  )
  await killing
  const answer =
    error === null
      ? 'stored'
      : error instanceof ConnectionError && error.outcome === 'unknown'
        ? 'unknown'
        : 'not stored'
  const problems: string[] = []
  if (error !== null && !(error instanceof ConnectionError)) problems.push(`the error is a ${String(error)}`)
  const rows = await killer.rows(name)
  if (![0, 3].includes(rows)) problems.push(`${rows} of 3 rows are stored`)
  if (answer === 'stored' && rows !== 3) problems.push('acknowledged, but not stored')
  if (answer === 'not stored' && rows !== 0) problems.push('refused, but stored')
  const ms = await whole(memory, name)
  if (ms > 2000) problems.push(`the pool was whole again after ${Math.round(ms)} ms only`)
  return { point, answer, problems }
}

/** Milliseconds until an append and a unit succeed, one after the other. */
async function whole(memory: Memory, name: string): Promise<number> {
  const started = performance.now()
  for (;;) {
    try {
      const id = `${name}+${performance.now()}`
      await memory.messages.append('c', { id, role: 'user', content: 'whole again' }, { userId: 'ada' })
      await memory.unitOfWork((within) => within.messages.get('c', 'nobody'))
      return performance.now() - started
    } catch (error) {
      if (!(error instanceof ConnectionError) || performance.now() - started > 10_000) throw error
    }
  }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import { expect, onTestFinished } from 'vitest'
import { prepare } from '../../src/backend.js'
import type { Backend, BackendScope, UnitScope } from '../../src/contract/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import { BrunoMemoryError, ConnectionError, type ErrorCode } from '../../src/errors.js'
import { FallbackBackend } from '../../src/fallback/backend.js'
import type { Link } from '../../src/fallback/member.js'
import { replayable } from '../../src/fallback/replay-clock.js'
import type { FallbackMemory } from '../../src/fallback/types.js'
import { makeMemory } from '../../src/memory.js'

/** How a backend behaves: `lost` does what it is asked and loses the answer, `hangs` does nothing until it is `up`. */
export type Mood = 'up' | 'away' | 'lost' | 'hangs'

/** A real backend that can be told to refuse. */
export class Moody {
  mood: Mood = 'up'
  /** Called in front of every verb and unit. */
  before: (what: string) => Promise<void> | void = () => {}
  /** How often it was asked. */
  asked = 0
  #waiting: (() => void)[] = []

  up(): void {
    this.mood = 'up'
    for (const go of this.#waiting.splice(0)) go()
  }

  async #enter(what: string): Promise<void> {
    this.asked++
    await this.before(what)
    if (this.mood === 'hangs') await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.mood === 'away') throw new ConnectionError('told to be away')
  }

  async run<T>(what: string, work: () => Promise<T>): Promise<T> {
    await this.#enter(what)
    const answer = await work()
    if (this.mood === 'lost' && what !== 'ping') throw new ConnectionError('told to lose it', { outcome: 'unknown' })
    return answer
  }

  wrap(backend: Backend): Backend {
    const run = this.run.bind(this)
    const enter = this.#enter.bind(this)
    return {
      name: backend.name,
      get capabilities() {
        return backend.capabilities
      },
      get journal() {
        return backend.journal
      },
      open: async () => {
        if (this.mood === 'away') throw new ConnectionError('told to be away')
        await backend.open()
      },
      close: () => backend.close(),
      ping: () => (this.mood === 'lost' ? Promise.resolve(false) : run('ping', () => backend.ping())),
      scope: (tenantId) => this.#scope(backend.scope(tenantId)),
      async unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>) {
        await enter('unit')
        return run('commit', () => backend.unit(tenantId, work))
      },
    }
  }

  #scope(scope: BackendScope): BackendScope {
    const wrapped = Object.entries(scope).map(([name, part]) => {
      if (typeof part !== 'object') return [name, part]
      const verbs = Object.entries(part as Record<string, (...args: unknown[]) => Promise<unknown>>)
      const made = verbs.map(([verb, run]) => [
        verb,
        (...args: unknown[]) => this.run(`${name}.${verb}`, () => run.apply(part, args)),
      ])
      return [name, Object.fromEntries(made)]
    })
    return Object.fromEntries(wrapped) as BackendScope
  }
}

export async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'bruno-memory-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

export function link(path: string, moody: Moody | null, clock: () => number = Date.now): Link {
  const { name, capabilities, load } = prepare('sqlite', { databasePath: path, clock: replayable(clock) })
  return { name, capabilities, load: async () => (moody ? moody.wrap(await load()) : load()) }
}

export interface Ground {
  readonly memory: FallbackMemory
  readonly first: Moody
  readonly second: Moody
  readonly paths: readonly string[]
  /** Another instance over the same files, as another process would have. */
  other(first?: Moody): Promise<FallbackMemory>
  /** The first backend alone. */
  alone(): Promise<Memory>
}

export interface GroundOptions {
  readonly checkInterval?: number
  readonly callTimeout?: number
  readonly clock?: () => number
}

/** A chain of these. */
export async function openChain(links: readonly Link[], options: GroundOptions = {}): Promise<FallbackMemory> {
  const { checkInterval = 3_600_000, callTimeout = 100, clock = Date.now } = options
  const backend = new FallbackBackend(links, { checkInterval, callTimeout, clock, newId: () => v7() })
  const { capabilities } = backend
  const memory = makeMemory({ capabilities, tenancy: 'optional', clock, load: async () => backend })
  await memory.connect()
  onTestFinished(() => memory.close())
  return Object.assign(memory, {
    status: () => backend.status(),
    onSwitch: (listener: Parameters<FallbackMemory['onSwitch']>[0]) => backend.onSwitch(listener),
    handBack: () => backend.handBack(),
  })
}

/** A chain of SQLite files. It hands back only when it is told to, unless `checkInterval` is given. */
export async function chain(options: GroundOptions = {}, moods: readonly Mood[] = []): Promise<Ground> {
  const at = await folder()
  const paths = ['first', 'second', 'third'].slice(0, Math.max(2, moods.length)).map((name) => join(at, `${name}.db`))
  const moodies = paths.map(() => new Moody())
  moods.forEach((mood, i) => {
    ;(moodies[i] as Moody).mood = mood
  })
  const [first, second] = moodies as [Moody, Moody]
  const linksOf = (all: readonly Moody[]) => paths.map((path, i) => link(path, all[i] as Moody, options.clock))
  return {
    memory: await openChain(linksOf(moodies), options),
    first,
    second,
    paths,
    other: (own = new Moody()) => openChain(linksOf([own, ...paths.slice(1).map(() => new Moody())]), options),
    alone: async () => {
      const { load, capabilities } = link(paths[0] as string, null)
      const memory = makeMemory({ capabilities, tenancy: 'optional', clock: Date.now, load })
      onTestFinished(() => memory.close())
      return memory
    },
  }
}

export const says = (content: string, id?: string) => ({
  role: 'user' as const,
  content,
  ...(id !== undefined && { id }),
})

export async function refused(call: () => Promise<unknown>, code: ErrorCode): Promise<BrunoMemoryError> {
  const error = await call().then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BrunoMemoryError)
  expect((error as BrunoMemoryError).code).toBe(code)
  return error as BrunoMemoryError
}

export async function contents(memory: Pick<Memory, 'messages'>, conversationId: string): Promise<string[]> {
  const found: string[] = []
  for await (const { content } of memory.messages.each(conversationId)) found.push(content)
  return found
}

export async function until(holds: () => boolean | Promise<boolean>, milliseconds = 10_000): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it never came to hold')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

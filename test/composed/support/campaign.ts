import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Memory } from '../../../src/contract/memory.js'
import { createMemory } from '../../../src/create-memory.js'
import { seeded } from '../../support/random.js'
import { compareStores, compareWindows, type Differences, noDifferences } from './agreement.js'
import type { PrimaryPeek } from './primary.js'
import { Promises } from './promises.js'
import type { ChildPlan, Said } from './said.js'
import { SETTLER_STEPS, type Step, WRITER_STEPS } from './steps.js'
import type { Stores } from './stores.js'
import { hashModel } from './vectors.js'

export interface CampaignReport extends Differences {
  /** By where they happened; what never came to its step was killed at a random moment. */
  readonly kills: Record<string, number>
  acknowledged: number
  unsure: number
  /** Milliseconds from when the last settler has come up to an empty outbox, the longest. */
  slowest: number
  /** The same of keys that units have changed in the cache. */
  slowestKey: number
  /** What a verification repaired. */
  repaired: number
}

const TENANTS = ['t0', 't1', 't2']
const WITHIN = 5000
/** Whoever changes a key in the cache has five seconds for it, before others forget it. */
const WITHIN_KEYS = 8000
/** Milliseconds after which a process that does not come to its step is killed where it is. */
const PATIENCE = 1500

/** A child, and how it ended. */
class Child {
  readonly #process: ChildProcess
  readonly #output: Promise<string>
  readonly closed: Promise<unknown>

  constructor(
    script: string,
    readonly plan: ChildPlan,
  ) {
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
    this.#process = spawn(process.execPath, [script, JSON.stringify(plan)], { stdio })
    this.#output = text(this.#process.stdout as NodeJS.ReadableStream as never)
    this.closed = once(this.#process, 'close')
  }

  async ready(): Promise<void> {
    await Promise.race([once(this.#process.stdout as NodeJS.EventEmitter, 'data'), this.closed])
  }

  kill(): boolean {
    return this.#process.kill('SIGKILL')
  }

  /** What it said until its end. */
  async said(): Promise<Said[]> {
    await this.closed
    if (this.#process.signalCode !== 'SIGKILL') throw new Error(`a ${this.plan.role} ended by itself`)
    const lines = (await this.#output).split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Said)
  }
}

/** Kills writers and settlers of one memory again and again, and compares its stores in between. */
export class Campaign {
  readonly #random: () => number
  readonly #promises = new Promises()
  #incarnation = 0
  #left = 0
  #turn = 0
  readonly report: CampaignReport = {
    ...noDifferences(),
    kills: {},
    acknowledged: 0,
    unsure: 0,
    slowest: 0,
    slowestKey: 0,
    repaired: 0,
  }

  private constructor(
    readonly script: string,
    readonly stores: Stores,
    readonly peek: PrimaryPeek,
    readonly cached: Memory,
    readonly plain: Memory,
    seed: number,
  ) {
    this.#random = seeded(seed)
  }

  static async open(script: string, stores: Stores, seed: number): Promise<Campaign> {
    const embeddingFunction = hashModel()
    const cached = createMemory({ ...stores.options, settle: 'off', embeddingFunction })
    const plain = createMemory({ primary: stores.options.primary, embeddingFunction })
    await cached.connect()
    await plain.connect()
    return new Campaign(script, stores, stores.peek(), cached, plain, seed)
  }

  async close(): Promise<void> {
    await Promise.all([this.cached.close(), this.plain.close(), this.peek.close()])
    await this.stores.remove()
  }

  /** So many kills, and then a look at every store. */
  async group(kills: number): Promise<void> {
    this.#left = kills - 1
    const settlers = this.stores.sideBySide ? 2 : 1
    await Promise.all([this.#life('writer'), ...Array.from({ length: settlers }, () => this.#life('settler'))])
    // Nobody writes after it what it had no time to tell the cache of.
    this.#left = 1
    await this.#life('writer', { name: 'committed', after: 6 + Math.floor(this.#random() * 6) })
    await this.#agree()
  }

  /** One process after the other, each killed. */
  async #life(role: ChildPlan['role'], given?: ChildPlan['step']): Promise<void> {
    while (this.#left-- > 0) {
      const child = this.#start(role, given ?? this.#step(role))
      await child.ready()
      const { step } = child.plan
      const patience = sleep(step ? PATIENCE : this.#random() * 300, 'late' as const)
      const end = await Promise.race([child.closed, patience])
      if (end === 'late') child.kill()
      this.#count(step && end !== 'late' ? step.name : 'a random moment')
      this.#promises.hear(await child.said())
      await this.peek.decided(child.plan.incarnation)
      if (role === 'writer') this.report.wrong.push(...this.#promises.judge(await this.peek.records()))
    }
  }

  #count(where: string): void {
    this.report.kills[where] = (this.report.kills[where] ?? 0) + 1
  }

  #start(role: ChildPlan['role'], step: ChildPlan['step']): Child {
    // Where one process settles at a time, the writer leaves it to the other one.
    const settle = role === 'settler' || this.#settles(step) ? 'background' : 'off'
    const incarnation = `i${++this.#incarnation}`
    const options = { ...this.stores.optionsOf(incarnation), settle } as const
    const seed = Math.floor(this.#random() * 2 ** 31)
    return new Child(this.script, { role, options, tenants: TENANTS, incarnation, seed, step })
  }

  #settles(step: ChildPlan['step']): boolean {
    return this.stores.sideBySide && (this.#random() < 0.2 || SETTLER_STEPS.some((name) => name === step?.name))
  }

  /** Every step in its turn, and a random moment at times. */
  #step(role: ChildPlan['role']): ChildPlan['step'] {
    if (this.#random() < 0.2) return null
    const own = role === 'writer' && this.#random() < 0.8 ? WRITER_STEPS : SETTLER_STEPS
    const steps: readonly Step[] =
      role === 'writer' && !this.stores.sideBySide ? WRITER_STEPS : own.filter((step) => this.#can(step))
    const name = steps[this.#turn++ % steps.length] as Step
    return { name, after: 1 + Math.floor(this.#random() * (own === WRITER_STEPS ? 12 : 4)) }
  }

  #can(step: Step): boolean {
    return this.stores.engine !== null || !/kept|told/.test(step)
  }

  async #agree(): Promise<void> {
    const settler = this.#start('settler', null)
    await settler.ready()
    const started = performance.now()
    const { report } = this
    report.slowest = Math.max(report.slowest, await this.#told('records', started, WITHIN))
    report.slowestKey = Math.max(report.slowestKey, await this.#told('keys', started, WITHIN_KEYS))
    report.wrong.push(...this.#promises.judge(await this.peek.records()))
    if (this.stores.engine) await this.#repair()
    await compareStores(this.peek, this.stores.engine, report)
    await compareWindows(this.cached, this.plain, TENANTS, report)
    settler.kill()
    await settler.said()
    report.acknowledged = this.#promises.acknowledged
    report.unsure = this.#promises.unsure
  }

  /** What a late write of a dead process has left in a store that cannot refuse it. */
  async #repair(): Promise<void> {
    const { missing, orphan, stale, repaired, keys } = await this.cached.verify({ repair: true })
    this.report.repaired += repaired
    if (missing + orphan + stale === 0) return
    if (this.stores.sideBySide) this.report.wrong.push(`a verification found ${JSON.stringify(keys)}`)
    await this.#told('records', performance.now(), WITHIN)
  }

  /** Milliseconds until nothing of this is left to be told. */
  async #told(what: 'records' | 'keys', started: number, within: number): Promise<number> {
    for (;;) {
      const left = (await this.peek.outbox())[what]
      const took = Math.round(performance.now() - started)
      if (left === 0) return took
      if (took > within) {
        this.report.wrong.push(`${left} ${what} are not told within ${within} ms`)
        return took
      }
      await sleep(10)
    }
  }
}

import { type BrunoMemoryError, ConfigurationError, ConnectionError } from '../errors.js'
import type { Call } from './call.js'
import { type Link, Member } from './member.js'
import type { Outage } from './outage.js'
import { describeError, endedWithin, isRefusal, OutageEnded, within } from './refusal.js'
import { Standing } from './standing.js'
import type { SwitchEvent, SwitchListener } from './types.js'

export interface ChainOptions {
  /** Milliseconds after which a call that is not answered makes its backend be looked at. */
  readonly callTimeout: number
  /** Milliseconds between two looks whether a backend is back. */
  readonly checkInterval: number
  readonly clock: () => number
  readonly newId: () => string
}

/** Looks at calls under way, as parts of `callTimeout`. */
const TICKS = 4
/** The longest look at a backend that was just refused, in milliseconds. */
const PATIENCE = 500
/** The longest wait for a store that begins to stand in, in milliseconds: it may be cleaning up after the last time. */
const BEGINNING = 2000

/** Which backend serves, and the calls under way. */
export class Chain {
  readonly members: readonly Member[]
  readonly first: Member
  /** Null while the first backend serves. */
  outage: Outage | null = null
  readonly standing: Standing
  readonly listeners = new Set<SwitchListener>()
  #leaving: Promise<void> | null = null
  #tick = 0
  #ticker: NodeJS.Timeout | null = null

  constructor(
    links: readonly Link[],
    readonly options: ChainOptions,
  ) {
    const { checkInterval, callTimeout } = options
    const patience = Math.min(PATIENCE, callTimeout)
    this.members = namesOf(links).map((name, i) => new Member(name, i, links[i] as Link, { patience, checkInterval }))
    this.first = this.members[0] as Member
    this.standing = new Standing(this)
  }

  get serving(): Member {
    return this.outage?.member ?? this.first
  }

  run<T>(call: Call<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      call.resolve = resolve
      call.reject = reject
      this.#start(call as Call)
    })
  }

  #start(call: Call): void {
    const { outage } = this
    const member = outage === null ? this.first : outage.member
    const attempt = ++call.attempt
    call.tick = this.#tick
    member.calls.add(call)
    let made: Promise<unknown>
    try {
      made = outage === null ? call.onFirst(member.backend) : call.inOutage(outage)
    } catch (error) {
      made = Promise.reject(error)
    }
    made.then(
      (answer) => {
        if (this.#isLate(call, attempt, member)) return
        call.resolve(answer)
      },
      (error) => {
        if (this.#isLate(call, attempt, member)) return
        this.#failed(call, member, error)
      },
    )
  }

  #isLate(call: Call, attempt: number, member: Member): boolean {
    if (call.attempt !== attempt) {
      member.left--
      return true
    }
    member.calls.delete(call)
    return false
  }

  #failed(call: Call, member: Member, error: unknown): void {
    const again = () => this.#start(call)
    if (error instanceof OutageEnded && !call.begun)
      this.standing.refresh().then(again, (reason) => this.#failed(call, member, reason))
    else if (error instanceof OutageEnded) call.reject(endedWithin())
    else if (!isRefusal(error)) call.reject(error)
    else if (call.begun || ++call.refusals > 2 * this.members.length) {
      this.leave(member, error).catch(() => undefined)
      call.reject(error)
    } else {
      if (!(error instanceof ConnectionError) || error.outcome === 'unknown') call.doubtful = true
      this.leave(member, error).then(again, () => call.reject(error))
    }
  }

  /** @throws The error, where it was an answer after all, or nobody else can serve. */
  leave(member: Member, error: BrunoMemoryError): Promise<void> {
    if (this.serving !== member) return Promise.resolve()
    this.#leaving ??= this.#leave(member, error).finally(() => {
      this.#leaving = null
    })
    return this.#leaving
  }

  async #leave(member: Member, error: BrunoMemoryError): Promise<void> {
    // Only a store that does not answer at all is away: one statement may take too long, one record may be locked.
    if (!(error instanceof ConnectionError) && (await member.answers())) throw error
    if (this.serving !== member) return
    member.fail(error)
    const after = [...this.members.slice(member.index + 1), ...this.members.slice(0, member.index)]
    const likely = after.filter((each) => each.healthy)
    for (const next of [...likely, ...after.filter((each) => !likely.includes(each))])
      if (await this.#take(next)) {
        this.#told(member, describeError(error))
        return this.#abandon(member)
      }
    throw error
  }

  async #take(next: Member): Promise<boolean> {
    const patience = Math.max(this.options.callTimeout, BEGINNING)
    try {
      if (!next.isOpen) return false
      if (next === this.first) {
        if (!(await next.answers())) return false
        this.outage = null
      } else this.outage = await within(patience, this.standing.begin(next), () => slow(next, patience))
      return true
    } catch (error) {
      next.fail(error)
      return false
    }
  }

  /** What waits for a backend that is away is taken elsewhere, but for units whose callback has begun. */
  #abandon(member: Member): void {
    for (const call of member.calls.all())
      if (!call.begun) {
        member.calls.delete(call)
        member.left++
        call.doubtful = true
        this.#start(call)
      }
  }

  /** Serves from this backend: at the start, and when an outage has ended or is another one. */
  serve(outage: Outage | null, reason: string): void {
    const from = this.serving
    this.outage = outage
    if (this.serving !== from) this.#told(from, reason)
  }

  #told(from: Member, reason: string): void {
    const event: SwitchEvent = { from: from.name, to: this.serving.name, reason, epoch: this.outage?.epoch ?? null }
    for (const listener of this.listeners)
      try {
        listener(event)
      } catch {
        // A listener's failure is its own.
      }
  }

  /** Looks from time to time at calls that are not answered. */
  watch(): void {
    const { callTimeout } = this.options
    this.#ticker = setInterval(
      () => {
        this.#tick++
        for (const member of this.members) this.#lookAt(member)
      },
      Math.ceil(callTimeout / TICKS),
    )
    this.#ticker.unref()
  }

  #lookAt(member: Member): void {
    if (member.calls.oldest === null) return
    const calls = member.calls.all()
    if (!calls.some((call) => !call.begun && call.tick <= this.#tick - TICKS)) return
    // They are abandoned with it, or slow for good reason: then they are given as long again.
    for (const call of calls) call.tick = this.#tick
    void this.#suspect(member)
  }

  async #suspect(member: Member): Promise<void> {
    if (await member.answers()) return
    await this.leave(member, slow(member, this.options.callTimeout)).catch(() => undefined)
  }

  stop(): void {
    if (this.#ticker) clearInterval(this.#ticker)
  }
}

const slow = (member: Member, milliseconds: number): ConnectionError =>
  new ConnectionError(`${member.name} did not answer in ${milliseconds} ms`, { outcome: 'unknown' })

function namesOf(links: readonly Link[]): string[] {
  if (links.length < 2) throw new ConfigurationError('a chain needs at least two backends')
  return links.map(({ name }, i) => {
    const earlier = links.slice(0, i).filter((each) => each.name === name).length
    return earlier === 0 ? name : `${name}#${earlier + 1}`
  })
}

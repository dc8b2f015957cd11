import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import type { Backend } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import type { Journal, JournalCounts } from '../contract/journal.js'
import { ConfigurationError, ConnectionError } from '../errors.js'
import { Calls } from './call.js'
import { describeError } from './refusal.js'

/** A backend of a chain, not loaded yet. */
export interface Link {
  readonly name: string
  readonly capabilities: Capabilities
  readonly load: () => Promise<Backend>
}

export interface MemberOptions {
  /** Milliseconds that a look at it may take. */
  readonly patience: number
  readonly checkInterval: number
}

/** A backend of a chain: whether it is open, and whether it was last found healthy. */
export class Member {
  #backend: Backend | null = null
  #open = false
  #opening: Promise<void> | null = null
  #journal: Journal | undefined
  readonly #breaker: CircuitBreakerPolicy
  readonly #probe: { execute<T>(work: () => Promise<T>): Promise<T> }
  #away = true
  #reason: string | null = null
  /** Calls under way on it. */
  readonly calls = new Calls()
  /** Calls that were taken elsewhere and may still be under way on it. */
  left = 0
  counts: JournalCounts = { waiting: 0, parked: 0 }

  constructor(
    readonly name: string,
    readonly index: number,
    readonly link: Link,
    readonly options: MemberOptions,
  ) {
    // One failure opens it; half open, a single look decides. Looks come at the pace of whoever asks.
    this.#breaker = circuitBreaker(handleAll, {
      halfOpenAfter: Math.floor(options.checkInterval / 2),
      breaker: new ConsecutiveBreaker(1),
    })
    this.#probe = wrap(this.#breaker, timeout(options.patience, TimeoutStrategy.Aggressive))
  }

  get isOpen(): boolean {
    return this.#open
  }

  get healthy(): boolean {
    return this.#open && !this.#away
  }

  get reason(): string | null {
    return this.#reason
  }

  /** What it is only known to have once it is open. */
  get capabilities(): Capabilities {
    return (this.#open ? this.#backend : this.link)?.capabilities ?? this.link.capabilities
  }

  get backend(): Backend {
    if (!this.#open) throw new ConnectionError(`${this.name} could not be opened yet`)
    return this.#backend as Backend
  }

  get journal(): Journal {
    this.#journal ??= this.backend.journal
    if (!this.#journal) throw new ConfigurationError(`${this.name} has no journal`)
    return this.#journal
  }

  /** Shared by concurrent callers; may be called again after it failed. */
  open(): Promise<void> {
    if (this.#open) return Promise.resolve()
    this.#opening ??= this.#start().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #start(): Promise<void> {
    try {
      this.#backend ??= await this.link.load()
      await this.#backend.open()
      if (this.index > 0) checkStandIn(this.name, this.#backend)
      this.#open = true
      this.#away = false
    } catch (error) {
      this.#reason = describeError(error)
      throw error
    }
  }

  /** It refused a call. */
  fail(error: unknown): void {
    this.#away = true
    this.#reason = describeError(error)
    if (this.#breaker.state === CircuitState.Closed)
      this.#breaker.execute(() => Promise.reject(error)).catch(() => undefined)
  }

  /** Looks whether it is back; not more often than half of `checkInterval`. */
  async probe(): Promise<boolean> {
    try {
      await this.open()
      await this.#probe.execute(() => this.#look())
      this.#away = false
      return true
    } catch {
      return false
    }
  }

  /** Looks now, because somebody asks for it. */
  async revive(): Promise<boolean> {
    try {
      await this.open()
    } catch {
      return false
    }
    if (!(await this.answers())) return false
    this.#breaker.isolate().dispose()
    this.#away = false
    return true
  }

  /** Whether it answers now. */
  async answers(): Promise<boolean> {
    try {
      await timeout(this.options.patience, TimeoutStrategy.Aggressive).execute(() => this.#look())
      return true
    } catch {
      return false
    }
  }

  async #look(): Promise<void> {
    if (!(await this.backend.ping())) throw new ConnectionError(`${this.name} does not answer`)
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined)
    const open = this.#open
    this.#open = false
    this.#journal = undefined
    if (open) await this.#backend?.close()
  }
}

/** Refuses a backend that would lose what it keeps for another one. */
function checkStandIn(name: string, backend: Backend): void {
  const problem =
    backend.capabilities.durability === 'none'
      ? 'is not durable: what is written to it while the first backend is away could be lost'
      : backend.journal
        ? null
        : 'cannot keep a journal (PostgreSQL under rowLevelSecurity needs maintenanceConnectionString for it)'
  if (problem) throw new ConfigurationError(`${name} cannot stand in for another backend: it ${problem}`)
}

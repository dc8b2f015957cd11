import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend, BackendScope, UnitScope } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import type { RetentionOptions, RetentionPolicy, RetentionReport } from '../contract/erase.js'
import { LOOK } from '../contract/online.js'
import type { PurgeOptions, PurgeReport, SettleOptions, SettleReport } from '../contract/statistics.js'
import { ClosedError, MovedError, TimeoutError, UnsupportedError } from '../errors.js'
import { movingScope } from './scope.js'

export interface MovingOptions {
  readonly capabilities: Capabilities
  readonly first: () => Promise<Backend>
  /** What the first is moved to. Opened when it has been. */
  readonly second: () => Promise<Backend>
}

const MAX_TENANTS = 1000
/** Milliseconds that a call waits while one store takes the place of the other. */
const PATIENCE = 30_000

/** A store that is moved to another one while it is used: calls go where the records are, and wait while they change places. */
export class MovingBackend implements Backend {
  readonly name = 'moving'
  readonly #stores: [Backend | null, Backend | null] = [null, null]
  readonly #scopes = new Map<string, BackendScope>()
  #opening: Promise<Backend> | null = null
  #at: 0 | 1 = 0
  #closing = false
  #closed = false
  #timer: NodeJS.Timeout | null = null

  constructor(readonly options: MovingOptions) {}

  get capabilities(): Capabilities {
    return this.#stores[this.#at]?.capabilities ?? this.options.capabilities
  }

  async open(): Promise<void> {
    this.#closed = false
    try {
      await this.#store(0)
      await this.#look()
    } catch (error) {
      await this.close()
      throw error
    }
    this.#timer = setInterval(() => void this.#look().catch(() => undefined), LOOK)
    this.#timer.unref()
  }

  async #store(at: 0 | 1): Promise<Backend> {
    const there = this.#stores[at]
    if (there) return there
    this.#opening ??= this.#load(at).finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #load(at: 0 | 1): Promise<Backend> {
    const { first, second } = this.options
    const backend = await (at === 0 ? first : second)()
    await backend.open()
    if (this.#closed) {
      await backend.close()
      throw new ClosedError('the memory is closed')
    }
    this.#stores[at] = backend
    return backend
  }

  /** Where the records are by now. */
  async #look(): Promise<void> {
    const move = await this.#serving.moving?.()
    this.#closing = move?.phase === 'closing'
    if (move?.phase === 'moved') await this.#turn(performance.now() + PATIENCE)
  }

  /** Goes to the store that has not been moved; for a moment there may be none. */
  async #turn(deadline: number): Promise<void> {
    for (;;) {
      for (const at of [this.#at, this.#at === 0 ? 1 : 0] as const) {
        const move = await (await this.#store(at)).moving?.()
        if (move?.phase === 'moved') continue
        this.#at = at
        this.#closing = move?.phase === 'closing'
        return
      }
      if (performance.now() > deadline)
        throw new TimeoutError(
          'both stores say that they have been moved to the other one: look at `bruno-memory transfer --help`',
        )
      await sleep(20)
    }
  }

  get #serving(): Backend {
    const store = this.#stores[this.#at]
    if (!store) throw new Error('the backend is not open')
    return store
  }

  /** Makes a call where the records are; again where they have just gone: nothing of it was stored. */
  async run<T>(work: (backend: Backend) => Promise<T>): Promise<T> {
    const deadline = performance.now() + PATIENCE
    for (;;) {
      if (this.#closing) await this.#look()
      try {
        return await work(this.#serving)
      } catch (error) {
        if (!(error instanceof MovedError) || performance.now() > deadline) throw error
      }
      await this.#turn(deadline)
    }
  }

  scope(tenantId: string): BackendScope {
    let scope = this.#scopes.get(tenantId)
    if (!scope) {
      if (this.#scopes.size >= MAX_TENANTS) this.#scopes.clear()
      scope = movingScope(
        tenantId,
        () => this.#serving,
        (work) => this.run(work),
      )
      this.#scopes.set(tenantId, scope)
    }
    return scope
  }

  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    return this.run((backend) => backend.unit(tenantId, work))
  }

  sweep(options: PurgeOptions): Promise<PurgeReport> {
    return this.run((backend) => {
      if (!backend.sweep) throw new UnsupportedError('sweep', `${backend.name} expires records by itself`)
      return backend.sweep(options)
    })
  }

  retain(policy: RetentionPolicy, options: RetentionOptions): Promise<RetentionReport> {
    return this.run((backend) => {
      if (!backend.retain) throw new UnsupportedError('retain', `${backend.name} cannot retain`)
      return backend.retain(policy, options)
    })
  }

  settle(options: SettleOptions): Promise<SettleReport> {
    return this.run(async (backend) => (await backend.settle?.(options)) ?? { pending: 0, parked: 0 })
  }

  async fresh(tenantId: string, deadline?: number): Promise<void> {
    await this.#serving.fresh?.(tenantId, deadline)
  }

  get erasing() {
    return this.#stores[this.#at]?.erasing
  }
  get followed() {
    return this.#stores[this.#at]?.followed
  }
  get upkeep() {
    return this.#stores[this.#at]?.upkeep
  }
  get outbox() {
    return this.#stores[this.#at]?.outbox
  }

  moving() {
    return this.#serving.moving?.() ?? Promise.resolve(null)
  }

  ping(): Promise<boolean> {
    return this.#serving.ping()
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer) clearInterval(this.#timer)
    await this.#opening?.catch(() => undefined)
    this.#scopes.clear()
    for (const at of [0, 1] as const) {
      const store = this.#stores[at]
      this.#stores[at] = null
      await store?.close()
    }
  }
}

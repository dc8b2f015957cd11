import type { Backend, BackendScope, UnitScope } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import type { PurgeOptions, PurgeReport, SettleOptions, SettleReport } from '../contract/statistics.js'
import { ConfigurationError, ConnectionError, UnsupportedError } from '../errors.js'
import { capabilitiesOf } from './capabilities.js'
import { Chain, type ChainOptions } from './chain.js'
import { HandBack } from './hand-back.js'
import type { Link } from './member.js'
import { chainScope } from './scope.js'
import type { FallbackStatus, HandBackReport, SwitchListener } from './types.js'
import { Doubts, UnitCall } from './unit-call.js'
import { Worker } from './worker.js'

const MAX_TENANTS = 1000

/** Several backends as one: the first healthy one serves, and what another one takes is handed back to the first. */
export class FallbackBackend implements Backend {
  readonly name = 'fallback'
  readonly #chain: Chain
  readonly #handBack: HandBack
  readonly #worker: Worker
  readonly #doubts = new Doubts()
  readonly #scopes = new Map<string, BackendScope>()

  constructor(links: readonly Link[], options: ChainOptions) {
    this.#chain = new Chain(links, options)
    this.#handBack = new HandBack(this.#chain)
    this.#worker = new Worker(this.#chain, this.#handBack)
  }

  get capabilities(): Capabilities {
    return capabilitiesOf(this.#chain.members.map((member) => member.capabilities))
  }

  /**
   * Opens all of them.
   *
   * @throws ConnectionError where none can be opened, with the reasons; ConfigurationError where one is not fit.
   */
  async open(): Promise<void> {
    const { members } = this.#chain
    const opened = await Promise.allSettled(members.map((member) => member.open()))
    try {
      for (const each of opened)
        if (each.status === 'rejected' && each.reason instanceof ConfigurationError) throw each.reason
      await this.#choose()
    } catch (error) {
      await Promise.allSettled(members.map((member) => member.close()))
      throw error
    }
    this.#chain.watch()
    this.#worker.start()
  }

  async #choose(): Promise<void> {
    const { members, first, standing } = this.#chain
    const standIns = members.slice(1).filter((member) => member.isOpen)
    // An outage that is on is joined: it ends for all processes at once.
    for (const member of standIns)
      if ((await member.journal.state()).phase !== 'idle') {
        this.#chain.outage = await standing.begin(member)
        return
      }
    if (first.isOpen) return
    const [next] = standIns
    if (!next)
      throw new ConnectionError(
        `no backend can be opened: ${members.map(({ name, reason }) => `${name}: ${reason ?? 'it failed'}`).join('; ')}`,
      )
    this.#chain.outage = await standing.begin(next)
  }

  async close(): Promise<void> {
    this.#chain.stop()
    await this.#worker.stop()
    this.#scopes.clear()
    await Promise.all(this.#chain.members.map((member) => member.close()))
  }

  ping(): Promise<boolean> {
    return this.#chain.serving.answers()
  }

  scope(tenantId: string): BackendScope {
    let scope = this.#scopes.get(tenantId)
    if (!scope) {
      // One tenant a request: the map must not grow with the tenants of a long life.
      if (this.#scopes.size >= MAX_TENANTS) this.#scopes.clear()
      scope = chainScope(this.#chain, tenantId, this.capabilities)
      this.#scopes.set(tenantId, scope)
    }
    return scope
  }

  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    return this.#chain.run(new UnitCall(tenantId, work, this.#doubts))
  }

  sweep(options: PurgeOptions): Promise<PurgeReport> {
    const { backend, name } = this.#chain.serving
    if (!backend.sweep) throw new UnsupportedError('sweep', `${name} expires records by itself`)
    return backend.sweep(options)
  }

  async settle(options: SettleOptions): Promise<SettleReport> {
    return (await this.#chain.serving.backend.settle?.(options)) ?? { pending: 0, parked: 0 }
  }

  status(): FallbackStatus {
    const { members, serving, outage } = this.#chain
    return {
      serving: serving.name,
      degraded: outage !== null,
      epoch: outage?.epoch ?? null,
      journal: members.reduce((sum, { counts }) => sum + counts.waiting, 0),
      parked: this.#worker.parked,
      backends: members.map((member) => ({
        name: member.name,
        healthy: member.healthy,
        serving: member === serving,
        reason: member.reason,
        waiting: member.counts.waiting,
      })),
    }
  }

  onSwitch(listener: SwitchListener): () => void {
    this.#chain.listeners.add(listener)
    return () => this.#chain.listeners.delete(listener)
  }

  handBack(): Promise<HandBackReport> {
    return this.#handBack.run()
  }
}

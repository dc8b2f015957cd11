/** Milliseconds between two rounds. */
const EVERY = 60_000
/** Tenants of one round: a process that has seen many goes on with the others in the next one. */
const AT_ONCE = 500

/**
 * Redis lets records expire by itself; what listings still say of them is taken out here, a part of this process's
 * tenants at a time, so that nobody has to run a sweep.
 */
export class Tidying {
  readonly #tenants = new Set<string>()
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  readonly #timer: ReturnType<typeof setInterval>

  constructor(readonly purge: (tenantId: string) => Promise<unknown>) {
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.round())
    }, EVERY).unref()
  }

  add(tenantId: string): void {
    this.#tenants.add(tenantId)
  }

  /** Never fails: what could not be done is left for the next round. */
  async round(): Promise<void> {
    for (const tenantId of [...this.#tenants].slice(0, AT_ONCE)) {
      if (this.#stopped) return
      // Behind all others.
      this.#tenants.delete(tenantId)
      this.#tenants.add(tenantId)
      await this.purge(tenantId).catch(() => undefined)
    }
  }

  /** Waits for the purge that runs. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#running
  }
}

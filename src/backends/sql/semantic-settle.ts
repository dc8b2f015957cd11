import type { FollowerSettling, SemanticTarget } from '../../contract/follow.js'
import type { SettleReport } from '../../contract/statistics.js'
import type { SqlStoreContext } from './context.js'
import type { SqlRunner } from './engine.js'
import { FollowerLease } from './follower-lease.js'
import { LEASE, SemanticLane } from './semantic-lane.js'

/** Batches that are under way at the same time: while a store or a model is waited for, the next one is read. */
const LANES = 3
/** Milliseconds between two looks for what may be forgotten. */
const FORGET = 600_000

/** How a batch ended. */
interface Ended {
  readonly lane: SemanticLane
  readonly n: number
  readonly error?: unknown
}

/** Keeps a semantic store up with the records, in several lanes where the store decides itself which write is the later. */
export class SemanticSettler implements FollowerSettling {
  readonly #lanes: readonly SemanticLane[]
  readonly #lease: FollowerLease | null
  /** Until somebody has taken note of how they ended. */
  readonly #under = new Map<SemanticLane, Promise<Ended>>()
  #ending = false
  #forgotten = 0

  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    readonly target: SemanticTarget,
    { follower, owner }: { readonly follower: string; readonly owner: string },
  ) {
    // A request of the one before is over by then.
    const time = Math.max(LEASE, 2.5 * target.callTimeout)
    const lease = target.sideBySide ? null : new FollowerLease(store, runner, { follower, owner, time })
    const owners = [owner, ...Array.from({ length: lease ? 0 : LANES - 1 }, () => store.newOwner?.() ?? store.newId())]
    this.#lanes = owners.map((each) => new SemanticLane(store, runner, target, { follower, owner: each, lease }))
    this.#lease = lease
  }

  /** One batch, while others may be under way; answers how many records it dealt with, 0 when all are done. */
  async pass(): Promise<number> {
    await this.target.attend?.()
    if (this.#lease && !(await this.#lease.take())) return 0
    const began = this.store.clock()
    this.#start()
    if (this.#under.size === 0) return 0
    const { lane, n, error } = await Promise.race(this.#under.values())
    this.#under.delete(lane)
    if (error === undefined && n > 0) return n
    const others = await this.#ended()
    const failed = [error, ...others.map((each) => each.error)].find((each) => each !== undefined)
    if (failed !== undefined) throw failed
    const done = others.reduce((sum, each) => sum + each.n, 0)
    if (done === 0) await this.#forget(began)
    return done
  }

  /** Begins a batch in a lane that is free, and the next one as soon as there may be more. */
  #start(): void {
    const lane = this.#lanes.find((each) => !this.#under.has(each))
    if (!lane || this.#ending) return
    const work = lane
      .pass(() => this.#start())
      .then(
        (n) => ({ lane, n }),
        (error: unknown) => ({ lane, n: 0, error }),
      )
    this.#under.set(lane, work)
  }

  /** Waits for all that are under way; none is begun meanwhile. */
  async #ended(): Promise<Ended[]> {
    this.#ending = true
    const ended = await Promise.all(this.#under.values())
    this.#under.clear()
    this.#ending = false
    return ended
  }

  async #forget(now: number): Promise<void> {
    if (now - this.#forgotten < FORGET) return
    this.#forgotten = now
    // Whatever was on its way when a record was deleted has arrived by then, or was given up.
    await this.target.forget(now - FORGET)
  }

  report(): Promise<SettleReport> {
    return (this.#lanes[0] as SemanticLane).report()
  }

  async release(): Promise<void> {
    await this.#ended()
    await this.#lease?.leave()
  }
}

import type { CacheTarget, FollowerSettling } from '../../contract/follow.js'
import type { SettleReport } from '../../contract/statistics.js'
import type { SqlStoreContext } from './context.js'
import type { SqlRunner } from './engine.js'
import { Outbox } from './outbox.js'

/** Entries taken in one go. */
const BATCH = 1000
/** Milliseconds until others forget in the place of a process that was killed: what is outdated is read until then. */
const LEASE = 2000

/** Tells a cache what of it is no longer true. To be told twice does no harm, so that every error is waited out. */
export class CacheSettler implements FollowerSettling {
  readonly #outbox: Outbox

  constructor(
    store: SqlStoreContext,
    runner: SqlRunner,
    readonly target: CacheTarget,
    { follower, owner }: { readonly follower: string; readonly owner: string },
  ) {
    this.#outbox = new Outbox(store, runner, { follower, owner, lease: LEASE })
  }

  async pass(): Promise<number> {
    const entries = await this.#outbox.claim(BATCH)
    if (entries.length === 0) return 0
    try {
      await this.target.invalidate(entries)
      await this.#outbox.finish(entries)
      return entries.length
    } catch (error) {
      await this.#outbox.release()
      throw error
    }
  }

  report(): Promise<SettleReport> {
    return this.#outbox.report()
  }

  async release(): Promise<void> {}
}

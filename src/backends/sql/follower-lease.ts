import { sql } from 'drizzle-orm/sql/sql'
import { now, type SqlStoreContext } from './context.js'
import { perEngine, type SqlRunner } from './engine.js'
import { bind, count, value } from './statement.js'

const statements = perEngine((engine) => {
  const { followers: f } = engine.tables
  const mine = sql`${f.name} = ${value('follower')}`
  const free = sql`${mine} and (${f.leaseOwner} is null or ${f.leaseOwner} = ${value('owner')} or ${f.leaseUntil} <= ${bind(f.leaseUntil, 'now')})`
  return {
    holder: engine.statement({ owner: f.leaseOwner }, () => sql`select ${f.leaseOwner} from ${f} where ${mine}`),
    free: engine.statement({ n: count(sql``) }, () => sql`select 1 from ${f} where ${free}`),
    take: engine.command(
      () => sql`update ${f} set lease_epoch = lease_epoch + case when lease_owner = ${value('owner')} then 0 else 1 end,
        lease_owner = ${value('owner')}, lease_until = ${bind(f.leaseUntil, 'until')} where ${free}`,
    ),
    leave: engine.command(
      () =>
        sql`update ${f} set lease_owner = null, lease_until = null where ${mine} and ${f.leaseOwner} = ${value('owner')}`,
    ),
  }
})

/** The right to write to a store that cannot decide between two writers: of one process at a time. */
export class FollowerLease {
  #until = 0

  constructor(
    readonly store: SqlStoreContext,
    readonly runner: SqlRunner,
    readonly options: { readonly follower: string; readonly owner: string; readonly time: number },
  ) {}

  /** Whether it is this process's for at least half its time from now on. */
  async take(): Promise<boolean> {
    const { follower, owner, time } = this.options
    const at = now(this.store)
    if (this.#until - at.getTime() > time / 2) return true
    const { free, take } = statements(this.store.engine)
    const values = { follower, owner, now: at }
    const look = this.runner.current ?? this.runner.read
    if ((await look(async (session) => session.all(free, values))).length === 0 && !(await this.#bury())) return false
    const until = new Date(at.getTime() + time)
    const taken = await this.runner.write(async (session) => session.run(take, { ...values, until }))
    this.#until = taken > 0 ? until.getTime() : 0
    return taken > 0
  }

  /** Whether a request that is begun now ends while it is this process's. */
  holdsFor(ms: number): boolean {
    return this.#until - this.store.clock() > ms
  }

  /** Takes the lease from a process of this machine that has ended without leaving it. */
  async #bury(): Promise<boolean> {
    const { follower } = this.options
    const { holder, leave } = statements(this.store.engine)
    const look = this.runner.current ?? this.runner.read
    const [found] = await look(async (session) => session.all(holder, { follower }))
    const owner = found?.owner
    if (!owner || !this.store.isDead?.(owner)) return false
    await this.runner.write(async (session) => session.run(leave, { follower, owner }))
    return true
  }

  /** Lets another process go on at once. */
  async leave(): Promise<void> {
    this.#until = 0
    const { follower, owner } = this.options
    await this.runner.write(async (session) => session.run(statements(this.store.engine).leave, { follower, owner }))
  }
}

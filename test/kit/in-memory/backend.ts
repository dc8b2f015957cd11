import { type Backend, type BackendScope, Checks, type UnitScope } from '../../../src/backend-kit.js'
import { type Capabilities, DEFAULT_LIMITS, type Limits, type PurgeOptions } from '../../../src/index.js'
import { type Context, type Means, storeContext, unitContext } from './context.js'
import { conversations } from './conversations.js'
import { memories } from './memories.js'
import { messages } from './messages.js'
import { operations } from './operations.js'
import { purge } from './purge.js'
import { sessions } from './sessions.js'
import { statistics } from './statistics.js'
import { type Store, storeOf } from './store.js'
import { commit, over, type Tables } from './tables.js'
import { users } from './users.js'

export interface InMemorySettings extends Omit<Means, 'checks'> {
  readonly storeName: string | undefined
  readonly limits: Partial<Limits> | undefined
}

const repositories = (context: Context) => ({
  users: users(context),
  conversations: conversations(context),
  messages: messages(context),
  sessions: sessions(context),
  memories: memories(context),
  statistics: statistics(context),
})

/** Everything in maps of this process, gone with it. */
export class InMemoryBackend implements Backend {
  readonly name = 'in-memory'
  readonly #means: Means
  readonly #store: Store

  constructor(
    settings: InMemorySettings,
    readonly capabilities: Capabilities,
  ) {
    const { clock, newId, limits, storeName } = settings
    this.#means = { clock, newId, checks: new Checks({ ...DEFAULT_LIMITS, ...limits }) }
    this.#store = storeOf(storeName)
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async ping(): Promise<boolean> {
    return true
  }

  scope(tenantId: string): BackendScope {
    const context = storeContext(this.#means, this.#store, tenantId)
    return {
      ...repositories(context),
      cache: this.#store.cache.scope(tenantId, this.#means.clock),
      purgeExpired: (options) => purge(context, options),
    }
  }

  /** The unit's writes lie over the store's until its work has succeeded. */
  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    return this.#store.exclusively(() => this.#over(this.#store.tables(tenantId), tenantId, work))
  }

  async #over<T>(below: Tables, tenantId: string, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    const tables = over(below)
    const context = unitContext(this.#means, tables, tenantId)
    const answer = await work({
      ...repositories(context),
      operations: operations(context),
      savepoint: (inner) => this.#over(tables, tenantId, inner),
    })
    commit(tables)
    return answer
  }

  async sweep(options: PurgeOptions) {
    const total = { conversations: 0, messages: 0, sessions: 0, memories: 0, documents: 0, operations: 0 }
    const tenants = this.#store.tenants
    // Checks the options where there is no tenant yet.
    for (const tenantId of tenants.length > 0 ? tenants : ['default']) {
      const report = await purge(storeContext(this.#means, this.#store, tenantId), options)
      for (const kind of Object.keys(total) as (keyof typeof total)[]) total[kind] += report[kind]
    }
    return total
  }
}

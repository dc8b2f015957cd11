import { Cache } from './cache.js'
import { over, type Tables } from './tables.js'

/** What all memories of one name share. */
export class Store {
  readonly cache = new Cache()
  readonly #tenants = new Map<string, Tables>()
  #last: Promise<unknown> = Promise.resolve()

  get tenants(): readonly string[] {
    return [...this.#tenants.keys()]
  }

  tables(tenantId: string): Tables {
    const tables = this.#tenants.get(tenantId) ?? over(null)
    this.#tenants.set(tenantId, tables)
    return tables
  }

  /** One writer at a time, in the order of their calls. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    // A unit that failed must not fail the next one.
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

const named = new Map<string, Store>()

/** The store of this name; a new one that nobody else can open where there is none. */
export function storeOf(name: string | undefined): Store {
  const store = (name === undefined ? undefined : named.get(name)) ?? new Store()
  if (name !== undefined) named.set(name, store)
  return store
}

import { makeContext } from '../context/context.js'
import { checkContext } from '../context/query.js'
import type { TokenCounter } from '../context/tokens.js'
import type { BackendScope, UnitScope } from '../contract/backend.js'
import type { Capabilities } from '../contract/capabilities.js'
import type { UnitOfWork } from '../contract/memory.js'
import { UnsupportedError, ValidationError } from '../errors.js'
import { CacheChanges } from './cache.js'
import { freshness } from './freshness.js'
import { makeRepositories, type Turn } from './repositories.js'
import { UnitState } from './state.js'

export type UnitCallback<T> = (unit: UnitOfWork) => Promise<T>

export function checkCallback(callback: unknown): void {
  if (typeof callback !== 'function') throw new ValidationError('callback', 'must be an asynchronous function')
}

export function unsupported(capability: 'textSearch' | 'statistics'): never {
  throw new UnsupportedError(capability, `this memory has no ${capability}: add SQLite or PostgreSQL as the primary`)
}

export const searchOf = (scope: BackendScope) => scope.search ?? (() => unsupported('textSearch'))
export const statisticsOf = (scope: BackendScope) => scope.statistics ?? (() => unsupported('statistics'))

/** What every unit of a memory works with, beside its scope. */
export interface UnitMeans {
  /** The memory's lifecycle. */
  readonly root: object
  readonly tenantId: string
  readonly capabilities: Capabilities
  readonly tokens: TokenCounter
}

/** What a callback is given: the repositories, each call in its turn on the unit's scope. */
export function makeUnit(means: UnitMeans, scope: UnitScope, state: UnitState, cache: CacheChanges): UnitOfWork {
  const { tenantId, capabilities, tokens } = means
  const enter = <T>(work: () => Promise<T>): Promise<T> => state.enter(work)
  const turn: Turn = {
    call: async (work) => enter(() => work(scope)),
    atomic: async (work) => enter(() => scope.savepoint(work)),
    get waits() {
      return state.busy
    },
    wrote: (keys) => {
      state.records.push(...keys)
    },
  }
  const nested = async <T>(callback: UnitCallback<T>): Promise<T> => {
    checkCallback(callback)
    return enter(async () => {
      const inner = new CacheChanges(cache.cache, cache.clock, cache)
      const child = new UnitState(state.root, state)
      const result = await scope.savepoint((within) => child.run(() => callback(makeUnit(means, within, child, inner))))
      cache.merge(inner)
      state.records.push(...child.records)
      return result
    })
  }
  const context: UnitOfWork['context'] = async (query) => {
    const checked = checkContext(query)
    return enter(async () => makeContext(await tokens.ready(), { scope, capabilities, inUnit: true }, checked))
  }
  return {
    tenantId,
    ...makeRepositories(turn),
    cache: cache.repository(async (work) => enter(work)),
    unitOfWork: nested,
    search: async (given) => {
      const { query, fresh } = freshness(given)
      if (fresh) throw new ValidationError('fresh', 'cannot be waited for inside a unit: search before it, or after it')
      return enter(() => searchOf(scope)(query))
    },
    statistics: async (options = {}) => enter(() => statisticsOf(scope)(options)),
    context,
    getContext: context,
  }
}

/** Runs a callback as one unit on an open scope. */
export function runUnit<T>(
  means: UnitMeans,
  scope: UnitScope,
  cache: CacheChanges,
  callback: UnitCallback<T>,
): { readonly result: Promise<T>; readonly state: UnitState } {
  const state = new UnitState(means.root, null)
  return { result: state.run(() => callback(makeUnit(means, scope, state, cache))), state }
}

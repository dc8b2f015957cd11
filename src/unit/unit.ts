import type { BackendScope, UnitScope } from '../contract/backend.js'
import type { UnitOfWork } from '../contract/memory.js'
import { UnsupportedError, ValidationError } from '../errors.js'
import { CacheChanges, type ProcessCache } from './cache.js'
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

/** What a callback is given: the repositories, each call in its turn on the unit's scope. */
export function makeUnit(tenantId: string, scope: UnitScope, state: UnitState, cache: CacheChanges): UnitOfWork {
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
      const inner = new CacheChanges(cache.cache, tenantId, cache)
      const child = new UnitState(state.root, state)
      const result = await scope.savepoint((within) =>
        child.run(() => callback(makeUnit(tenantId, within, child, inner))),
      )
      cache.merge(inner)
      state.records.push(...child.records)
      return result
    })
  }
  return {
    tenantId,
    ...makeRepositories(turn),
    cache: cache.repository(async (work) => enter(work)),
    unitOfWork: nested,
    search: async (query) => enter(() => searchOf(scope)(query)),
    statistics: async (options = {}) => enter(() => statisticsOf(scope)(options)),
  }
}

/** Runs a callback as one unit on an open scope. */
export function runUnit<T>(
  root: object,
  tenantId: string,
  scope: UnitScope,
  cache: CacheChanges,
  callback: UnitCallback<T>,
): { readonly result: Promise<T>; readonly state: UnitState } {
  const state = new UnitState(root, null)
  return { result: state.run(() => callback(makeUnit(tenantId, scope, state, cache))), state }
}

export const noChanges = (cache: ProcessCache, tenantId: string): CacheChanges =>
  new CacheChanges(cache, tenantId, null)

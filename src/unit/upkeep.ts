import type { Memory } from '../contract/memory.js'
import type { Upkeep } from '../contract/upkeep.js'
import { UnsupportedError, ValidationError } from '../errors.js'
import { checkFlag, checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import type { Lifecycle } from './lifecycle.js'
import { checkOutside } from './state.js'

export type UpkeepName = keyof Upkeep

function checkProgress(onProgress: unknown): void {
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new ValidationError('onProgress', 'must be a function')
}

/** What an operator asks of a memory; one that nothing follows has nothing to answer. */
export function makeUpkeep(lifecycle: Lifecycle): Pick<Memory, UpkeepName> {
  const ask = <T>(work: (upkeep: Upkeep) => Promise<T>, none?: T): Promise<T> => {
    checkOutside(lifecycle)
    return lifecycle.use(async ({ upkeep }) => {
      if (upkeep) return work(upkeep)
      if (none !== undefined) return none
      throw new UnsupportedError(
        'followers',
        'nothing follows this memory: make it with createMemory, and name a semantic store or a cache',
      )
    })
  }
  return {
    followers: async () => ask((upkeep) => upkeep.followers(), []),
    requeue: async (follower) => {
      if (follower !== undefined) checkId(follower, 'follower')
      return ask((upkeep) => upkeep.requeue(follower))
    },
    unfollow: async (follower) => {
      checkId(follower, 'follower')
      return ask((upkeep) => upkeep.unfollow(follower))
    },
    verify: async (options = {}) => {
      checkNames(options, ['tenantId', 'repair', 'onProgress'])
      if (options.tenantId !== undefined) checkId(options.tenantId, 'tenantId')
      checkFlag(options.repair, 'repair')
      checkProgress(options.onProgress)
      return ask((upkeep) => upkeep.verify(options))
    },
    rebuild: async (options = {}) => {
      checkNames(options, ['embedding', 'dryRun', 'dropOld', 'onProgress'])
      checkFlag(options.dryRun, 'dryRun')
      checkFlag(options.dropOld, 'dropOld')
      checkProgress(options.onProgress)
      return ask((upkeep) => upkeep.rebuild(options))
    },
  }
}

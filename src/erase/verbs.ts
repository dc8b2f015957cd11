import type { Backend } from '../contract/backend.js'
import type {
  EraseOptions,
  EraseReport,
  EraseTarget,
  ErasureSubject,
  RetentionOptions,
  RetentionPolicy,
  RetentionReport,
} from '../contract/erase.js'
import { UnsupportedError } from '../errors.js'
import { checkErasure, checkPolicy, checkRetention, checkSubject } from './check.js'
import { eraseFrom } from './run.js'

/** Runs work on the open backend. */
type Use = <T>(work: (backend: Backend) => Promise<T>) => Promise<T>

/** The verbs of a memory that remove for good. */
export interface ErasureVerbs {
  erase(subject: ErasureSubject, options?: EraseOptions): Promise<EraseReport>
  retain(policy: RetentionPolicy, options?: RetentionOptions): Promise<RetentionReport>
}

/** @param own What this process itself keeps; null where it keeps nothing. */
export const erasureVerbs = (use: Use, clock: () => number, own: () => EraseTarget | null): ErasureVerbs => ({
  async erase(subject, options = {}) {
    const checked = checkSubject(subject)
    const erasure = checkErasure(options)
    return use(async (backend) => {
      const { erasing } = backend
      if (!erasing?.length)
        throw new UnsupportedError(
          'erase',
          'this memory cannot be erased from as a whole: erase from each of its stores',
        )
      const told = async (deadline: number): Promise<void> => backend.fresh?.(checked.tenantId, deadline)
      const kept = own()
      return eraseFrom({
        targets: kept ? [...erasing, kept] : erasing,
        subject: checked,
        options: erasure,
        clock,
        told,
      })
    })
  },
  async retain(policy, options = {}) {
    const checked = checkPolicy(policy)
    const retention = checkRetention(options)
    return use(async (backend) => {
      if (backend.retain) return backend.retain(checked, retention)
      throw new UnsupportedError('retain', 'retention needs an SQL primary: add SQLite or PostgreSQL')
    })
  },
})

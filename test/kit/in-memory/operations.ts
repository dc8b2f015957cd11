import type { OperationStore } from '../../../src/backend-kit.js'
import type { Context } from './context.js'

/** Milliseconds that an operation's outcome is kept: seven days. */
const KEPT = 7 * 24 * 60 * 60 * 1000

/** Operations of one unit. Units follow one another, so a duplicate finds what the first one left. */
export function operations(context: Context): OperationStore {
  return {
    claim: (operationId, fingerprint) =>
      context.write((tables) => {
        const now = context.clock()
        const stored = tables.operations.get(operationId)
        if (stored && stored.expiresAt.getTime() > now) return stored
        const expiresAt = new Date(now + KEPT)
        tables.operations.set(operationId, { operationId, fingerprint, result: null, records: [], expiresAt })
        return null
      }),
    finish: (operationId, result, records) =>
      context.write((tables) => {
        const claimed = tables.operations.get(operationId)
        if (claimed) tables.operations.set(operationId, { ...claimed, result, records })
      }),
  }
}

import type { OperationStore, StoredOperation } from '../../contract/backend.js'
import { StorageError } from '../../errors.js'
import type { RedisContext } from './context.js'
import { write } from './listings.js'
import type { Transaction } from './transaction.js'

/** How long an operation's outcome is kept. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000

export const operationDue = (id: string): string => JSON.stringify(['O', id, '', ''])

// A JSON error quotes the text: it must not become the cause.
function parsed(text: string): StoredOperation {
  try {
    return JSON.parse(text) as StoredOperation
  } catch {
    throw new StorageError('a stored operation cannot be read')
  }
}

/** Operations inside one unit: the record is taken in hand, so a concurrent duplicate waits for the outcome. */
export function redisOperations(context: RedisContext, tx: Transaction): OperationStore {
  const { keys } = context
  const put = (id: string, stored: StoredOperation): void => {
    const life = { own: context.clock() + KEPT_MS, given: null }
    write(tx, keys.operation(id), { d: JSON.stringify(stored) }, life)
    tx.writes.score(keys.due, operationDue(id), life.own)
  }
  const claimed = new Map<string, string | null>()
  return {
    async claim(operationId, fingerprint) {
      const fields = await tx.lock(keys.operation(operationId))
      if (fields.d !== null && Number(fields.x) > context.clock()) return parsed(fields.d)
      claimed.set(operationId, fingerprint)
      put(operationId, { fingerprint, result: null, records: [] })
      return null
    },
    async finish(operationId, result, records) {
      put(operationId, { fingerprint: claimed.get(operationId) ?? null, result, records })
    },
  }
}

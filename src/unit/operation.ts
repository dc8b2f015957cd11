import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BackendScope, UnitScope } from '../contract/backend.js'
import type { OperationReceipt } from '../contract/memory.js'
import { BrunoMemoryError, ConflictError, ConnectionError, StorageError, UnsupportedError } from '../errors.js'
import { canonicalJson } from '../model/canonical.js'
import type { RecordKind } from '../model/records.js'
import { decodeResult, encode, encodeResult } from './encode.js'

/** The largest result that is stored, in bytes. */
const MAX_RESULT = 64 * 1024

type Key = OperationReceipt['records'][number]

/** A record's key, as a receipt names it. */
export function keyOf(kind: RecordKind, record: unknown): Key {
  const { id, conversationId, namespace } = record as { id: string; conversationId?: string; namespace?: string }
  if (kind === 'message') return { kind, key: [conversationId as string, id] }
  if (kind === 'document') return { kind, key: [namespace as string, id] }
  return { kind, key: [id] }
}

export const keysOf = (kind: RecordKind, answer: unknown): Key[] =>
  (Array.isArray(answer) ? answer : [answer]).map((record) => keyOf(kind, record))

/** The records that a receipt names, as they are now; those that are gone are left out. */
export async function readAgain(scope: BackendScope, keys: readonly Key[]): Promise<unknown[]> {
  const found: unknown[] = []
  for (const { kind, key } of keys) {
    const [a, b] = key as [string, string]
    const record = await {
      user: () => scope.users?.get(a),
      conversation: () => scope.conversations?.get(a),
      message: () => scope.messages?.get(a, b),
      session: () => scope.sessions?.get(a),
      memory: () => scope.memories?.get(a),
      document: () => scope.documents?.get(a, b),
    }[kind as RecordKind]()
    if (record) found.push(record)
  }
  return found
}

/** What a verb was asked to do; null where an argument is no data, which the verb itself will refuse. */
export function fingerprintOf(verb: string, args: readonly unknown[]): string | null {
  try {
    return createHash('sha256')
      .update(canonicalJson(encode([verb, ...args])))
      .digest('hex')
  } catch {
    return null
  }
}

export interface Operation<T> {
  readonly operationId: string
  readonly fingerprint: string | null
  readonly run: (scope: UnitScope) => Promise<T>
  /** Keys of what the run wrote, asked for after it. */
  readonly records: (result: T) => readonly Key[]
  /** What a repetition answers whose result was too large to store. */
  readonly repeat: (receipt: OperationReceipt, scope: UnitScope) => Promise<T> | T
}

// A JSON error quotes the text: it must not become the cause.
function resultOf(text: string): unknown {
  try {
    return decodeResult(text)
  } catch {
    throw new StorageError('the stored result of this operation cannot be read')
  }
}

/** How a unit is run: the work in one transaction. */
export type RunUnit = <R>(work: (scope: UnitScope) => Promise<R>) => Promise<R>

/** Pauses, in milliseconds, while a store that went away comes back. */
const PAUSES = [50, 200, 500, 1000, 2000]

/**
 * Runs an operation in a unit of its own. Where the connection was lost before the commit was answered, its id tells
 * whether it was stored: the claim of a second run waits for a first one that is still under way.
 *
 * @throws ConnectionError whose outcome stays unknown only where the store does not come back in time.
 */
export async function runOnce<T>(unit: RunUnit, operation: Operation<T>): Promise<T> {
  let ran: { readonly result: T } | null = null
  try {
    return await unit(async (scope) => {
      const result = await runOperation(scope, operation)
      ran = { result }
      return result
    })
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.outcome !== 'unknown' || !ran) throw error
    if (await wasStored(unit, operation, error)) return (ran as { readonly result: T }).result
    throw new ConnectionError('the connection was lost: nothing of this operation was stored', { cause: error.cause })
  }
}

async function wasStored<T>(unit: RunUnit, operation: Operation<T>, lost: ConnectionError): Promise<boolean> {
  const absent = new Error('absent')
  for (const pause of PAUSES) {
    await sleep(pause)
    try {
      return await unit(async (scope) => {
        if (await scope.operations?.claim(operation.operationId, operation.fingerprint)) return true
        // The claim is taken back: the caller may run the operation again.
        throw absent
      })
    } catch (error) {
      if (error === absent) return false
      if (!(error instanceof BrunoMemoryError) || !error.retryable) throw error
    }
  }
  throw lost
}

/** Runs an operation once: the id is claimed first, so that a concurrent repetition waits and then answers the same. */
export async function runOperation<T>(scope: UnitScope, operation: Operation<T>): Promise<T> {
  const { operationId, fingerprint } = operation
  if (!scope.operations)
    throw new UnsupportedError('operations', 'operationId needs an SQL primary: add SQLite or PostgreSQL')
  const stored = await scope.operations.claim(operationId, fingerprint)
  if (stored) {
    if (stored.fingerprint !== fingerprint)
      throw new ConflictError('this operationId was used for something else: the fingerprint differs')
    if (stored.result !== null) return resultOf(stored.result) as T
    return operation.repeat({ operationId, records: stored.records }, scope)
  }
  const result = await operation.run(scope)
  await scope.operations.finish(operationId, encodeResult(result, MAX_RESULT), operation.records(result))
  return result
}

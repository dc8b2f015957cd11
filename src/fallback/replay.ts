import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend, UnitScope } from '../contract/backend.js'
import type { StoredEntry } from '../contract/journal.js'
import {
  type BrunoMemoryError,
  ConflictError,
  NotFoundError,
  StorageError,
  UnsupportedError,
  ValidationError,
} from '../errors.js'
import { messageCursors } from '../repository/message-options.js'
import { type Act, readWhat, type What } from './entry.js'
import { isThere } from './recognise.js'
import { describeError, isRefusal } from './refusal.js'
import { atInstant } from './replay-clock.js'
import { methodOf } from './verbs.js'

/** What became of an entry: null where the first backend has it now, or why it never will. */
export type Outcome = string | null

/** How often an entry is tried that makes the store itself fail, before it is parked. */
const TRIES = 5
/** How often a transaction is run that the store took back for the sake of others. */
const ATTEMPTS = 6

/** An answer for good, rather than a failure that may pass. */
const isAnswer = (error: unknown): error is BrunoMemoryError =>
  (error instanceof ValidationError ||
    error instanceof ConflictError ||
    error instanceof NotFoundError ||
    error instanceof UnsupportedError) &&
  !error.retryable

/** Gives entries to the first backend, in order, each of them once. */
export class Replay {
  readonly #failures = new Map<string, number>()
  constructor(readonly first: Backend) {}

  /** Entries of one tenant, in one unit; what the store refuses of them is told, what it fails at is thrown. */
  async run(entries: readonly StoredEntry[]): Promise<Outcome[]> {
    try {
      return await this.#unit(entries)
    } catch (error) {
      if (isRefusal(error)) throw error
      const [entry] = entries
      if (entry !== undefined && entries.length === 1) return [this.#failed(entry, error)]
    }
    // One of them makes the whole unit fail: the others go without it.
    const outcomes: Outcome[] = []
    for (const entry of entries) outcomes.push(...(await this.run([entry])))
    return outcomes
  }

  #failed(entry: StoredEntry, error: unknown): Outcome {
    const failures = (this.#failures.get(entry.id) ?? 0) + 1
    this.#failures.set(entry.id, failures)
    if (failures < TRIES) throw error
    this.#failures.delete(entry.id)
    return describeError(error)
  }

  async #unit(entries: readonly StoredEntry[]): Promise<Outcome[]> {
    const [entry] = entries
    if (entry === undefined) return []
    for (let attempt = 1; ; attempt++)
      try {
        return await this.first.unit(entry.tenantId, async (scope) => {
          const outcomes: Outcome[] = []
          for (const each of entries) outcomes.push(await replayEntry(scope, each))
          return outcomes
        })
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof ConflictError) || !error.retryable) throw error
        await sleep(5 * 2 ** attempt)
      }
  }
}

async function replayEntry(scope: UnitScope, entry: StoredEntry): Promise<Outcome> {
  let what: What
  try {
    what = readWhat(entry.what)
  } catch (error) {
    if (error instanceof StorageError) return describeError(error)
    throw error
  }
  try {
    await scope.savepoint((inner) => atInstant(entry.createdAt, () => perform(inner, entry, what)))
    return null
  } catch (error) {
    if (isAnswer(error)) return describeError(error)
    throw error
  }
}

async function perform(scope: UnitScope, entry: StoredEntry, { acts, operation }: What): Promise<void> {
  const { operations } = scope
  // What was handed back, and not acknowledged before a crash, is known by its id.
  if (await operations?.claim(entry.id, null)) return
  if (operation && operations) {
    const stored = await operations.claim(operation.id, operation.fingerprint)
    if (stored && stored.fingerprint !== operation.fingerprint)
      throw new ConflictError('this operationId was used for something else: the fingerprint differs')
    if (stored) return
  }
  for (const act of acts) await performAct(scope, entry, act)
  if (operation) await operations?.finish(operation.id, operation.result, operation.records)
}

async function performAct(scope: UnitScope, { tenantId }: StoredEntry, act: Act): Promise<void> {
  try {
    const args = act.name === 'clear' ? await clearing(scope, tenantId, act) : act.args
    await methodOf(scope, act.repository, act.name)(...args)
  } catch (error) {
    if (!(await isThere(scope, act, error))) throw error
  }
}

/** A message that marks where to stop is there by now, at a position of its own. */
async function clearing(scope: UnitScope, tenantId: string, { args }: Act): Promise<readonly unknown[]> {
  const [id, options, ...rest] = args as [string, { before?: { message?: string } } | undefined]
  const marker = options?.before?.message
  if (marker === undefined) return args
  const message = await scope.messages?.get(id, marker)
  if (!message) throw new NotFoundError('message')
  return [id, { ...options, before: messageCursors(tenantId, id).encode(message.position) }, ...rest]
}

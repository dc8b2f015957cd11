import { setTimeout as sleep } from 'node:timers/promises'
import { ConflictError } from '../../errors.js'

/** Somebody else has changed the record since it was read. */
export class Raced extends Error {
  override readonly name = 'Raced'
}

/** Reads again and again that give way to other writers; each of these has written something meanwhile. */
const ATTEMPTS = 20
const LONGEST_PAUSE = 40

/**
 * Runs a change that reads a record and writes over what it read, again where somebody was faster.
 *
 * @param version The version that the caller wants to write over: whoever was faster has made another one.
 */
export async function changing<T>(kind: string, version: number | undefined, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Raced)) throw error
      if (version !== undefined) throw new ConflictError(`the ${kind} has been changed since version ${version}`)
      if (attempt === ATTEMPTS)
        throw new ConflictError(`the ${kind} is being changed by others all the time`, { retryable: true })
    }
    await sleep(Math.random() * Math.min(LONGEST_PAUSE, 2 ** attempt))
  }
}

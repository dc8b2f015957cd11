import { BrunoMemoryError, ConnectionError, OverloadedError, TimeoutError } from '../errors.js'

/** Answers in the form of a refusal: who gave them serves. */
const answers = new WeakSet<object>()

/** An error that says that the backend could not serve, rather than an answer. */
export const isRefusal = (error: unknown): error is BrunoMemoryError =>
  (error instanceof ConnectionError || error instanceof TimeoutError || error instanceof OverloadedError) &&
  !answers.has(error)

function asAnswer(error: ConnectionError): ConnectionError {
  answers.add(error)
  return error
}

/** What is told of an error: our own messages hold no secrets, of any other only the class is known to hold none. */
export function describeError(error: unknown): string {
  if (error instanceof BrunoMemoryError) return `${error.name}: ${error.message}`
  return error instanceof Error ? `it failed with ${error.name}` : 'it failed'
}

/** The record may be in the first backend: it is not known to be nowhere. */
export const inAbsentBackend = (kind: string, outcome: 'none' | 'unknown' = 'none'): ConnectionError =>
  asAnswer(
    new ConnectionError(`the ${kind} is not known here: it may be in the backend that is away; try again later`, {
      outcome,
    }),
  )

/** Only the first backend knows: another one would find that nothing was stored. */
export const operationInDoubt = (): ConnectionError =>
  asAnswer(
    new ConnectionError('whether this operation was stored is known to the backend that is away; try again later', {
      outcome: 'unknown',
    }),
  )

/** A unit whose callback has run cannot be run again. */
export const endedWithin = (): ConnectionError =>
  asAnswer(new ConnectionError('the outage ended while this unit ran: nothing of it was stored; run it again'))

/** The outage that a write belonged to has ended, or is about to: nothing of it was stored here. */
export class OutageEnded extends Error {
  override readonly name = 'OutageEnded'
}

/** Waits at most so long. */
export async function within<T>(milliseconds: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), milliseconds)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}

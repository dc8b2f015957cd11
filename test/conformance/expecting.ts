import { expect } from 'vitest'
import { BrunoMemoryError, type ErrorCode } from '../../src/errors.js'

/** A refusal, with the properties that some of its classes add. */
export type Refusal = BrunoMemoryError & {
  readonly field?: string
  readonly problem?: string
  readonly kind?: string
  readonly capability?: string
}

/** What the work failed with, or null where it did not fail. A function may also throw at once. */
export async function failure(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === 'function' ? work() : work)
    return null
  } catch (error) {
    return error ?? new Error('failed with nothing')
  }
}

/** Proves that the work fails with an error of this code and, where given, about this field. */
export async function refused(
  work: Promise<unknown> | (() => unknown),
  code: ErrorCode,
  field?: string | RegExp,
): Promise<Refusal> {
  const error = await failure(work)
  if (error === null) expect.fail(`was accepted, expected a refusal: ${code} ${field ?? ''}`)
  if (!(error instanceof BrunoMemoryError)) throw error
  expect(`${error.code}: ${error.message}`).toMatch(new RegExp(`^${code}: `))
  expect(error.retryable).toBeTypeOf('boolean')
  if (typeof field === 'string') expect(error).toHaveProperty('field', field)
  if (field instanceof RegExp) expect((error as Refusal).field).toMatch(field)
  return error
}

/** Proves that the record to be changed is missed, and that the error says what kind it is of. */
export async function missing(work: Promise<unknown> | (() => unknown), kind: string): Promise<void> {
  const error = await refused(work, 'not-found')
  expect(error.kind).toBe(kind)
}

/** Whether a failure is one of the closed set, which is all that some inputs are owed. */
export const isTyped = (error: unknown): error is Refusal => error instanceof BrunoMemoryError

import { ConflictError, NotFoundError, ValidationError } from '../errors.js'

export const exists = (kind: string): ConflictError => new ConflictError(`a ${kind} with this id exists already`)
export const missing = (kind: string): NotFoundError => new NotFoundError(kind)

/** Refuses a write over another version than the one that was read. */
export function checkVersion(kind: string, stored: number, wanted: number | undefined): void {
  if (wanted !== undefined && stored !== wanted)
    throw new ConflictError(`the ${kind} has been changed since version ${wanted} (it is at ${stored})`)
}

export function checkVersionOption(version: unknown): number | undefined {
  if (version !== undefined && !(Number.isSafeInteger(version) && (version as number) >= 1))
    throw new ValidationError('version', 'must be a safe integer of at least 1')
  return version as number | undefined
}

import { BrunoMemoryError, ConfigurationError } from '../errors.js'

const NOT_FOUND = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']

/** The error of a missing optional package says what to install; any other one is passed on. */
export function missingPackages(what: string, packages: readonly string[], error: unknown): Error {
  if (error instanceof BrunoMemoryError) return error
  if (NOT_FOUND.includes(String((error as { code?: unknown } | null)?.code)))
    return new ConfigurationError(`${what} needs packages that are not installed: npm install ${packages.join(' ')}`, {
      cause: error,
    })
  return error as Error
}

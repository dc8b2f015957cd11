/** What went wrong, as a closed set: a caller can switch over it. */
export type ErrorCode =
  | 'validation'
  | 'conflict'
  | 'not-found'
  | 'unsupported'
  | 'connection'
  | 'timeout'
  | 'overloaded'
  | 'closed'
  | 'migration'
  | 'configuration'
  | 'storage'

export interface ErrorOptions {
  readonly cause?: unknown
  /** True when the same call may succeed later without a change. Each class has a default. */
  readonly retryable?: boolean
}

/**
 * The base of every error that bruno-memory throws. Messages name fields, ids' kinds, limits and engines' error codes;
 * they never carry content, a stored value or a secret.
 */
export abstract class BrunoMemoryError extends Error {
  abstract readonly code: ErrorCode
  readonly retryable: boolean

  constructor(message: string, options: ErrorOptions = {}, retryable = false) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.retryable = options.retryable ?? retryable
  }
}

/** Input that is refused before anything is written. */
export class ValidationError extends BrunoMemoryError {
  readonly code = 'validation'
  constructor(
    /** Where in the input, as a path: `messages[3].content`. */
    readonly field: string,
    /** What is wrong with it, without the value itself. */
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${field}: ${problem}`, options)
  }
}

/** The write contradicts what is stored: an existing id, another `version`, a changed operation. */
export class ConflictError extends BrunoMemoryError {
  readonly code = 'conflict'
}

/** The record to be changed does not exist in this tenant. */
export class NotFoundError extends BrunoMemoryError {
  readonly code = 'not-found'
  constructor(
    /** `conversation`, `message`, `session`, `memory`, `document`, `user` or `operation`. */
    readonly kind: string,
    options?: ErrorOptions,
  ) {
    super(`no such ${kind}`, options)
  }
}

/** The open backends lack a capability. */
export class UnsupportedError extends BrunoMemoryError {
  readonly code = 'unsupported'
  constructor(
    readonly capability: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** The store cannot be reached or opened. */
export class ConnectionError extends BrunoMemoryError {
  readonly code = 'connection'
  /** `unknown`: the write may have been stored, or not; otherwise nothing was. */
  readonly outcome: 'none' | 'unknown'
  constructor(message: string, options: ErrorOptions & { readonly outcome?: 'none' | 'unknown' } = {}) {
    super(message, options, true)
    this.outcome = options.outcome ?? 'none'
  }
}

/** The deadline passed. A write that was under way is stated as such in the message. */
export class TimeoutError extends BrunoMemoryError {
  readonly code = 'timeout'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, true)
  }
}

/** Too much waits already; nothing was begun. */
export class OverloadedError extends BrunoMemoryError {
  readonly code = 'overloaded'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, true)
  }
}

/** The memory is closed, or the unit has ended. */
export class ClosedError extends BrunoMemoryError {
  readonly code = 'closed'
}

/** The schema in the database and the migrations of this version do not fit. */
export class MigrationError extends BrunoMemoryError {
  readonly code = 'migration'
  constructor(
    message: string,
    /** The migration it is about, such as `0001_search`. */
    readonly migration?: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** Options, a URL or the environment are wrong. */
export class ConfigurationError extends BrunoMemoryError {
  readonly code = 'configuration'
}

/** Everything that was here has been moved to another store: open that one. Nothing of this call was stored. */
export class MovedError extends ConfigurationError {}

/** The engine failed, or a stored value cannot be read. */
export class StorageError extends BrunoMemoryError {
  readonly code = 'storage'
}

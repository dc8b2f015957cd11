/** Options that every backend knows. */
export interface CommonOptions {
  /** `required`: a call outside `forTenant` throws. Default `optional`: it goes to the tenant `default`. */
  readonly tenancy?: 'optional' | 'required' | undefined
  /** The language of the stemmer, such as `english` or `german`; default `english`. */
  readonly language?: string | undefined
  /** Bounds on what is accepted; see `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits> | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
  /** Makes ids. Default: UUIDv7, whose order is that of their making. */
  readonly newId?: (() => string) | undefined
}

export interface SqliteOptions extends CommonOptions {
  /** A file path, or `:memory:` for a database private to this instance. Its folder must exist. */
  readonly databasePath: string
  /** Keep and search the full-text index. Default true. */
  readonly enableFts?: boolean | undefined
  /** `power` (default): an acknowledged write survives power loss. `process`: it survives a killed process. */
  readonly durability?: 'power' | 'process' | undefined
  /** What `connect()` does with pending migrations: apply them (default), or refuse to open. */
  readonly migrate?: 'auto' | 'check' | undefined
  /** Milliseconds to wait for another process's write, default 5,000; then `TimeoutError`. */
  readonly busyTimeout?: number | undefined
  /** Milliseconds a write waits for a unit of this process to end, default 30,000; then `TimeoutError`. */
  readonly writeTimeout?: number | undefined
}

/** Bounds on input, in UTF-8 bytes unless said otherwise. */
export interface Limits {
  /** Of a message, memory or document. */
  readonly content: number
  /** Of each JSON field: metadata, parts, state, profile, preferences; as serialised. */
  readonly json: number
  /** Levels of nesting in a JSON field. */
  readonly jsonDepth: number
  /** Of titles, names, sources, categories. */
  readonly label: number
  /** Of a conversation's summary. */
  readonly summary: number
  /** How many tags a record has. */
  readonly tags: number
  /** Records in one batch. */
  readonly batch: number
}

export const DEFAULT_LIMITS: Limits = {
  content: 16 * 1024 * 1024,
  json: 4 * 1024 * 1024,
  jsonDepth: 64,
  label: 4096,
  summary: 1024 * 1024,
  tags: 1000,
  batch: 10_000,
}
/** Of ids, tags, namespaces and tenants; fixed, because every backend's keys are made for it. */
export const MAX_ID_BYTES = 255
/** Of one page or one search. */
export const MAX_PAGE = 1000

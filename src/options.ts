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

import type { DistanceMetric, EmbeddingSpace } from '../contract/embedder.js'
import { StorageError, UnsupportedError } from '../errors.js'
import { RECORD_KINDS, type RecordKind } from '../model/records.js'

/**
 * An archive is one gzip-compressed file of JSON Lines (the same text uncompressed is read as well):
 *
 *     {"format":"bruno-memory-archive","version":1,"createdAt":…,"schema":…,"tenants":[…]}
 *     {"kind":"user","tenant":"default","record":{"id":"ada",…}}
 *     …
 *     {"manifest":{"counts":{…},"digests":{…},"contentDigests":{…},"sha256":…}}
 *
 * Each record stands after those that it needs, with all fields of `RECORD_FIELDS` in their order; instants are ISO
 * strings in UTC with milliseconds. The manifest ends the file: an archive without it is not whole.
 *
 * In version 2 the header may name a `space`, and a record may have a `vector` of it (base64 of little-endian 32-bit
 * floats) with the `hash` of its text (base64), a message its `holder`, and a conversation that was made for its
 * messages `made`. The compressed file may be many gzip members, one after the other.
 */
export const ARCHIVE_FORMAT = 'bruno-memory-archive'
/** The newest version that is read. Raised when an older reader would misread a newer archive. */
export const ARCHIVE_VERSION = 2
/** Of archives that hold nothing but records: every reader can read them. */
export const PLAIN_VERSION = 1
/** The longest line that a reader holds: content at its limit with every character escaped, and its JSON. */
export const MAX_LINE_BYTES = 128 * 1024 * 1024

/** The first line. Readers ignore names they do not know. */
export interface ArchiveHeader {
  readonly format: typeof ARCHIVE_FORMAT
  readonly version: number
  readonly createdAt: string
  /** The newest schema migration of the program that wrote it. */
  readonly schema?: string
  readonly tenants: readonly string[]
  /** Only this user's records were asked for. */
  readonly userId?: string
  /** Whether records whose `expiresAt` had passed were asked for as well. */
  readonly includeExpired?: boolean
  /** Of the vectors that are in it. */
  readonly space?: EmbeddingSpace
}

/** The last line: what the lines between hold. */
export interface ArchiveManifest {
  readonly counts: Readonly<Record<RecordKind, number>>
  /** Set digests of the records as written, by kind; see `recordDigest`, profile `exact`. */
  readonly digests: Readonly<Record<RecordKind, string>>
  /** The same by profile `content`: equal for two stores that hold the same content. */
  readonly contentDigests: Readonly<Record<RecordKind, string>>
  /** SHA-256, hexadecimal, of every byte before the manifest's line. */
  readonly sha256: string
}

/** The archive cannot be trusted; nothing that was read from it should be used. */
export const damaged = (what: string, cause?: unknown): StorageError =>
  new StorageError(`the archive is damaged or incomplete: ${what}`, { cause })

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const METRICS: readonly DistanceMetric[] = ['cosine', 'dot', 'euclidean']

function isSpace(value: unknown): value is EmbeddingSpace {
  if (!isObject(value)) return false
  const { provider, model, dimensions, metric } = value
  const named = typeof provider === 'string' && typeof model === 'string'
  return named && Number.isSafeInteger(dimensions) && METRICS.includes(metric as DistanceMetric)
}

/** Reads the first line. A newer version is refused; something else is not an archive. */
export function parseHeader(value: unknown): ArchiveHeader {
  if (!isObject(value) || value.format !== ARCHIVE_FORMAT) throw damaged('line 1 is not the header of an archive')
  const { version, tenants, createdAt, space } = value
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1)
    throw damaged('its version is unreadable')
  if (version > ARCHIVE_VERSION)
    throw new UnsupportedError(
      `archive version ${version}`,
      `the archive has version ${version}, and this version of bruno-memory reads up to ${ARCHIVE_VERSION}: update bruno-memory`,
    )
  if (!Array.isArray(tenants) || !tenants.every((t) => typeof t === 'string'))
    throw damaged('its tenants are unreadable')
  if (typeof createdAt !== 'string') throw damaged('its date is unreadable')
  if (space !== undefined && !isSpace(space)) throw damaged('its embedding space is unreadable')
  return value as unknown as ArchiveHeader
}

const isHex = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Reads the last line. */
export function parseManifest(value: unknown): ArchiveManifest {
  const manifest = isObject(value) ? value : {}
  const { counts, digests, contentDigests, sha256 } = manifest
  const whole = (map: unknown, test: (v: unknown) => boolean): boolean =>
    isObject(map) && Object.keys(map).length === RECORD_KINDS.length && RECORD_KINDS.every((kind) => test(map[kind]))
  if (!whole(counts, isCount) || !whole(digests, isHex) || !whole(contentDigests, isHex) || !isHex(sha256))
    throw damaged('its manifest is unreadable')
  return manifest as unknown as ArchiveManifest
}

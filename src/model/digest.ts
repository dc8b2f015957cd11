import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical.js'
import { CONTENT_FIELDS, type Field, RECORD_FIELDS, type RecordOf } from './fields.js'
import type { JsonValue, RecordKind } from './records.js'

/** `exact`: every field. `content`: without what an import gives anew (tenant, positions, counters, version, updatedAt). */
export type DigestProfile = 'exact' | 'content'

const NULL_LENGTH = 0xffffffff
let scratch = Buffer.allocUnsafe(64 * 1024)

function textOf(field: Field, value: unknown): string | null {
  if (field.type === 'flag') return value === null ? '0' : '1'
  if (value === null) return null
  if (field.type === 'text') return value as string
  if (field.type === 'json') return canonicalJson(value as JsonValue)
  return String(field.type === 'instant' ? (value as Date).getTime() : (value as number) + 0)
}

function put(text: string | null, at: number): number {
  if (text === null) return scratch.writeUInt32BE(NULL_LENGTH, at)
  const bytes = scratch.write(text, at + 4)
  scratch.writeUInt32BE(bytes, at)
  return at + 4 + bytes
}

function reserve(bytes: number): void {
  if (scratch.length >= bytes) return
  const larger = Buffer.allocUnsafe(bytes * 2)
  scratch.copy(larger)
  scratch = larger
}

/**
 * The digest of one record: SHA-256 over length-prefixed fields, the same whichever engine computes it.
 *
 * The bytes are those of `bruno/1`, the profile and the kind, then of each field in the order of `RECORD_FIELDS`. Each
 * piece is its length in bytes as four bytes, big-endian, followed by its UTF-8 bytes; null is the length FFFFFFFF
 * alone, so that it differs from an empty text. Numbers stand as the shortest decimal that gives them back (as
 * ECMAScript and RFC 8785 write them), instants as decimal milliseconds since 1970 UTC, JSON in the form of RFC 8785,
 * a flag as `0` or `1`. A field that was added to `RECORD_FIELDS` later is left out where it is null. Row numbers, revisions and search text are no part of a record.
 */
export function recordDigest<K extends RecordKind>(
  kind: K,
  record: RecordOf[K],
  profile: DigestProfile = 'exact',
): Buffer {
  const fields = (profile === 'exact' ? RECORD_FIELDS : CONTENT_FIELDS)[kind]
  return digestFields(`bruno/1 ${profile} ${kind}`, fields, record)
}

/** The same over some of a record's fields; `domain` keeps digests of different meaning apart. */
export function digestFields<R>(domain: string, fields: readonly Field<keyof R & string>[], record: R): Buffer {
  let end = put(domain, 0)
  for (const field of fields) {
    const text = textOf(field, record[field.name])
    if (text === null && field.later) continue
    reserve(end + 4 + (text?.length ?? 0) * 3)
    end = put(text, end)
  }
  const digest = createHash('sha256').update(scratch.subarray(0, end)).digest()
  // One huge record must not pin its size for the rest of the process.
  if (scratch.length > 1024 * 1024) scratch = Buffer.allocUnsafe(64 * 1024)
  return digest
}

const LANES = 8
const CARRY_EVERY = 1 << 20

/** The digest of a set: the sum of its records' digests modulo 2^256, whatever their order, with their count. */
export class DigestSum {
  #count = 0
  #pending = 0
  readonly #lanes = new Float64Array(LANES)

  get count(): number {
    return this.#count
  }

  add(digest: Buffer): void {
    for (let i = 0; i < LANES; i++) this.#lanes[i] = (this.#lanes[i] as number) + digest.readUInt32BE(i * 4)
    this.#count++
    // A lane holds 2^21 additions of 32 bits exactly.
    if (++this.#pending >= CARRY_EVERY) this.#carry()
  }

  /** 64 hexadecimal digits, most significant first. */
  hex(): string {
    this.#carry()
    return Array.from(this.#lanes, (lane) => lane.toString(16).padStart(8, '0')).join('')
  }

  #carry(): void {
    let carry = 0
    for (let i = LANES - 1; i >= 0; i--) {
      const sum = (this.#lanes[i] as number) + carry
      carry = Math.floor(sum / 2 ** 32)
      this.#lanes[i] = sum % 2 ** 32
    }
    this.#pending = 0
  }
}

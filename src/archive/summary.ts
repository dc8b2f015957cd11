import { DigestSum, recordDigest } from '../model/digest.js'
import { RECORD_KINDS, type RecordKind } from '../model/records.js'
import type { ArchiveManifest } from './format.js'
import type { ArchiveEntry } from './record.js'

const sums = (): Record<RecordKind, DigestSum> =>
  Object.fromEntries(RECORD_KINDS.map((kind) => [kind, new DigestSum()])) as Record<RecordKind, DigestSum>

/** The digests of one record. */
export interface EntryDigests {
  readonly kind: RecordKind
  readonly exact: Buffer
  readonly content: Buffer
}

export const digestsOf = ({ kind, record }: ArchiveEntry): EntryDigests => ({
  kind,
  exact: recordDigest(kind, record),
  content: recordDigest(kind, record, 'content'),
})

/** Counts and set digests of the records that pass by: made on writing, made again on reading. */
export class ArchiveSummary {
  readonly #exact = sums()
  readonly #content = sums()

  add(entry: ArchiveEntry): void {
    this.put(digestsOf(entry))
  }

  /** A record whose digests were made before. */
  put({ kind, exact, content }: EntryDigests): void {
    this.#exact[kind].add(exact)
    this.#content[kind].add(content)
  }

  get total(): number {
    return RECORD_KINDS.reduce((n, kind) => n + this.#exact[kind].count, 0)
  }

  manifest(sha256: string): ArchiveManifest {
    const each = <T>(of: (kind: RecordKind) => T) =>
      Object.fromEntries(RECORD_KINDS.map((kind) => [kind, of(kind)])) as Record<RecordKind, T>
    return {
      counts: each((kind) => this.#exact[kind].count),
      digests: each((kind) => this.#exact[kind].hex()),
      contentDigests: each((kind) => this.#content[kind].hex()),
      sha256,
    }
  }
}

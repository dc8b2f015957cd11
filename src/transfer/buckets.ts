import { DigestSum } from '../model/digest.js'
import { BUCKETS } from './record-hash.js'

/** Sums of digests by bucket: what differs is found again by reading its bucket, not everything. */
export class Buckets {
  readonly #sums: (DigestSum | undefined)[] = new Array(BUCKETS)
  readonly #whole = new DigestSum()

  add(bucket: number, digest: Buffer): void {
    let sum = this.#sums[bucket]
    if (sum === undefined) {
      sum = new DigestSum()
      this.#sums[bucket] = sum
    }
    sum.add(digest)
    this.#whole.add(digest)
  }

  get count(): number {
    return this.#whole.count
  }

  hex(): string {
    return this.#whole.hex()
  }

  countOf(bucket: number): number {
    return this.#sums[bucket]?.count ?? 0
  }

  /** The buckets in which two differ. */
  differing(other: Buckets): number[] {
    if (this.count === other.count && this.hex() === other.hex()) return []
    const found: number[] = []
    for (let i = 0; i < BUCKETS; i++)
      if (this.countOf(i) !== other.countOf(i) || this.#sums[i]?.hex() !== other.#sums[i]?.hex()) found.push(i)
    return found
  }
}

/** Sign bits of one part of a store's vectors, in memory: a look over all of them takes milliseconds. */
export class SignBits {
  #seqs = new Float64Array(0)
  #words = new Int32Array(0)
  #count = 0
  /** Words of 32 bits in each vector. */
  readonly #wide: number
  readonly #most: number

  /** Rows of so many bytes each, in at most `bound` bytes of memory. */
  constructor(
    readonly bytes: number,
    bound = Number.POSITIVE_INFINITY,
  ) {
    this.#wide = Math.ceil(bytes / 4)
    this.#most = Math.floor(bound / (Float64Array.BYTES_PER_ELEMENT + this.#wide * Int32Array.BYTES_PER_ELEMENT))
  }

  get count(): number {
    return this.#count
  }
  /** The newest row that is here: rows are numbered in the order of their commits, and are never changed. */
  get last(): number {
    return this.#count === 0 ? 0 : (this.#seqs[this.#count - 1] as number)
  }
  get size(): number {
    return this.#seqs.byteLength + this.#words.byteLength
  }
  /** How many more rows may be added. */
  get room(): number {
    return this.#most - this.#count
  }

  /** Adds a row behind the others, where there is room; one of another width belongs to another space, and is left out. */
  add(seq: number, bits: Buffer): void {
    if (bits.length !== this.bytes) return
    if (this.#count === this.#seqs.length) this.#grow()
    this.#seqs[this.#count] = seq
    pack(bits, this.#words, this.#count * this.#wide)
    this.#count++
  }

  #grow(): void {
    const capacity = Math.min(this.#most, Math.max(1024, this.#count * 2))
    const seqs = new Float64Array(capacity)
    seqs.set(this.#seqs)
    const words = new Int32Array(capacity * this.#wide)
    words.set(this.#words)
    this.#seqs = seqs
    this.#words = words
  }

  /** The rows that differ in the fewest bits, about `n` of them: all that are as near as the n-th. */
  nearest(bits: Buffer, n: number): number[] {
    const wide = this.#wide
    const question = new Int32Array(wide)
    pack(bits, question, 0)
    const distances = new Uint16Array(this.#count)
    const having = new Uint32Array(this.bytes * 8 + 1)
    for (let i = 0, at = 0; i < this.#count; i++) {
      let distance = 0
      for (let j = 0; j < wide; j++, at++) {
        let x = (this.#words[at] as number) ^ (question[j] as number)
        x -= (x >>> 1) & 0x55555555
        x = (x & 0x33333333) + ((x >>> 2) & 0x33333333)
        distance += Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
      }
      distances[i] = distance
      having[distance] = (having[distance] as number) + 1
    }
    let farthest = 0
    for (let sum = 0; farthest < having.length; farthest++) {
      sum += having[farthest] as number
      if (sum >= n) break
    }
    const found: number[] = []
    for (let i = 0; i < this.#count; i++) if ((distances[i] as number) <= farthest) found.push(this.#seqs[i] as number)
    return found
  }
}

function pack(bits: Buffer, into: Int32Array, at: number): void {
  for (let i = 0; i < bits.length; i++) {
    const word = at + (i >> 2)
    const low = i & 3 ? (into[word] as number) : 0
    into[word] = low | ((bits[i] as number) << ((i & 3) * 8))
  }
}

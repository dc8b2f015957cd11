import { StorageError } from '../errors.js'

/** An element of a top-level JSON array. */
export interface Element {
  readonly index: number
  /** Of its first byte in the file. */
  readonly offset: number
  /** Null where it is longer than the bound: it was passed over, not kept. */
  readonly bytes: Buffer | null
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])
const COMMA = 0x2c
const BRACKET = 0x5b
const END_BRACKET = 0x5d
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
const BOM = Buffer.from([0xef, 0xbb, 0xbf])

type State = 'before' | 'first' | 'element' | 'value' | 'between' | 'after'

/**
 * Finds the elements of one large JSON array without parsing them: only quotes and brackets are looked at, so it runs
 * at the speed of the disk, one element that is not JSON costs no other, and each has its place in the file. (A
 * tokenizing stream parser takes five times as long and stops at the first error.)
 */
export class ArraySplitter {
  #state: State = 'before'
  #depth = 0
  #inString = false
  #escaped = false
  #index = 0
  #start = 0
  #length = 0
  #pieces: Buffer[] = []
  #position = 0
  constructor(readonly maxBytes: number) {}

  /** The elements that end in this chunk. */
  push(input: Buffer): Element[] {
    let chunk = input
    if (this.#position === 0 && chunk.subarray(0, 3).equals(BOM)) {
      chunk = chunk.subarray(3)
      this.#position = 3
    }
    const found: Element[] = []
    let from = 0
    for (let at = 0; at < chunk.length; ) {
      if (this.#state !== 'element' && this.#state !== 'value') {
        from = at
        this.#outside(chunk[at] as number, this.#position + at)
        if (this.#inElement()) continue
        at++
        continue
      }
      const end = this.#state === 'element' ? this.#nested(chunk, at) : this.#scalar(chunk, at)
      if (end === -1) break
      this.#keep(chunk.subarray(from, end))
      found.push(this.#take())
      at = end
    }
    if (this.#inElement()) this.#keep(Buffer.from(chunk.subarray(from)))
    this.#position += chunk.length
    return found
  }

  /** Throws where the file ended before the array did. */
  end(): void {
    if (this.#state === 'after') return
    if (this.#state === 'before') throw new StorageError('the file holds no JSON array')
    const inside = this.#inElement() ? ` inside element ${this.#index}, which begins at byte ${this.#start}` : ''
    throw new StorageError(`the file is cut: it ends at byte ${this.#position}${inside}`)
  }

  /** Whether the file ends inside an element that has begun. */
  #inElement(): boolean {
    return this.#state === 'element' || this.#state === 'value'
  }

  #outside(byte: number, position: number): void {
    if (isSpace(byte)) return
    const refuse = () =>
      new StorageError(
        `the JSON is broken at byte ${position}, after element ${this.#index - 1}; the rest was not read`,
      )
    if (this.#state === 'before') {
      if (byte !== BRACKET) throw new StorageError('the file does not begin with a JSON array')
      this.#state = 'first'
    } else if (this.#state === 'after') throw refuse()
    else if (byte === END_BRACKET) this.#state = 'after'
    else if (this.#state === 'between') {
      if (byte !== COMMA) throw refuse()
      // A comma before the closing bracket is let through: it costs nothing and loses nothing.
      this.#state = 'first'
    } else {
      this.#state = OPEN.has(byte) ? 'element' : 'value'
      this.#start = position
    }
  }

  /** Where an object or array ends (exclusive), or -1 where the chunk ends first. The hot loop of an import. */
  #nested(chunk: Buffer, start: number): number {
    let depth = this.#depth
    let inString = this.#inString
    let at = start
    if (this.#escaped) {
      this.#escaped = false
      at++
    }
    for (; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (inString) {
        if (byte === BACKSLASH) at++
        else if (byte === QUOTE) inString = false
      } else if (byte === QUOTE) inString = true
      else if (byte === 0x7b || byte === 0x5b) depth++
      else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) {
        this.#depth = 0
        this.#inString = false
        return at + 1
      }
    }
    this.#depth = depth
    this.#inString = inString
    // A backslash was the last byte: what it escapes is the first of the next chunk.
    this.#escaped = at > chunk.length
    return -1
  }

  /** A number, a word or a string where an object is expected: refused later, by its place. */
  #scalar(chunk: Buffer, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (this.#escaped) this.#escaped = false
      else if (this.#inString && byte === BACKSLASH) this.#escaped = true
      else if (byte === QUOTE) this.#inString = !this.#inString
      else if (!this.#inString && (byte === COMMA || CLOSE.has(byte) || isSpace(byte))) return at
    }
    return -1
  }

  #keep(piece: Buffer): void {
    this.#length += piece.length
    if (this.#length <= this.maxBytes) this.#pieces.push(piece)
    else this.#pieces = []
  }

  #take(): Element {
    const kept = this.#length <= this.maxBytes
    const bytes = !kept ? null : this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces)
    const element = { index: this.#index++, offset: this.#start, bytes }
    this.#pieces = []
    this.#length = 0
    this.#state = 'between'
    return element
  }
}

/** The first element of an array of which this is the beginning, parsed; undefined where it is not whole or not JSON. */
export function firstElement(head: Buffer): unknown {
  try {
    const [first] = new ArraySplitter(head.length).push(head)
    return first?.bytes ? JSON.parse(first.bytes.toString()) : undefined
  } catch {
    return undefined
  }
}

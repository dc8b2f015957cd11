/** A line of a byte stream, without its line feed. */
export interface Line {
  /** Counted from 1. */
  readonly number: number
  /** Where it begins. */
  readonly offset: number
  /** Null where the line is longer than the bound: it was passed over, not kept. */
  readonly bytes: Buffer | null
  /** False for a last line that no line feed ends. */
  readonly ended: boolean
}

const LINE_FEED = 10

/** Splits a byte stream at line feeds, holding at most one line of `maxBytes`. */
export async function* splitLines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line> {
  let number = 1
  let offset = 0
  let length = 0
  let pieces: Buffer[] = []
  const take = (piece: Buffer): void => {
    length += piece.length
    if (length <= maxBytes) pieces.push(piece)
    else pieces = []
  }
  const line = (ended: boolean): Line => {
    const bytes = length > maxBytes ? null : pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
    return { number, offset, bytes, ended }
  }
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      take(chunk.subarray(from, end))
      yield line(true)
      number++
      offset += length + 1
      length = 0
      pieces = []
      from = end + 1
    }
    // A copy: the rest of a chunk must not keep the whole of it alive for as long as the line grows.
    if (from < chunk.length) take(from === 0 ? chunk : Buffer.from(chunk.subarray(from)))
  }
  if (length > 0) yield line(false)
}

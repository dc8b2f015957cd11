import { RECORD_KINDS, type RecordKind } from '../model/records.js'
import { damaged, isObject, MAX_LINE_BYTES } from './format.js'
import { splitLines } from './lines.js'
import { decompressed } from './read.js'
import { type ArchiveEntry, decodeEntry } from './record.js'

/** A record of one kind, with its number among those. */
export interface Passed {
  /** Counted from 1. */
  readonly number: number
  readonly bytes: number
  readonly entry: ArchiveEntry
}

export interface PassOptions {
  readonly kind: RecordKind
  /** So many of the kind are passed over. */
  readonly skip: number
  /** Whether messages whose line names no holder are given the user of their conversation. */
  readonly holders: boolean
}

const BEGINNING = '{"kind":"'
const QUOTE = 0x22

/** What stands in a line, told by its beginning where it is spelled as we spell it. */
function kindOf(line: Buffer): string | null {
  if (line.toString('latin1', 0, BEGINNING.length) === BEGINNING) {
    const kind = line.toString('latin1', BEGINNING.length, line.indexOf(QUOTE, BEGINNING.length))
    if (RECORD_KINDS.includes(kind as RecordKind)) return kind
  }
  const value: unknown = JSON.parse(line.toString())
  return isObject(value) && typeof value.kind === 'string' ? value.kind : null
}

/** Users of the conversations that passed by; a user's name is kept once. */
class Holders {
  readonly #names = new Map<string, string>()
  readonly #users = new Map<string, string>()

  add({ tenantId, id, userId }: { readonly tenantId: string; readonly id: string; readonly userId: string }): void {
    const name = this.#names.get(userId) ?? userId
    this.#names.set(name, name)
    this.#users.set(JSON.stringify([tenantId, id]), name)
  }

  of(tenantId: string, conversationId: string): string | undefined {
    return this.#users.get(JSON.stringify([tenantId, conversationId]))
  }
}

/**
 * The records of one kind, of an archive that was held against its manifest before. Compressed text cannot be entered in
 * the middle: all that stands before is read, but only what is asked for is parsed.
 */
export async function* passOf(chunks: AsyncIterable<Buffer>, options: PassOptions): AsyncGenerator<Passed> {
  const { kind, skip } = options
  const holders = options.holders && kind === 'message' ? new Holders() : null
  let number = 0
  for await (const line of splitLines(decompressed(chunks), MAX_LINE_BYTES)) {
    if (line.number === 1 || line.bytes === null) continue
    const found = kindOf(line.bytes)
    if (holders && found === 'conversation') {
      const entry = decodeEntry(JSON.parse(line.bytes.toString()))
      if (entry.kind === 'conversation') holders.add(entry.record)
    }
    if (found !== kind || ++number <= skip) continue
    const entry = decodeEntry(JSON.parse(line.bytes.toString()))
    if (entry.kind !== kind) throw damaged(`line ${line.number} names two kinds`)
    yield { number, bytes: line.bytes.length, entry: held(entry, holders) }
  }
}

function held(entry: ArchiveEntry, holders: Holders | null): ArchiveEntry {
  if (!holders || entry.kind !== 'message' || entry.holder !== undefined) return entry
  const holder = holders.of(entry.record.tenantId, entry.record.conversationId)
  return holder === undefined ? entry : { ...entry, holder }
}

import type { LlmMessage } from '../contract/context.js'
import type { Document, MemoryEntry, Message } from '../model/records.js'
import { type CheckedContext, SHARES } from './query.js'
import type { Related } from './related.js'
import { type Count, OVERHEAD, tokensOf } from './tokens.js'

const MEMORIES = 'What is known about the user:'
const DOCUMENTS = 'From the documents:'
/** Tokens of what stands between two lines or paragraphs. */
const BREAK = 2

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
const memoryLine = ({ content }: MemoryEntry): string => `- ${oneLine(content)}`
const documentText = ({ namespace, id, content }: Document): string => `[${oneLine(`${namespace}/${id}`)}]\n${content}`
/** Two texts that differ in letter case and white space alone say the same. */
const normal = (text: string): string => oneLine(text).toLowerCase()

export interface Told {
  readonly memories: readonly MemoryEntry[]
  readonly documents: readonly Document[]
}

/** One system message with what was found, under plain headings; null where nothing was. */
export function toldMessage({ memories, documents }: Told): LlmMessage | null {
  const parts: string[] = []
  if (memories.length > 0) parts.push([MEMORIES, ...memories.map(memoryLine)].join('\n'))
  if (documents.length > 0) parts.push([DOCUMENTS, ...documents.map(documentText)].join('\n'))
  return parts.length === 0 ? null : { role: 'system', content: parts.join('\n\n') }
}

/** What some records would take together, counted no further than `most`. */
function need(count: Count, heading: string, texts: readonly string[], most: number): number {
  if (texts.length === 0) return 0
  let sum = OVERHEAD + count(heading) + BREAK
  for (const text of texts) {
    if (sum >= most) return most
    sum += count(text) + BREAK
  }
  return Math.min(sum, most)
}

export interface Needs {
  readonly memories: number
  readonly documents: number
}

/**
 * What is kept for memories and documents before older messages are chosen: their shares, or less where all of them
 * together need less. It never grows faster than the tokens do, so that more tokens never mean fewer messages.
 */
export function needsOf(count: Count, query: CheckedContext, related: Related, tokens: number): Needs {
  const shares = SHARES[query.strategy]
  // Rounded once: two parts that are rounded alone may grow by two for one token more.
  const both = Math.floor(tokens * (shares.memories + shares.documents))
  const ofDocuments = Math.floor(tokens * shares.documents)
  const memories = related.memories.slice(0, query.maxMemories).map(memoryLine)
  const documents = related.documents.slice(0, query.maxDocuments).map(documentText)
  return {
    memories: need(count, MEMORIES, memories, both - ofDocuments),
    documents: need(count, DOCUMENTS, documents, ofDocuments),
  }
}

/** Fills one part with what fits, best first; what is too large is passed over. */
class Part<T extends { readonly content: string }> {
  readonly #taken = new Set<T>()
  used = 0

  constructor(
    readonly count: Count,
    readonly heading: string,
    readonly records: readonly T[],
    readonly textOf: (record: T) => string,
    readonly most: number,
    readonly known: Set<string>,
  ) {}

  fill(tokens: number): void {
    for (const record of this.records) {
      if (this.#taken.size >= this.most) return
      const said = normal(record.content)
      if (this.known.has(said)) continue
      const heading = this.used === 0 ? OVERHEAD + this.count(this.heading) + BREAK : 0
      const size = heading + this.count(this.textOf(record)) + BREAK
      if (this.used + size > tokens) continue
      this.used += size
      this.known.add(said)
      this.#taken.add(record)
    }
  }

  /** Best first, whichever time they were taken. */
  get taken(): T[] {
    return this.records.filter((record) => this.#taken.has(record))
  }
}

/** As many memories and documents as the tokens allow; none twice, and none that a message says already. */
export function tell(
  count: Count,
  query: CheckedContext,
  related: Related,
  said: readonly Message[],
  needs: Needs,
  tokens: number,
): Told {
  const known = new Set(said.map(({ content }) => normal(content)))
  const { maxMemories, maxDocuments } = query
  const memories = new Part(count, MEMORIES, related.memories, memoryLine, maxMemories, known)
  const documents = new Part(count, DOCUMENTS, related.documents, documentText, maxDocuments, known)
  memories.fill(tokens - needs.documents)
  documents.fill(tokens - memories.used)
  memories.fill(tokens - documents.used)
  const told = { memories: memories.taken, documents: documents.taken }
  // Tokens of the whole may be more than those of its lines: a tokenizer may count as it likes.
  while (sizeOfTold(count, told) > tokens) (told.documents.length > 0 ? told.documents : told.memories).pop()
  return told
}

function sizeOfTold(count: Count, told: Told): number {
  const message = toldMessage(told)
  return message ? tokensOf(count, [message]) : 0
}

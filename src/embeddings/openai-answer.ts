import { ConfigurationError } from '../errors.js'
import { decodeVector } from './vector.js'

interface Row {
  readonly index?: unknown
  readonly embedding?: unknown
}

/** A vector as numbers, or as the base64 of its bytes: a service may answer either, whatever it was asked for. */
function numbersOf(embedding: unknown): unknown {
  if (typeof embedding !== 'string') return embedding
  const bytes = Buffer.from(embedding, 'base64')
  return bytes.length > 0 && bytes.length % 4 === 0 ? decodeVector(bytes) : null
}

/** Rows by their numbers; null where these are not 0, 1, 2 and so on, each once. */
function inOrder(rows: readonly (Row | null)[]): readonly (Row | null)[] | null {
  if (rows.every((row) => row?.index === undefined)) return rows
  const ordered = new Array<Row>(rows.length)
  for (const row of rows) {
    const at = row?.index
    if (!row || typeof at !== 'number' || !(at in rows) || at in ordered) return null
    ordered[at] = row
  }
  return ordered
}

/**
 * The vectors of an answer in the order of the texts, which need not be that of its rows; not checked themselves.
 *
 * @throws ConfigurationError for what is no such answer.
 */
export function vectorsOf(answer: unknown, model: string, wanted: number): unknown[] {
  const wrong = (what: string) => new ConfigurationError(`the embedding model ${model} answered ${what}`)
  const rows = (answer as { data?: unknown } | null | undefined)?.data
  if (!Array.isArray(rows)) throw wrong('no array of vectors')
  if (rows.length !== wanted) throw wrong(`${rows.length} vectors for ${wanted} texts`)
  const ordered = inOrder(rows)
  if (ordered === null) throw wrong('rows that are not numbered one after the other')
  return ordered.map((row) => numbersOf(row?.embedding))
}

/** Whether an answer was no JSON although all of it came: one that was cut off is worth another attempt. */
export const isNoJson = (error: unknown): boolean =>
  error instanceof SyntaxError && !/^Unterminated|^Unexpected end/.test(error.message)

import type { Analyzer } from '../search/analyzer.js'
import { printable } from './format.js'

const WORD = /[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu
/** Of a long content, only this much is looked through for the best place. */
const SEARCHED = 200_000

/** Where words that the search found stand, as offsets. */
function matches(text: string, terms: ReadonlySet<string>, analyzer: Analyzer): [number, number][] {
  const found: [number, number][] = []
  const known = new Map<string, boolean>()
  for (const match of text.matchAll(WORD)) {
    const [word] = match
    let hit = known.get(word)
    if (hit === undefined) {
      hit = analyzer.queryTerms(word).some((term) => terms.has(term.text))
      known.set(word, hit)
    }
    if (hit) found.push([match.index, match.index + word.length])
  }
  return found
}

/** The stretch of `width` characters that holds most of the found words. */
function bestStart(found: readonly (readonly [number, number])[], width: number): number {
  let best = 0
  let most = 0
  let first = 0
  for (const [i, [, end]] of found.entries()) {
    while (end - (found[first]?.[0] ?? 0) > width) first++
    if (i - first + 1 > most) {
      most = i - first + 1
      best = found[first]?.[0] ?? 0
    }
  }
  return best
}

export interface SnippetOptions {
  /** Characters, about. */
  readonly width: number
  readonly mark: (word: string) => string
}

/** The part of a text that shows best why it was found, on one line, with the found words marked. */
export function snippet(
  content: string,
  terms: readonly string[],
  analyzer: Analyzer,
  options: SnippetOptions,
): string {
  const text = content.slice(0, SEARCHED)
  const found = matches(text, new Set(terms), analyzer)
  const lead = Math.floor(options.width / 5)
  let start = Math.max(0, Math.min(bestStart(found, options.width - lead) - lead, text.length - options.width))
  // Not in the middle of a word, or of a character that takes two units.
  if (start > 0) start = Math.max(0, text.indexOf(' ', start) + 1 || start)
  let end = Math.min(text.length, start + options.width)
  if (end < text.length)
    end = Math.max(start + 1, text.lastIndexOf(' ', end) > start ? text.lastIndexOf(' ', end) : end)
  let shown = start > 0 ? '… ' : ''
  let at = start
  for (const [from, to] of found) {
    if (from < start || to > end) continue
    shown += `${printable(text.slice(at, from))}${options.mark(printable(text.slice(from, to)))}`
    at = to
  }
  return `${shown}${printable(text.slice(at, end).toWellFormed())}${end < content.length ? ' …' : ''}`
}

import type { QueryTerm } from './analyzer.js'

/** A text to be ranked: a candidate of the index, or a neighbour of one. */
export interface RankedText {
  readonly seq: number
  /** Texts of one group stand in an order, and near ones lend each other their words; null: it stands alone. */
  readonly group: string | null
  readonly position: number
  /** As the analyzer made it: the tenant's token, then terms between spaces. */
  readonly searchText: string
  /** Terms of what it stands under, such as a conversation's title; they count at `LABEL_WEIGHT`. */
  readonly label: ReadonlySet<string> | null
}

/** How often terms occur in the tenant. */
export interface TermStatistics {
  /** How many texts there are. */
  readonly total: number
  /** In how many of them each term of the query occurs, in the query's order. */
  readonly frequencies: readonly number[]
}

/** What one term of the query brings. */
export interface TermScore {
  readonly term: string
  /** In how many of the tenant's texts it occurs. */
  readonly documents: number
  /** Inverse document frequency: ln(1 + (N - n + 0.5) / (n + 0.5)). */
  readonly idf: number
  /** Its part of the sum. */
  readonly part: number
  /** Where it was found: 0 in the text itself, -1 in the one before, null in the label. */
  readonly distance: number | null
}

export interface TextScore {
  readonly seq: number
  /** The sum over the query's words. */
  readonly bm25: number
  /** The sum in [0, 1): a text that has every word once is near 0.5. */
  readonly score: number
}

// Tuned on long conversations; the constants of BM25 itself are Robertson's k1, and a b for texts as short as a turn.
const K1 = 1.2
const B = 0.3
/** What a word in the n-th turn before or after is worth; nothing beyond. */
const NEIGHBOURS = [1, 0.5, 0.4, 0.3, 0.2, 0.1]
export const NEIGHBOURHOOD = NEIGHBOURS.length - 1
/** A word counts where it is worth most; what it adds in other turns of the neighbourhood counts this much. */
const REPEATED = 0.3
export const LABEL_WEIGHT = 0.3

interface Counted extends RankedText {
  /** BM25 of each term in this text alone. */
  readonly parts: Float64Array
}

/** Words of the query, each as the indexes of its terms: one term, or several where stems of languages differ. */
function wordsOf(terms: readonly QueryTerm[]): number[][] {
  const words = new Map<number, number[]>()
  terms.forEach(({ word }, i) => {
    const same = words.get(word)
    if (same) same.push(i)
    else words.set(word, [i])
  })
  return [...words.values()]
}

/** BM25 over a tenant's own statistics, in which a text also has its neighbours' words at a lower weight. */
export class Ranking {
  readonly idf: readonly number[]
  readonly #exact = new Map<string, number>()
  readonly #prefixes: readonly number[]
  readonly #words: readonly (readonly number[])[]
  readonly #most: number
  readonly #groups: ReadonlyMap<string, readonly Counted[]>
  readonly #alone: readonly Counted[]

  constructor(
    readonly terms: readonly QueryTerm[],
    readonly statistics: TermStatistics,
    texts: readonly RankedText[],
    readonly neighbours: boolean,
  ) {
    this.idf = terms.map((_, i) => {
      const n = Math.min(statistics.frequencies[i] ?? 0, statistics.total)
      return Math.log(1 + (statistics.total - n + 0.5) / (n + 0.5))
    })
    terms.forEach(({ text, prefix }, i) => {
      if (!prefix) this.#exact.set(text, i)
    })
    this.#prefixes = terms.flatMap(({ prefix }, i) => (prefix ? [i] : []))
    this.#words = wordsOf(terms)
    this.#most = this.#words.reduce((sum, word) => sum + Math.max(...word.map((t) => this.idf[t] as number)), 0)
    const counted = this.#count(texts)
    this.#alone = counted.filter((text) => text.group === null || !neighbours)
    this.#groups = grouped(counted.filter((text) => text.group !== null && neighbours))
  }

  /** Best first; of equals the newest. Texts without any word of the query are left out. */
  ranked(): TextScore[] {
    const scores: TextScore[] = []
    const add = (text: Counted, near: readonly Counted[], index: number) => {
      const bm25 = this.#words.reduce((sum, word) => sum + this.#word(word, text, near, index).part, 0)
      if (bm25 > 0) scores.push({ seq: text.seq, bm25, score: bm25 / (bm25 + this.#most) })
    }
    for (const text of this.#alone) add(text, [text], 0)
    for (const group of this.#groups.values()) for (const [i, text] of group.entries()) add(text, group, i)
    return scores.sort((a, b) => b.bm25 - a.bm25 || b.seq - a.seq)
  }

  /** What each word brings to one text. */
  explain(seq: number): TermScore[] {
    const find = (texts: readonly Counted[]): TermScore[] | null => {
      const index = texts.findIndex((text) => text.seq === seq)
      if (index < 0) return null
      const text = texts[index] as Counted
      const near = text.group === null || !this.neighbours ? [text] : texts
      return this.#words.flatMap((word) => {
        const { part, term, distance } = this.#word(word, text, near, near === texts ? index : 0)
        const documents = this.statistics.frequencies[term] ?? 0
        return part > 0
          ? [{ term: this.terms[term]?.text ?? '', documents, idf: this.idf[term] ?? 0, part, distance }]
          : []
      })
    }
    for (const texts of [this.#alone, ...this.#groups.values()]) {
      const found = find(texts)
      if (found) return found
    }
    return []
  }

  #word(word: readonly number[], text: Counted, near: readonly Counted[], index: number) {
    let best = { part: 0, term: word[0] as number, distance: 0 as number | null }
    for (const term of word) {
      const { part, distance } = this.#near(term, text, near, index)
      if (part > best.part) best = { part, term, distance }
      const { text: label } = this.terms[term] as QueryTerm
      const labelled = LABEL_WEIGHT * (this.idf[term] as number)
      if (labelled > best.part && text.label?.has(label)) best = { part: labelled, term, distance: null }
    }
    return best
  }

  #near(term: number, text: Counted, near: readonly Counted[], index: number) {
    let most = 0
    let sum = 0
    let distance = 0
    const look = (i: number): boolean => {
      const other = near[i] as Counted
      const away = other.position - text.position
      const weight = NEIGHBOURS[Math.abs(away)]
      if (weight === undefined) return false
      const value = weight * (other.parts[term] as number)
      sum += value
      if (value > most) {
        most = value
        distance = away
      }
      return true
    }
    for (let i = index; i >= 0 && look(i); i--);
    for (let i = index + 1; i < near.length && look(i); i++);
    return { part: (1 - REPEATED) * most + REPEATED * sum, distance }
  }

  #count(texts: readonly RankedText[]): Counted[] {
    const counts = texts.map((text) => this.#frequencies(text.searchText))
    const mean = counts.reduce((sum, { length }) => sum + length, 0) / Math.max(1, counts.length)
    return texts.map((text, i) => {
      const { found, length } = counts[i] as { found: Float64Array; length: number }
      const long = K1 * (1 - B + (B * length) / Math.max(1, mean))
      const parts = found.map((f, t) => (f === 0 ? 0 : ((this.idf[t] as number) * f * (K1 + 1)) / (f + long)))
      return { ...text, parts }
    })
  }

  #frequencies(text: string): { readonly found: Float64Array; readonly length: number } {
    const found = new Float64Array(this.terms.length)
    let length = -1
    // The first is the tenant's token.
    for (const term of text.split(' ')) {
      if (length++ < 0) continue
      const i = this.#exact.get(term)
      if (i !== undefined) found[i] = (found[i] as number) + 1
      for (const p of this.#prefixes)
        if (term.startsWith((this.terms[p] as QueryTerm).text)) found[p] = (found[p] as number) + 1
    }
    return { found, length: Math.max(1, length) }
  }
}

function grouped(texts: readonly Counted[]): ReadonlyMap<string, readonly Counted[]> {
  const groups = new Map<string, Counted[]>()
  for (const text of texts) {
    const group = groups.get(text.group as string)
    if (group) group.push(text)
    else groups.set(text.group as string, [text])
  }
  for (const group of groups.values()) group.sort((a, b) => a.position - b.position)
  return groups
}

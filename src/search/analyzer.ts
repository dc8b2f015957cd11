import { createHash } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import { suggestion } from '../model/parse.js'
import { LANGUAGES, type Language, loadLanguage } from './languages.js'

/** How `search_text` was made. A store is searched only with the analyzer that wrote it. */
export interface AnalyzerRecord {
  readonly stemmer: string
  /** Changes whenever the stems do, whatever the package's version says. */
  readonly stemmerVersion: string
  readonly language: string
  readonly cjk: string
}

export interface QueryTerm {
  readonly text: string
  /** Also matches longer terms: a single character of a script written without spaces. */
  readonly prefix: boolean
  /** Terms with the same number are one word in the stems of different languages: it counts once. */
  readonly word: number
}

export interface Analyzer {
  readonly record: AnalyzerRecord
  /**
   * The text that is indexed, of one or more fields: the tenant's token, then terms between spaces. The index puts the
   * token in front of each term. At most 250,000 characters, and a million bytes with the tokens.
   */
  searchText(tenantId: string, ...fields: readonly (string | null)[]): string
  /** The distinct terms of a question without its stop words (all of its words where it has no others), at most 64. */
  queryTerms(text: string): readonly QueryTerm[]
  tenantToken(tenantId: string): string
}

// PostgreSQL's tsvector holds a little over a million bytes; the same cut in both engines gives the same hits.
const MAX_TEXT = 250_000
const MAX_INDEXED_BYTES = 1_000_000
export const TENANT_TOKEN_LENGTH = 8
const MAX_TERM = 64
const MAX_QUERY_TERMS = 64
/** Longest part of a query that is read: more words than this change nothing about 64 terms. */
const MAX_QUERY_TEXT = 20_000

const WORD = /[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu
const UNSPACED = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}]/u
const UNSPACED_RUNS = new RegExp(`${UNSPACED.source}+|[^]+?(?=${UNSPACED.source}|$)`, 'gu')
const MARKS = /\p{M}+/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range is what is meant
const ASCII = /^[\x00-\x7f]*$/

function normalize(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').replace(MARKS, '')
}

/** Letters only, so that every tokenizer keeps a term whole that begins with it. */
function makeTenantToken(tenantId: string): string {
  const hash = createHash('sha256').update(tenantId).digest()
  let token = ''
  for (let i = 0; i < TENANT_TOKEN_LENGTH; i++)
    token += String.fromCharCode(97 + ((hash.readUInt16BE(i * 2) * 26) >>> 16))
  return token
}

/** A map that forgets what it saw first: stems and tokens are cheap to make again. */
class Recent<V> {
  readonly #map = new Map<string, V>()
  constructor(
    readonly max: number,
    readonly make: (key: string) => V,
  ) {}
  get(key: string): V {
    let value = this.#map.get(key)
    if (value === undefined) {
      value = this.make(key)
      if (this.#map.size >= this.max)
        for (const old of [...this.#map.keys()].slice(0, this.max >> 1)) this.#map.delete(old)
      this.#map.set(key, value)
    }
    return value
  }
}

/** Two neighbouring characters at a time, and the last one alone, so that any single one is the start of a term. */
function bigrams(run: string, into: string[], last: boolean): void {
  const chars = Array.from(run)
  for (let i = 0; i + 1 < chars.length; i++) into.push(`${chars[i]}${chars[i + 1]}`)
  const end = chars.at(-1)
  if (last && end !== undefined) into.push(end)
}

/** As many whole terms as the index takes, each with the tenant's token in front. */
function cut(terms: readonly string[]): string {
  const text = terms.join(' ')
  const tokens = terms.length * (TENANT_TOKEN_LENGTH + 1)
  if (text.length <= MAX_TEXT && text.length * 3 + tokens <= MAX_INDEXED_BYTES) return text
  let end = 0
  let bytes = 0
  for (const term of terms) {
    bytes += Buffer.byteLength(term) + TENANT_TOKEN_LENGTH + 1
    if (end + term.length > MAX_TEXT || bytes > MAX_INDEXED_BYTES) break
    end += term.length + 1
  }
  return text.slice(0, end - 1)
}

class StemmingAnalyzer implements Analyzer {
  readonly record: AnalyzerRecord
  readonly #stems: Recent<string>
  readonly #tokens = new Recent(10_000, makeTenantToken)

  constructor(
    readonly name: string,
    readonly language: Language,
  ) {
    this.#stems = new Recent(50_000, (word) => this.#stem(word))
    this.record = {
      stemmer: '@orama/stemmers',
      // The second part changes with what is indexed: 2 has the tenant in every term, names, tags and titles.
      stemmerVersion: `${fingerprint(language)}-2`,
      language: name,
      cjk: 'bigrams-1',
    }
  }

  tenantToken = (tenantId: string): string => this.#tokens.get(tenantId)

  searchText(tenantId: string, ...fields: readonly (string | null)[]): string {
    const terms: string[] = [this.#tokens.get(tenantId)]
    // What is past the cut would not be indexed: it need not be read either.
    for (const field of fields)
      if (field) for (const [word] of normalize(field.slice(0, MAX_TEXT)).matchAll(WORD)) this.#terms(word, terms, true)
    return cut(terms)
  }

  queryTerms(text: string): readonly QueryTerm[] {
    const words = Array.from(normalize(text.slice(0, MAX_QUERY_TEXT)).matchAll(WORD), ([word]) => word)
    const telling = words.filter((word) => !this.language.stopWords.has(word))
    const terms = new Map<string, QueryTerm>()
    const add = (text: string, prefix: boolean, word: number) => {
      if (!terms.has(text)) terms.set(text, { text, prefix, word })
    }
    for (const [i, word] of (telling.length > 0 ? telling : words).entries()) {
      const made: string[] = []
      this.#terms(word, made, false)
      made.forEach((term, j) => {
        add(term, false, i * MAX_QUERY_TEXT + j)
      })
      if (made.length === 0 && UNSPACED.test(word)) add(word, true, i * MAX_QUERY_TEXT)
      if (terms.size >= MAX_QUERY_TERMS) break
    }
    return [...terms.values()].slice(0, MAX_QUERY_TERMS)
  }

  #terms(word: string, into: string[], last: boolean): void {
    if (ASCII.test(word) || !UNSPACED.test(word)) this.#push(this.#stems.get(word), into)
    else
      for (const [run] of word.matchAll(UNSPACED_RUNS))
        if (UNSPACED.test(run)) bigrams(run, into, last)
        else this.#push(this.#stems.get(run), into)
  }

  #push(term: string, into: string[]): void {
    if (term !== '') into.push(term)
  }

  #stem(word: string): string {
    const plain = word.replace(/['’]s$/u, '').replace(/['’]/gu, '')
    // A very long run is a hash or a URL, not a word.
    return plain.length > MAX_TERM ? plain.slice(0, MAX_TERM) : this.language.stem(plain)
  }
}

const PROBES = (
  'running runner runs ran easily fairly conversation conversations memories memory generously relational happiness ' +
  'nationalize häuser gegangen schönste freundlichkeit vergessen chevaux mangeaient heureusement corriendo rápidamente ' +
  'canciones correndo felicidade andiamo velocemente löpande hundarna бегущий книги kirjoista'
).split(' ')

const fingerprint = (language: Language): string =>
  createHash('sha256').update(PROBES.map(language.stem).join(' ')).digest('hex').slice(0, 12)

/** Writes nothing and finds nothing: a store that was opened without full-text search. */
const silent: Analyzer = {
  record: { stemmer: 'none', stemmerVersion: '0', language: 'none', cjk: 'none' },
  searchText: () => '',
  queryTerms: () => [],
  tenantToken: makeTenantToken,
}

/** Loads the stemmer and stop words of a language; `null` makes the analyzer that indexes nothing. */
export async function createAnalyzer(language: string | null): Promise<Analyzer> {
  if (language === null) return silent
  if (!Object.hasOwn(LANGUAGES, language))
    throw new ConfigurationError(
      `option language: "${language}" is not known${suggestion(language, Object.keys(LANGUAGES))}; ` +
        `known are ${Object.keys(LANGUAGES).join(', ')}`,
    )
  return new StemmingAnalyzer(language, await loadLanguage(language as keyof typeof LANGUAGES))
}

/** The analyzer of a store and those of the languages that its conversations name. */
export class Analyzers {
  readonly #made = new Map<string, Promise<Analyzer>>()
  constructor(readonly standard: Analyzer) {}

  /** Null means the store's own language. */
  async of(language: string | null): Promise<Analyzer> {
    const { record } = this.standard
    if (language === null || language === record.language || record.language === 'none') return this.standard
    let made = this.#made.get(language)
    if (made === undefined) {
      made = createAnalyzer(language)
      this.#made.set(language, made)
    }
    return made
  }
}

/** The terms of a question in several languages: stems of one word stand together, and each counts once. */
export function mergeTerms(lists: readonly (readonly QueryTerm[])[]): readonly QueryTerm[] {
  const terms = new Map<string, QueryTerm>()
  for (const list of lists) for (const term of list) if (!terms.has(term.text)) terms.set(term.text, term)
  return [...terms.values()].slice(0, MAX_QUERY_TERMS)
}

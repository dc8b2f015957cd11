import { LRUCache } from 'lru-cache'
import type { Tokenizer } from '../contract/context.js'
import { ConfigurationError } from '../errors.js'

export const ENCODINGS = ['o200k_base', 'cl100k_base'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** Characters counted in one go: merging a run without spaces costs the square of its length. */
const PIECE = 2000
const CACHE_CHARACTERS = 4_000_000

const LOADERS: {
  readonly [E in Encoding]: () => Promise<{ readonly countTokens: (text: string, options: object) => number }>
} = {
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
}
/** What looks like a control token in a text is text. */
const AS_TEXT = { disallowedSpecial: new Set<string>() }

async function encodingOf(name: Encoding): Promise<Tokenizer> {
  const { countTokens } = await LOADERS[name]()
  return { name, count: (text) => countTokens(text, AS_TEXT) }
}

/** Counts tokens, each text once. A text above 2,000 characters is counted in pieces: at most a token more for each cut. */
export class TokenCounter {
  #tokenizer: Promise<Tokenizer> | null = null
  readonly #known = new LRUCache<string, number>({
    maxSize: CACHE_CHARACTERS,
    sizeCalculation: (_, text) => text.length + 50,
  })

  /** The encoding's tables are loaded at the first count. */
  constructor(readonly given: Tokenizer | Encoding = 'o200k_base') {}

  async ready(): Promise<(text: string) => number> {
    this.#tokenizer ??= typeof this.given === 'string' ? encodingOf(this.given) : Promise.resolve(this.given)
    const tokenizer = await this.#tokenizer
    return (text) => this.#count(tokenizer, text)
  }

  #count(tokenizer: Tokenizer, text: string): number {
    if (text === '') return 0
    const known = this.#known.get(text)
    if (known !== undefined) return known
    let sum = 0
    for (let at = 0; at < text.length; at += PIECE) sum += checked(tokenizer, text.slice(at, at + PIECE))
    this.#known.set(text, sum)
    return sum
  }
}

function checked(tokenizer: Tokenizer, text: string): number {
  let count: unknown
  try {
    count = tokenizer.count(text)
  } catch (error) {
    throw new ConfigurationError('option tokenizer: it failed', { cause: error })
  }
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 0)
    throw new ConfigurationError('option tokenizer: count must answer a whole number of at least 0')
  return count
}

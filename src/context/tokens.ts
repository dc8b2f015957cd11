import type { LRUCache } from 'lru-cache'
import type { LlmMessage, Tokenizer } from '../contract/context.js'
import { ConfigurationError } from '../errors.js'

export const ENCODINGS = ['o200k_base', 'cl100k_base'] as const
export type Encoding = (typeof ENCODINGS)[number]
export type Count = (text: string) => number

/** Tokens of a message's frame, beside its texts. */
export const OVERHEAD = 4
const CACHE_CHARACTERS = 4_000_000
/** Of one text in the cache: larger ones would push out all the others. */
const CACHE_LARGEST = 400_000

const LOADERS: {
  readonly [E in Encoding]: () => Promise<{ readonly countTokens: (text: string, options: object) => number }>
} = {
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
}
/** What looks like a control token in a text is text. */
const AS_TEXT = { disallowedSpecial: new Set<string>() }

/** Characters of one kind that are merged in one go: the time grows with the square of their number. */
const LONGEST_RUN = 256
const RUNS = /[\p{L}\p{M}]{1,256}|\s{1,256}|[^\p{L}\p{M}\s]{1,256}/gu

/** The text, cut inside of runs of letters, blanks or signs above 256 characters; ordinary text is one piece. */
export function pieces(text: string): string[] {
  if (text.length <= LONGEST_RUN) return [text]
  const found: string[] = []
  let from = 0
  for (const { 0: run, index } of text.matchAll(RUNS)) {
    if (run.length < LONGEST_RUN) continue
    found.push(text.slice(from, index + run.length))
    from = index + run.length
  }
  if (from < text.length) found.push(text.slice(from))
  return found
}

async function encodingOf(name: Encoding): Promise<Count> {
  const { countTokens } = await LOADERS[name]()
  return (text) => pieces(text).reduce((sum, piece) => sum + countTokens(piece, AS_TEXT), 0)
}

/** Counts by an object that was handed in; what it answers is not trusted. */
function handedIn(tokenizer: Tokenizer): Count {
  return (text) => {
    let count: unknown
    try {
      count = tokenizer.count(text)
    } catch (error) {
      throw new ConfigurationError('option tokenizer: count() failed', { cause: error })
    }
    if (typeof count !== 'number' || !Number.isFinite(count) || count < 0)
      throw new ConfigurationError('option tokenizer: count() must answer a number of at least 0')
    return Math.ceil(count)
  }
}

/** Counts tokens, each text once as long as it is among the latest ones. */
export class TokenCounter {
  #ready: Promise<Count> | null = null

  constructor(readonly given: Tokenizer | Encoding = 'o200k_base') {}

  /** The encoding's tables are loaded at the first count. */
  ready(): Promise<Count> {
    this.#ready ??= this.#load().catch((error: unknown) => {
      this.#ready = null
      throw error
    })
    return this.#ready
  }

  async #load(): Promise<Count> {
    const { given } = this
    const count = typeof given === 'string' ? await encodingOf(given) : handedIn(given)
    const { LRUCache: Cache } = await import('lru-cache')
    const known: LRUCache<string, number> = new Cache({
      maxSize: CACHE_CHARACTERS,
      maxEntrySize: CACHE_LARGEST,
      sizeCalculation: (_, text) => text.length + 50,
    })
    return (text) => {
      if (text === '') return 0
      const found = known.get(text)
      if (found !== undefined) return found
      const tokens = count(text)
      known.set(text, tokens)
      return tokens
    }
  }
}

/** Of messages as a model API takes them; see `Context.tokens`. */
export function tokensOf(count: Count, messages: readonly LlmMessage[]): number {
  return messages.reduce((sum, { content, name, tool_calls, tool_call_id }) => {
    const calls = tool_calls === undefined ? 0 : count(JSON.stringify(tool_calls))
    return (
      sum + OVERHEAD + count(content) + (name ? count(name) + 1 : 0) + calls + (tool_call_id ? count(tool_call_id) : 0)
    )
  }, 0)
}

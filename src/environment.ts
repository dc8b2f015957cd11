import { createBackend } from './backend.js'
import type { Memory } from './contract/memory.js'
import type { CommonOptions } from './contract/options.js'
import { createMemory } from './create-memory.js'
import { ConfigurationError } from './errors.js'

const NAMES: Readonly<Record<string, string>> = {
  semantic: 'BRUNO_MEMORY_SEMANTIC_URL',
  cache: 'BRUNO_MEMORY_CACHE_URL',
  movingTo: 'BRUNO_MEMORY_MOVING_TO',
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Makes a memory as the environment says: `BRUNO_MEMORY_URL` is the primary's URL, `BRUNO_MEMORY_SEMANTIC_URL` and
 * `BRUNO_MEMORY_CACHE_URL` are those of what follows it, and `BRUNO_MEMORY_EMBEDDINGS` is what makes vectors, such as
 * `offline` or `text-embedding-3-small`. While the primary is moved by `transfer --online`, `BRUNO_MEMORY_MOVING_TO` is the
 * URL that it is moved to.
 *
 * @throws ConfigurationError where a variable is absent or wrong, by its name.
 */
export function createFromEnv(options: CommonOptions = {}, environment: Environment = process.env): Memory {
  const url = environment.BRUNO_MEMORY_URL
  if (!url) throw new ConfigurationError('BRUNO_MEMORY_URL is not set; for a start: sqlite:./memory.db')
  const { BRUNO_MEMORY_EMBEDDINGS, BRUNO_MEMORY_SEMANTIC_URL, BRUNO_MEMORY_CACHE_URL, BRUNO_MEMORY_MOVING_TO } =
    environment
  const given = BRUNO_MEMORY_EMBEDDINGS ? { embeddingFunction: BRUNO_MEMORY_EMBEDDINGS, ...options } : options
  const others = {
    ...(BRUNO_MEMORY_SEMANTIC_URL && { semantic: BRUNO_MEMORY_SEMANTIC_URL }),
    ...(BRUNO_MEMORY_CACHE_URL && { cache: BRUNO_MEMORY_CACHE_URL }),
    ...(BRUNO_MEMORY_MOVING_TO && { movingTo: BRUNO_MEMORY_MOVING_TO }),
  }
  try {
    return Object.keys(others).length > 0
      ? createMemory({ primary: url, ...others, ...given })
      : createBackend(url, given)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const names = ['BRUNO_MEMORY_URL', ...Object.keys(others).map((role) => NAMES[role] ?? role)]
    throw new ConfigurationError(`from the environment (${names.join(', ')}): ${error.message}`, { cause: error.cause })
  }
}

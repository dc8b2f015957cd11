import { createBackend } from './backend.js'
import type { Memory } from './contract/memory.js'
import type { CommonOptions } from './contract/options.js'
import { ConfigurationError } from './errors.js'

type Environment = Readonly<Record<string, string | undefined>>

/** What composes several backends is told by these; one backend alone has no use for them. */
const COMPOSED = ['BRUNO_MEMORY_CACHE_URL', 'BRUNO_MEMORY_SEMANTIC_URL'] as const

/**
 * Makes a memory as the environment says: `BRUNO_MEMORY_URL` is the backend's URL and `BRUNO_MEMORY_EMBEDDINGS` what
 * makes vectors, such as `offline` or `text-embedding-3-small`.
 *
 * @throws ConfigurationError where a variable is absent or wrong, by its name.
 */
export function createFromEnv(options: CommonOptions = {}, environment: Environment = process.env): Memory {
  const url = environment.BRUNO_MEMORY_URL
  if (!url) throw new ConfigurationError('BRUNO_MEMORY_URL is not set; for a start: sqlite:./memory.db')
  for (const name of COMPOSED)
    if (environment[name]) throw new ConfigurationError(`${name} is set, but several backends cannot be composed yet`)
  const embeddingFunction = environment.BRUNO_MEMORY_EMBEDDINGS
  try {
    return createBackend(url, embeddingFunction ? { embeddingFunction, ...options } : options)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(`from the environment (BRUNO_MEMORY_URL): ${error.message}`, { cause: error.cause })
  }
}

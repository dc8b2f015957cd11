import type { EmbeddingFunction } from '../contract/embedder.js'
import { ConfigurationError } from '../errors.js'
import { missingPackages } from './packages.js'

/** OpenAI's models with their dimensions. */
export const OPENAI_MODELS: Readonly<Record<string, number>> = {
  'text-embedding-3-small': 1536,
  'text-embedding-3-large': 3072,
  'text-embedding-ada-002': 1536,
}

/** How the service is called; the timeout in milliseconds. */
export interface OpenAiSettings {
  readonly model: string
  /** Asked of the service where it is not the model's own. */
  readonly dimensions: number | null
  readonly batchSize: number
  readonly timeout: number
  readonly apiKey?: string | undefined
  readonly baseUrl?: string | undefined
}

const PACKAGES = ['@langchain/openai', '@langchain/core']

async function loadClient(settings: OpenAiSettings): Promise<EmbeddingFunction> {
  const { OpenAIEmbeddings } = await import('@langchain/openai')
  const { model, dimensions, apiKey, baseUrl, batchSize, timeout } = settings
  return new OpenAIEmbeddings({
    model,
    batchSize,
    timeout,
    // Attempts are counted in one place, under one deadline.
    maxRetries: 0,
    stripNewLines: false,
    ...(dimensions !== null && { dimensions }),
    ...(apiKey !== undefined && { apiKey }),
    ...(baseUrl !== undefined && { configuration: { baseURL: baseUrl } }),
  })
}

/** The client's own complaint, before any request, is that it found no key. */
function withoutKey(error: unknown): unknown {
  if (!(error instanceof Error) || error.constructor.name !== 'OpenAIError') return error
  return new ConfigurationError('OpenAI’s models need the option embeddingApiKey, or OPENAI_API_KEY in the environment')
}

/** OpenAI's models, or those of a service that speaks its API. The client is loaded at its first use. */
export function openAiFunction(settings: OpenAiSettings, load = loadClient): EmbeddingFunction {
  const { apiKey, baseUrl } = settings
  // Where a header or a URL fails only later, the failure quotes it.
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey))
    throw new ConfigurationError('option embeddingApiKey: must be of visible ASCII characters')
  if (baseUrl !== undefined && !(URL.canParse(baseUrl) && /^https?:/i.test(baseUrl)))
    throw new ConfigurationError('option embeddingBaseUrl: must be a URL that begins with http:// or https://')
  let client: Promise<EmbeddingFunction> | null = null
  const ask = async <T>(call: (client: EmbeddingFunction) => Promise<T>): Promise<T> => {
    client ??= load(settings).catch((error) => {
      client = null
      throw missingPackages(`embeddingFunction "${settings.model}"`, PACKAGES, error)
    })
    const ready = await client
    try {
      return await call(ready)
    } catch (error) {
      throw withoutKey(error)
    }
  }
  return {
    embedDocuments: (texts) => ask((client) => client.embedDocuments(texts)),
    embedQuery: (text) => ask((client) => client.embedQuery(text)),
  }
}

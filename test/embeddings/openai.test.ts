import { inspect } from 'node:util'
import { FakeEmbeddings, SyntheticEmbeddings } from '@langchain/core/utils/testing'
import { OpenAIEmbeddings } from '@langchain/openai'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createEmbedder, type EmbedderSettings } from '../../src/embeddings/embedder.js'
import { openAiFunction } from '../../src/embeddings/openai.js'
import { ConfigurationError, ConnectionError, TimeoutError } from '../../src/errors.js'
import { failure } from './counting.js'
import { EmbeddingsServer, vectorOf } from './openai-server.js'

const apiKey = 'sk-test-4711-do-not-tell'
const made = (server: EmbeddingsServer, settings: Partial<EmbedderSettings> = {}) =>
  createEmbedder({ embeddingFunction: 'text-embedding-3-small', apiKey, baseUrl: server.url, ...settings })

afterEach(() => vi.unstubAllEnvs())

describe('a service that speaks OpenAI’s API', () => {
  test('is asked by the model’s name, with the key, in batches', async () => {
    await using server = await new EmbeddingsServer().start()
    const embedder = made(server, { embeddingBatchSize: 2 })
    expect(embedder).toMatchObject({ provider: 'openai', model: 'text-embedding-3-small', dimensions: 1536 })
    const texts = ['one', 'line\nbreak', 'one', 'three']
    expect(await embedder.embedDocuments(texts)).toEqual(texts.map((text) => vectorOf(text, 1536)))
    expect(await embedder.embedQuery('question')).toEqual(vectorOf('question', 1536))
    expect(server.asked.map(({ input }) => input)).toEqual([['one', 'line\nbreak'], ['three'], ['question']])
    for (const { authorization, model, dimensions } of server.asked)
      expect({ authorization, model, dimensions }).toEqual({
        authorization: `Bearer ${apiKey}`,
        model: 'text-embedding-3-small',
      })
  })

  test('may have the offline model behind it, whose vectors arrive as they are', async () => {
    const offline = createEmbedder({ embeddingFunction: 'offline' })
    await using server = await new EmbeddingsServer(
      (request) => (request === 1 ? { status: 429 } : null),
      (texts) => offline.embedDocuments(texts),
    ).start()
    const embedder = made(server, { embeddingFunction: 'openai:energetic-ai-en', embeddingBatchSize: 2 })
    const texts = ['The cat sleeps on the sofa.', 'Taxes are due in April.', 'We go by boat.']
    expect(await embedder.embedDocuments(texts)).toEqual(await offline.embedDocuments(texts))
    expect(embedder.dimensions).toBe(512)
    expect(server.asked.map(({ encoding }) => encoding)).toEqual(['base64', 'base64', 'base64'])
  })

  test('is given a key that nothing prints', async () => {
    await using server = await new EmbeddingsServer((request) => (request === 1 ? { status: 401 } : 'hang up')).start()
    const client = new OpenAIEmbeddings({ apiKey, maxRetries: 0, configuration: { baseURL: server.url } })
    for (const embedder of [made(server), made(server, { embeddingFunction: client })]) {
      const error = await failure(embedder.embedQuery('my secret'))
      for (const printed of [error, embedder]) {
        expect(inspect(printed, { depth: 20, showHidden: true })).not.toMatch(/sk-test|my secret/)
        expect(JSON.stringify(printed)).not.toMatch(/sk-test|my secret/)
      }
    }
  })

  test('is asked for fewer dimensions', async () => {
    await using server = await new EmbeddingsServer().start()
    const embedder = made(server, { embeddingFunction: 'text-embedding-3-large', embeddingDimensions: 256 })
    expect(embedder.dimensions).toBe(256)
    expect((await embedder.embedQuery('a')).length).toBe(256)
    expect(server.asked[0]?.dimensions).toBe(256)
  })

  test('may have models of any name', async () => {
    await using server = await new EmbeddingsServer().start()
    const embedder = made(server, { embeddingFunction: 'openai:nomic-embed-text' })
    expect(embedder).toMatchObject({ provider: 'openai', model: 'nomic-embed-text', dimensions: null })
    await embedder.embedQuery('a')
    expect(embedder.dimensions).toBe(1536)
  })

  test('with the wrong dimensions is refused', async () => {
    await using server = await new EmbeddingsServer().start()
    const error = await failure(made(server, { embeddingFunction: 'text-embedding-3-large' }).embedQuery('a'))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch('1536 dimensions instead of 3072')
    expect(server.asked).toHaveLength(1)
  })

  test('may be busy, broken or gone for two attempts', async () => {
    for (const fault of [{ status: 429 }, { status: 500 }, 'hang up'] as const) {
      await using server = await new EmbeddingsServer((request) => (request < 3 ? fault : null)).start()
      expect((await made(server).embedQuery('a')).length).toBe(1536)
      expect(server.asked).toHaveLength(3)
    }
  })

  test('that stays busy is asked three times, not more', async () => {
    await using server = await new EmbeddingsServer(() => ({ status: 429, message: 'slow down, "my text"' })).start()
    const error = await failure(made(server).embedDocuments(['my text']))
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error.message).toBe('the embedding model text-embedding-3-small failed (status 429)')
    expect(server.asked).toHaveLength(3)
  })

  test.each([400, 401, 403, 404])('that answers %i is not asked again, and its words are not ours', async (status) => {
    await using server = await new EmbeddingsServer(() => ({ status, message: `bad key ${apiKey}, my text` })).start()
    const error = await failure(made(server).embedDocuments(['my text']))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toBe(`the embedding model text-embedding-3-small refused the call (status ${status})`)
    expect(server.asked).toHaveLength(1)
  })

  test('that hangs is left at the deadline', async () => {
    await using server = await new EmbeddingsServer(() => 'hang').start()
    const error = await failure(made(server, { embeddingTimeout: 200 }).embedQuery('a'))
    expect(error).toBeInstanceOf(TimeoutError)
  })

  test('that answers something else fails without its words', async () => {
    await using server = await new EmbeddingsServer(() => 'garbage').start()
    const error = await failure(made(server).embedQuery('a'))
    expect([ConnectionError, ConfigurationError]).toContain(error.constructor)
    expect(error.message).not.toMatch('none')
  })

  test('is not asked without a key, and the key is asked for', async () => {
    vi.stubEnv('OPENAI_API_KEY', undefined)
    await using server = await new EmbeddingsServer().start()
    const error = await failure(made(server, { apiKey: undefined }).embedQuery('a'))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch(/embeddingApiKey.*OPENAI_API_KEY/)
    expect(server.asked).toEqual([])
  })
})

describe('settings of OpenAI’s models', () => {
  const named = (settings: Partial<EmbedderSettings>) => () =>
    createEmbedder({ embeddingFunction: 'text-embedding-ada-002', ...settings })

  test.each(['sk-a\nb', 'sk-ключ', ' sk', ''])('the key %j is refused without repeating it', (key) => {
    expect(named({ apiKey: key })).toThrow(ConfigurationError)
    expect(named({ apiKey: key })).toThrow(/^option embeddingApiKey: must be of visible ASCII characters$/)
  })

  test.each(['localhost:8080', 'file:///etc/passwd', 'not a url', ''])('the URL %j is refused', (baseUrl) => {
    expect(named({ baseUrl })).toThrow(/^option embeddingBaseUrl/)
  })

  test('dimensions that the model cannot have are refused', () => {
    expect(named({ embeddingDimensions: 512 })).toThrow(
      /embeddingDimensions: the model text-embedding-ada-002 has 1536/,
    )
    const small = named({ embeddingFunction: 'text-embedding-3-small', embeddingDimensions: 3072 })
    expect(small).toThrow(/embeddingDimensions: the model text-embedding-3-small has 1536/)
    expect(named({ embeddingDimensions: 1536 })().dimensions).toBe(1536)
    expect(named({ embeddingFunction: 'openai:mine', embeddingDimensions: 5 })().dimensions).toBe(5)
    expect(named({ embeddingFunction: 'offline', embeddingDimensions: 512 })().dimensions).toBe(512)
    expect(named({ embeddingFunction: 'offline', embeddingDimensions: 256 })).toThrow(/has 512/)
  })

  test('packages that are missing are told', async () => {
    const settings = { model: 'm', dimensions: null, batchSize: 64, timeout: 1000 }
    const embed = openAiFunction(settings, () =>
      Promise.reject(Object.assign(new Error('?'), { code: 'MODULE_NOT_FOUND' })),
    )
    await expect(createEmbedder({ embeddingFunction: embed }).embedQuery('a')).rejects.toMatchObject({
      code: 'configuration',
      message:
        'embeddingFunction "m" needs packages that are not installed: npm install @langchain/openai @langchain/core',
    })
  })
})

describe('a name', () => {
  test.each([
    ['oflline', 'did you mean "offline"?'],
    ['text-embeding-3-small', 'did you mean "text-embedding-3-small"?'],
    ['openai:', 'known are offline, text-embedding-3-small'],
    ['', 'openai:<model>'],
    ['toString', 'is not known'],
    ['__proto__', 'is not known'],
  ])('%j is refused with what is known', (name, told) => {
    const make = () => createEmbedder({ embeddingFunction: name })
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(told)
  })
})

describe('an instance of LangChain', () => {
  test('may be handed in', async () => {
    const embedder = createEmbedder({ embeddingFunction: new SyntheticEmbeddings({ vectorSize: 8 }) })
    expect(embedder).toMatchObject({ provider: 'langchain', model: 'unnamed', dimensions: null })
    const [cat] = await embedder.embedDocuments(['the cat sat', 'on the mat today'])
    expect(cat).toEqual(await embedder.embedQuery('the cat sat'))
    expect(embedder.dimensions).toBe(8)
    const fake = createEmbedder({ embeddingFunction: new FakeEmbeddings(), embeddingModel: 'fake' })
    expect(fake.model).toBe('fake')
    expect(await fake.embedQuery('a')).toEqual(new Float32Array([0.1, 0.2, 0.3, 0.4]))
  })

  test('of OpenAI’s client tells its model and dimensions', async () => {
    await using server = await new EmbeddingsServer().start()
    const client = new OpenAIEmbeddings({
      model: 'text-embedding-3-small',
      dimensions: 64,
      apiKey,
      maxRetries: 0,
      configuration: { baseURL: server.url },
    })
    const embedder = createEmbedder({ embeddingFunction: client })
    expect(embedder).toMatchObject({ provider: 'langchain', model: 'text-embedding-3-small', dimensions: 64 })
    expect(await embedder.embedQuery('a')).toEqual(vectorOf('a', 64))
  })
})

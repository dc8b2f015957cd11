import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { ConfigurationError, ConnectionError, TimeoutError } from '../../src/errors.js'
import { counting, failure, lengths } from './counting.js'

const never = () => new Promise<never>(() => {})
const unhandled: unknown[] = []
const keep = (reason: unknown) => void unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', keep)
})
afterEach(async () => {
  await sleep(20)
  process.off('unhandledRejection', keep)
  expect(unhandled).toEqual([])
})

describe('a function that throws', () => {
  test('is asked three times, and its words stay in the cause', async () => {
    const thrown = new Error('could not embed "my secret" with key sk-12345678')
    const given = counting(() => {
      throw thrown
    })
    const error = await failure(createEmbedder({ embeddingFunction: given }).embedDocuments(['my secret']))
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error).toMatchObject({ retryable: true, cause: thrown })
    expect(error.message).toBe('the embedding model unnamed failed')
    expect(inspect(Object.assign(error, { cause: undefined }))).not.toMatch(/secret|sk-/)
    expect(given.calls).toHaveLength(3)
  })

  test('before it makes a promise is no different', async () => {
    let asked = 0
    const ask = () => {
      asked++
      throw new TypeError('at once')
    }
    const embedder = createEmbedder({ embeddingFunction: { embedDocuments: ask, embedQuery: ask } })
    expect(await failure(embedder.embedQuery('a'))).toBeInstanceOf(ConnectionError)
    expect(asked).toBe(3)
  })

  test.each([null, undefined, 'text', Symbol('s'), 0])('%o is a failure as well', async (thrown) => {
    const given = counting(() => Promise.reject(thrown))
    expect(await failure(createEmbedder({ embeddingFunction: given }).embedQuery('a'))).toBeInstanceOf(ConnectionError)
    expect(given.calls).toHaveLength(3)
  })

  test('twice is forgiven', async () => {
    const given = counting((texts, call) => {
      if (call < 3) throw Object.assign(new Error('busy'), { status: 503 })
      return lengths(texts)
    })
    const [vector] = await createEmbedder({ embeddingFunction: given }).embedDocuments(['abc'])
    expect(vector?.[0]).toBe(3)
    expect(given.calls).toEqual([['abc'], ['abc'], ['abc']])
  })

  const STATUSES: readonly (readonly [object, number])[] = [
    [{ status: 500 }, 3],
    [{ status: 429 }, 3],
    [{ status: 408 }, 3],
    [{ status: 401 }, 1],
    [{ status: 400 }, 1],
    [{ statusCode: 404 }, 1],
    [{ response: { status: 413 } }, 1],
    [{ code: '403' }, 1],
    [{ code: 422 }, 1],
    [{ code: 'ECONNRESET' }, 3],
    [{ status: 'bad', code: 'invalid_api_key', response: null }, 3],
  ]
  test.each(STATUSES)('with %j is asked %i times', async (fields, times) => {
    const given = counting(() => {
      throw Object.assign(new Error('no'), fields)
    })
    const error = await failure(createEmbedder({ embeddingFunction: given }).embedQuery('a'))
    expect(error).toBeInstanceOf(times === 1 ? ConfigurationError : ConnectionError)
    expect(given.calls).toHaveLength(times)
  })
})

describe('a function that hangs', () => {
  test('is left at the deadline, and asked again by the next call', async () => {
    const given = counting((texts, call) => (call === 1 ? never() : lengths(texts)))
    const embedder = createEmbedder({ embeddingFunction: given, embeddingTimeout: 60 })
    const error = await failure(embedder.embedQuery('hello'))
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error.message).toBe('the embedding model unnamed did not answer within 60 ms')
    expect(given.calls).toHaveLength(1)
    expect((await embedder.embedQuery('hello'))[0]).toBe(5)
  })

  test('and fails after the deadline troubles nobody', async () => {
    const given = counting(async () => {
      await sleep(80)
      throw new Error('late')
    })
    const embedder = createEmbedder({ embeddingFunction: given, embeddingTimeout: 30 })
    expect(await failure(embedder.embedDocuments(['a']))).toBeInstanceOf(TimeoutError)
    await sleep(1500)
    expect(given.calls).toHaveLength(1)
  })

  test('has one deadline for all attempts, and no attempt after it', async () => {
    const given = counting(() => {
      throw new Error('at once')
    })
    // Shorter than any pause between two attempts.
    const embedder = createEmbedder({ embeddingFunction: given, embeddingTimeout: 40 })
    expect(await failure(embedder.embedQuery('a'))).toBeInstanceOf(TimeoutError)
    const until = given.calls.length
    await sleep(1500)
    expect(given.calls).toHaveLength(until)
  })

  test('holds no other call up', async () => {
    const given = counting((texts, call) => (call === 1 ? never() : lengths(texts)))
    const embedder = createEmbedder({ embeddingFunction: given, embeddingTimeout: 300 })
    const hanging = failure(embedder.embedQuery('one'))
    expect((await embedder.embedQuery('three'))[0]).toBe(5)
    expect(await hanging).toBeInstanceOf(TimeoutError)
  })
})

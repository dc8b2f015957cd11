import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { OpenAIEmbeddings } from '@langchain/openai'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createEmbedder, type EmbedderSettings } from '../../src/embeddings/embedder.js'
import { ConfigurationError, ConnectionError, TimeoutError } from '../../src/errors.js'
import { failure } from './counting.js'
import { EmbeddingsServer, type Failure, type Row, vectorOf } from './openai-server.js'

const apiKey = 'sk-test-4711-do-not-tell'
const TEXTS = ['my secret', 'another one of my secrets']
const QUOTING = `you sent "${TEXTS[0]}" with the key ${apiKey}`

const unhandled: unknown[] = []
const keep = (reason: unknown) => void unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', keep)
})
afterEach(async () => {
  vi.useRealTimers()
  await sleep(20)
  process.off('unhandledRejection', keep)
  expect(unhandled).toEqual([])
})

const made = (server: EmbeddingsServer, settings: Partial<EmbedderSettings> = {}) =>
  createEmbedder({ embeddingFunction: 'text-embedding-3-small', apiKey, baseUrl: server.url, ...settings })
/** A server that fails so for the first requests. */
const failing = (how: Failure, times = Number.POSITIVE_INFINITY) =>
  new EmbeddingsServer((request) => (request <= times ? how : null)).start()

/** Neither the text nor the key, however the error is looked at. */
function tellsNothing(error: Error): void {
  const SECRETS = /secret|sk-test/
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    expect(`${each.message} ${each.stack} ${JSON.stringify(each)}`).not.toMatch(SECRETS)
  }
  expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(SECRETS)
}

const rows = (change: (rows: Row[]) => unknown): Failure => ({ rows: change })
/** The same rows with the first one's vector as numbers, changed. */
const numbers = (change: (vector: unknown[]) => unknown): Failure =>
  rows((all) => all.map((row, i) => (i === 0 ? { ...row, embedding: change([...vectorOf('x', 1536)]) } : row)))
const bytes = (vector: Float32Array): string => Buffer.from(vector.buffer).toString('base64')
const html = `<html><body>Sign in to embed: ${QUOTING}</body></html>`

describe('an attempt follows', () => {
  // biome-ignore format: one case a line
  const PASSING: readonly (readonly [string, Failure])[] = [
    ['429', { status: 429, message: QUOTING }],
    ['429 with a time', { status: 429, message: QUOTING, headers: { 'retry-after': '1' } }],
    ['429 with a date', { status: 429, headers: { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' } }],
    ['500', { status: 500, message: QUOTING }],
    ['an answer that is cut off', 'cut'],
    ['an answer that is cut off as if it were whole', 'cut short'],
    ['a connection that is cut off', 'hang up'],
  ]
  test.each(PASSING)('%s, and it may succeed', async (_, how) => {
    await using server = await failing(how, 1)
    expect(await made(server).embedDocuments(TEXTS)).toEqual(TEXTS.map((text) => vectorOf(text, 1536)))
    expect(server.asked.map(({ input }) => input)).toEqual([TEXTS, TEXTS])
  })

  test.each(PASSING.filter(([name]) => name !== '429 with a time'))('%s, three in all', async (_, how) => {
    await using server = await failing(how)
    const error = await failure(made(server).embedDocuments(TEXTS))
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error).toMatchObject({ retryable: true })
    expect(error.message).toMatch(/^the embedding model text-embedding-3-small failed( \(status (429|500)\))?$/)
    tellsNothing(error)
    expect(server.asked).toHaveLength(3)
  })

  test.each([
    [{ 'retry-after': '1' }, 1000],
    [{ 'retry-after-ms': '700' }, 700],
  ])('not before the service wants it: %j', async (headers, wait) => {
    await using server = await failing({ status: 429, headers }, 1)
    await made(server).embedQuery('a')
    const [first, second] = server.times as [number, number]
    expect(second - first).toBeGreaterThanOrEqual(wait - 5)
    expect(server.asked).toHaveLength(2)
  })

  test('not at all where the service wants to be left alone for longer than a caller waits', async () => {
    await using server = await failing({ status: 429, message: QUOTING, headers: { 'retry-after': '60' } })
    const error = await failure(made(server).embedDocuments(TEXTS))
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error).toMatchObject({ retryable: true, cause: { status: 429, wait: 60_000 } })
    tellsNothing(error)
    expect(server.asked).toHaveLength(1)
  })
})

describe('one that is no use is refused, without another attempt:', () => {
  // biome-ignore format: one case a line
  const REFUSED: readonly (readonly [string, Failure, RegExp])[] = [
    ['401', { status: 401, message: QUOTING }, /refused the call \(status 401\)$/],
    ['wrong dimensions', rows((all) => all.map((row) => ({ ...row, embedding: bytes(vectorOf('x', 3)) }))), /3 dimensions instead of 1536$/],
    ['a missing row', rows((all) => all.slice(1)), /1 vectors for 2 texts$/],
    ['no rows', rows(() => []), /0 vectors for 2 texts$/],
    ['a row too many', rows((all) => [...all, ...all]), /4 vectors for 2 texts$/],
    ['an empty row', rows(([first]) => [first, null]), /not numbered one after the other$/],
    ['a row of a number twice', rows(([first]) => [first, first]), /not numbered one after the other$/],
    ['rows numbered from 1', rows((all) => all.map((row, i) => ({ ...row, index: i + 1 }))), /not numbered/],
    ['a row without its vector', rows((all) => all.map(({ index }) => ({ index }))), /vectors\[0\]: must be an array/],
    ['NaN', rows((all) => all.map((row) => ({ ...row, embedding: bytes(vectorOf('x', 1536).fill(Number.NaN, 7, 8)) }))), /vectors\[0\]\[7\]: must be a finite/],
    ['null in a vector', numbers((vector) => vector.with(3, null)), /vectors\[0\]\[3\]: must be a finite number/],
    ['NaN as text', { body: '{"data":[{"index":0,"embedding":[NaN,1]},{"index":1,"embedding":[1,1]}]}' }, /what is no JSON$/],
    ['what is no base64', rows((all) => all.map((row) => ({ ...row, embedding: TEXTS[0] }))), /vectors\[0\]: must be an array|dimensions/],
    ['HTML', { body: html, type: 'text/html' }, /no array of vectors$/],
    ['HTML that is called JSON', { body: html }, /what is no JSON$/],
    ['an error with the status 200', { body: JSON.stringify({ error: { message: QUOTING } }) }, /no array of vectors$/],
    ['nothing', { body: 'null' }, /no array of vectors$/],
    ['garbage', 'garbage', /no array of vectors$/],
  ]
  test.each(REFUSED)('%s', async (_, how, message) => {
    await using server = await failing(how)
    const error = await failure(made(server).embedDocuments(TEXTS))
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch(/^the embedding model text-embedding-3-small (answered|refused)/)
    expect(error.message).toMatch(message)
    tellsNothing(error)
    expect(server.asked).toHaveLength(1)
  })
})

describe('an answer is understood', () => {
  const vectors = TEXTS.map((text) => vectorOf(text, 1536))

  test('with its rows in any order', async () => {
    await using server = await failing(rows((all) => all.reverse()))
    expect(await made(server).embedDocuments(TEXTS)).toEqual(vectors)
  })

  test('without numbers on its rows', async () => {
    await using server = await failing(rows((all) => all.map(({ embedding }) => ({ embedding }))))
    expect(await made(server).embedDocuments(TEXTS)).toEqual(vectors)
    expect(await made(server).embedQuery('a')).toEqual(vectorOf('a', 1536))
  })

  test('with vectors as numbers, which were not asked for', async () => {
    const change = (all: Row[]) => all.map((row) => ({ ...row, embedding: floats(row.embedding) }))
    const floats = (text: unknown) => [...new Float32Array(Uint8Array.from(Buffer.from(String(text), 'base64')).buffer)]
    await using server = await failing(rows(change))
    expect(await made(server).embedDocuments(TEXTS)).toEqual(vectors)
  })
})

test('an answer that comes after the deadline troubles nobody, and the next call is a new one', async () => {
  await using server = await failing({ slow: 350 }, 1)
  const embedder = made(server, { embeddingTimeout: 200 })
  const error = await failure(embedder.embedDocuments(TEXTS))
  expect(error).toBeInstanceOf(TimeoutError)
  expect(error.message).toBe('the embedding model text-embedding-3-small did not answer within 200 ms')
  tellsNothing(error)
  await sleep(300)
  expect(server.asked).toHaveLength(1)
  expect(await embedder.embedQuery('a')).toEqual(vectorOf('a', 1536))
})

test.each([429, 500, 401])(
  'of the words of a client that was handed in, with %i, none is passed on',
  async (status) => {
    await using server = await failing({ status, message: QUOTING })
    const client = new OpenAIEmbeddings({ apiKey, maxRetries: 0, configuration: { baseURL: server.url } })
    const error = await failure(made(server, { embeddingFunction: client }).embedDocuments(TEXTS))
    tellsNothing(error)
    expect(error).toMatchObject({ cause: { name: 'ServiceFailure', status } })
  },
)

test('a code of the service is told', async () => {
  const body = JSON.stringify({ error: { message: QUOTING, code: 'insufficient_quota' } })
  const fetch = async () => new Response(body, { status: 403, headers: { 'x-request-id': 'req_0815' } })
  const client = new OpenAIEmbeddings({ apiKey, maxRetries: 0, configuration: { fetch } })
  const error = await failure(createEmbedder({ embeddingFunction: client }).embedQuery('my secret'))
  expect(error.cause).toMatchObject({ message: 'status 403, insufficient_quota', requestId: 'req_0815' })
  tellsNothing(error)
})

describe('a service that fails five calls in a row', () => {
  /** An embedder whose model was given up a moment ago. */
  async function givenUp(server: EmbeddingsServer) {
    vi.useFakeTimers({ toFake: ['Date'] })
    const embedder = made(server, { embeddingTimeout: 200 })
    for (let i = 0; i < 5; i++) expect(await failure(embedder.embedQuery(`${i}`))).toBeInstanceOf(TimeoutError)
    return { embedder, later: (ms: number) => vi.setSystemTime(Date.now() + ms) }
  }
  const LEFT_ALONE = /^the embedding model text-embedding-3-small failed 5 times in a row and is left alone for 10 s$/

  test('is left alone for ten seconds: no request is made', async () => {
    await using server = await failing('hang')
    const { embedder, later } = await givenUp(server)
    for (const ms of [0, 9900]) {
      later(ms)
      const error = await failure(embedder.embedDocuments(TEXTS))
      expect(error).toBeInstanceOf(ConnectionError)
      expect(error.message).toMatch(LEFT_ALONE)
      expect(error).toHaveProperty('retryable', true)
      expect(error.cause).toBeUndefined()
    }
    expect(server.asked).toHaveLength(5)
  })

  test('is tried once after that, and left alone again where it still fails', async () => {
    await using server = await failing('hang')
    const { embedder, later } = await givenUp(server)
    later(10_000)
    expect(await failure(embedder.embedQuery('once'))).toBeInstanceOf(TimeoutError)
    expect((await failure(embedder.embedQuery('again'))).message).toMatch(LEFT_ALONE)
    expect(server.asked).toHaveLength(6)
  })

  test('is asked as before when one call succeeded, and five more must fail', async () => {
    await using server = await new EmbeddingsServer((n) => (n <= 5 || n > 7 ? 'hang' : null)).start()
    const { embedder, later } = await givenUp(server)
    later(10_000)
    // One tries, and the other waits for how it goes.
    const both = await Promise.all([embedder.embedQuery('a'), embedder.embedQuery('b')])
    expect(both).toEqual([vectorOf('a', 1536), vectorOf('b', 1536)])
    expect(server.asked).toHaveLength(7)
    for (let i = 0; i < 5; i++) expect(await failure(embedder.embedQuery(`x${i}`))).toBeInstanceOf(TimeoutError)
    expect((await failure(embedder.embedQuery('y'))).message).toMatch(LEFT_ALONE)
    expect(server.asked).toHaveLength(12)
  })

  test('is not given up for calls that it refuses', async () => {
    await using server = await failing({ status: 400 })
    const embedder = made(server)
    for (let i = 0; i < 7; i++) expect(await failure(embedder.embedQuery(`${i}`))).toBeInstanceOf(ConfigurationError)
    expect(server.asked).toHaveLength(7)
  })
})

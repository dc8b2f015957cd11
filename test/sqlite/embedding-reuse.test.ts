import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { reembedSqlite } from '../../src/backends/sqlite/reembed.js'
import type { TenantMemory } from '../../src/contract/memory.js'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { vectorOf, wordModel } from '../conformance/vectors-fixtures.js'
import { manualClock } from '../support/clock.js'
import { matching, spyOnStatements } from './support/spy.js'
import { freshStore } from './support/store.js'

const remember = (tenant: TenantMemory, contents: readonly string[], user = 'ada') =>
  tenant.memories.addMany(contents.map((content) => ({ userId: user, content })))

test('a text that a record of the tenant has is not sent to the model again, whatever the kind of the record', async () => {
  await using store = freshStore()
  const model = wordModel()
  const memory = await store.open({ embeddingFunction: model })
  await remember(memory, ['a walnut', 'a cello'])
  await memory.settle()
  expect(model.texts.splice(0).sort()).toEqual(['a cello', 'a walnut'])
  await memory.documents.upsert([{ namespace: 'n', id: 'd', content: 'a walnut' }])
  await memory.messages.append('c', [{ role: 'user', content: 'a cello', id: 'm' }], { userId: 'bob' })
  await remember(memory, ['a walnut', 'the ferry'], 'bob')
  expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
  expect(model.texts).toEqual(['the ferry'])
  for (const [text, kind, id] of [
    ['nuts', 'document', 'd'],
    ['violin', 'message', 'm'],
  ] as const) {
    const [hit] = await memory.search({ text, mode: 'vector', kinds: [kind] })
    expect(hit?.record.id).toBe(id)
    expect(hit?.score).toBeGreaterThan(0.99)
  }
})

test('the same holds after the store was opened anew, and for equal texts of one batch', async () => {
  await using store = freshStore()
  for (const sent of [['a walnut', 'the ferry'], []]) {
    const model = wordModel()
    const memory = await store.open({ embeddingFunction: model })
    await remember(memory, ['a walnut', 'the ferry', 'a walnut', 'a walnut'])
    expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
    expect([...model.texts].sort()).toEqual(sent)
    await memory.close()
  }
  const db = new Sqlite(store.path, { readonly: true })
  const vectors = db.prepare('select count(*) as n, count(distinct vector) as different from bruno_embeddings').get()
  db.close()
  expect(vectors).toEqual({ n: 8, different: 2 })
})

test('of another tenant no vector is taken', async () => {
  await using store = freshStore()
  const model = wordModel()
  const memory = await store.open({ embeddingFunction: model })
  await remember(memory.forTenant('a'), ['a walnut'])
  await memory.settle()
  await remember(memory.forTenant('b'), ['a walnut'])
  await memory.settle()
  await remember(memory.forTenant('b'), ['a walnut'])
  await memory.settle()
  expect(model.texts).toEqual(['a walnut', 'a walnut'])
})

test('a vector that came with its record stays its own', async () => {
  await using store = freshStore()
  const model = wordModel()
  const memory = await store.open({ embeddingFunction: model })
  await memory.memories.add({ id: 'own', userId: 'ada', content: 'a walnut', vector: vectorOf('cello') })
  await memory.memories.add({ id: 'made', userId: 'ada', content: 'a walnut' })
  await memory.settle()
  expect(model.texts).toEqual(['a walnut'])
  const [hit] = await memory.search({ text: 'nuts', mode: 'vector', kinds: ['memory'] })
  expect(hit?.record.id).toBe('made')
})

test('of another space no vector is taken, and of its own none is made twice', async () => {
  await using store = freshStore()
  const memory = await store.open({ embeddingFunction: wordModel() })
  await remember(memory, ['a walnut', 'a walnut', 'the ferry'])
  await memory.settle()
  await memory.close()
  const model = wordModel('another')
  const embedder = createEmbedder({ embeddingFunction: model })
  const vectors = { embedder, metric: 'cosine', dimensions: null, model: 'records' } as const
  const report = await reembedSqlite({ databasePath: store.path, vectors, clock: Date.now, newId: () => 'me' })
  expect(report).toMatchObject({ vectors: 3, parked: 0, kept: 3 })
  expect([...model.texts].sort()).toEqual(['a walnut', 'the ferry'])
})

test('a damaged vector is made anew, not copied', async () => {
  await using store = freshStore()
  const model = wordModel()
  const memory = await store.open({ embeddingFunction: model })
  await remember(memory, ['a walnut'])
  await memory.settle()
  const db = new Sqlite(store.path)
  db.exec("update bruno_embeddings set vector = x'00'")
  db.close()
  await remember(memory, ['a walnut'])
  expect(await memory.settle()).toEqual({ pending: 0, parked: 0 })
  expect(model.texts).toEqual(['a walnut', 'a walnut'])
})

test('a model that is away holds no text up that was embedded before', async () => {
  await using store = freshStore()
  const model = wordModel()
  let away = false
  const embeddingFunction = {
    ...model,
    embedDocuments: async (texts: string[]) => {
      if (away) throw Object.assign(new Error('no'), { status: 500 })
      return model.embedDocuments(texts)
    },
  }
  const memory = await store.open({ embeddingFunction, embeddingTimeout: 50 })
  await remember(memory, ['a walnut'])
  await memory.settle()
  away = true
  await remember(memory, ['a walnut', 'the ferry'], 'bob')
  await memory.settle().catch(() => undefined)
  expect((await memory.search({ text: 'nuts', mode: 'vector', userId: 'bob', kinds: ['memory'] })).length).toBe(1)
})

test('a text that the model refuses is sent once for all records that have it', async () => {
  await using store = freshStore()
  const sent: string[] = []
  const embeddingFunction = {
    ...wordModel(),
    embedDocuments: async (texts: string[]) => {
      sent.push(...texts)
      if (texts.includes('refused')) throw Object.assign(new Error('no'), { status: 400 })
      return texts.map(vectorOf)
    },
  }
  // Its clock stands still: the next attempt is never due.
  const memory = await store.open({ embeddingFunction, clock: manualClock().now })
  await remember(memory, ['refused', 'refused', 'refused', 'a walnut'])
  await memory.settle()
  expect(sent.filter((text) => text === 'refused')).toHaveLength(2)
  expect((await memory.search({ text: 'nuts', mode: 'vector', kinds: ['memory'] })).length).toBe(1)
})

test('a batch looks once, by the index of the content', async () => {
  await using store = freshStore()
  using spy = spyOnStatements()
  const memory = await store.open({ embeddingFunction: wordModel() })
  spy.take()
  await remember(
    memory,
    Array.from({ length: 100 }, (_, i) => `walnut ${i % 60}`),
  )
  await memory.settle()
  const texts = spy.take()
  const looks = texts.filter((text) => text.includes('content_hash" = substr('))
  expect(matching(texts, /content_hash" = substr\(/)).toBe(1)
  const db = new Sqlite(store.path, { readonly: true })
  const steps = db
    .prepare<null[], { detail: string }>(`explain query plan ${looks[0]}`)
    .all(null, null, null)
    .map(({ detail }) => detail)
  db.close()
  const search = steps.filter((step) => /^(SEARCH|SCAN) .*bruno_/.test(step))
  expect(search).toEqual([
    'SEARCH bruno_embeddings USING INDEX bruno_embeddings_content (tenant_id=? AND space=? AND content_hash=?)',
  ])
})

import Sqlite from 'better-sqlite3'
import { beforeAll, describe, expect, test } from 'vitest'
import { reembedSqlite } from '../../src/backends/sqlite/reembed.js'
import { addVectorFunctions } from '../../src/backends/sqlite/vectors.js'
import { createEmbedder } from '../../src/embeddings/embedder.js'
import { decodeVector, encodeVector } from '../../src/embeddings/vector.js'
import { wordModel } from '../conformance/vectors-fixtures.js'
import { seeded } from '../support/random.js'
import { freshStore } from './support/store.js'

const ADA = 'ada'
const random = seeded(5)
const vectorOf = (dimensions: number) => Float32Array.from({ length: dimensions }, () => random() - 0.5)

const rows = (path: string, table: string): number => {
  const db = new Sqlite(path, { readonly: true })
  try {
    return Number(db.prepare(`select count(*) from ${table}`).pluck().get())
  } finally {
    db.close()
  }
}

describe('vectors in the file', () => {
  test('a vector that a record brings is kept bit for bit as 32-bit numbers', async () => {
    await using store = freshStore()
    const memory = await store.open({ embeddingDimensions: 4 })
    const given = [0.1, -1e-40, 3.4e38, 1 / 3]
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x', vector: given })
    const db = new Sqlite(store.path, { readonly: true })
    const stored = db.prepare('select vector from bruno_embeddings').pluck().get() as Buffer
    db.close()
    expect([...decodeVector(stored)]).toEqual(given.map(Math.fround))
  })

  test('leave with their records, sign bits and all, by whatever way these leave', async () => {
    await using store = freshStore()
    const memory = await store.open({ embeddingDimensions: 8 })
    const say = (id: string) => ({ id, role: 'user' as const, content: 'x', vector: vectorOf(8) })
    await memory.messages.append('a', [say('1'), say('2')], { userId: ADA })
    await memory.messages.append('b', [say('3')], { userId: 'bob' })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x', vector: vectorOf(8) })
    await memory.documents.upsert([{ namespace: 'n', id: 'd', content: 'x', vector: vectorOf(8) }])
    const counts = () => [rows(store.path, 'bruno_embeddings'), rows(store.path, 'bruno_embedding_bits')]
    expect(counts()).toEqual([5, 5])
    await memory.messages.delete('a', '1')
    expect(counts()).toEqual([4, 4])
    await memory.conversations.delete('a')
    expect(counts()).toEqual([3, 3])
    await memory.users.delete('bob')
    expect(counts()).toEqual([2, 2])
    await memory.documents.deleteNamespace('n')
    await memory.memories.delete('m')
    expect(counts()).toEqual([0, 0])
  })

  test('of a large range are looked at by their signs first, and the answer is that of all of them', async () => {
    await using store = freshStore()
    const memory = await store.open({ embeddingDimensions: 512, durability: 'process' })
    const many = Array.from({ length: 5000 }, (_, i) => ({
      id: `${i}`,
      userId: ADA,
      content: 'x',
      tags: [i % 50 === 0 ? 'rare' : 'common'],
      vector: vectorOf(512),
    }))
    await memory.memories.addMany(many)
    for (let i = 0; i < 5; i++) {
      const near = many[i * 900]?.vector.map((value) => value + (random() - 0.5) * 0.3) as Float32Array
      for (const tags of [undefined, ['rare']]) {
        const query = { vector: near, mode: 'vector', kinds: ['memory'], limit: 5, tags } as const
        const quick = await memory.search(query)
        const exact = await memory.search({ ...query, exact: true })
        expect(quick[0]?.record.id).toBe(exact[0]?.record.id)
        expect(quick.length).toBe(5)
      }
    }
  })

  test('that change, come from another process, or are taken back are seen as they are by the next look', async () => {
    await using store = freshStore()
    const memory = await store.open({ embeddingDimensions: 512, durability: 'process' })
    const other = await store.open({ embeddingDimensions: 512, durability: 'process' })
    const doc = (id: string, vector: Float32Array) => ({ namespace: 'n', id, content: id, vector })
    await memory.documents.upsert(Array.from({ length: 4200 }, (_, i) => doc(`${i}`, vectorOf(512))))
    const nearest = async (vector: Float32Array) =>
      (await memory.search({ vector, mode: 'vector', kinds: ['document'], limit: 1 }))[0]?.record.id
    const [moved, added, undone, late] = [vectorOf(512), vectorOf(512), vectorOf(512), vectorOf(512)]
    expect(await nearest(moved)).not.toBe('7')
    await other.documents.upsert([doc('7', moved), doc('added', added)])
    expect(await nearest(moved)).toBe('7')
    expect(await nearest(added)).toBe('added')
    const unit = memory.unitOfWork(async (inside) => {
      await inside.documents.upsert(doc('undone', undone))
      const [hit] = await inside.search({ vector: undone, mode: 'vector', kinds: ['document'], limit: 1 })
      expect(hit?.record.id).toBe('undone')
      throw new Error('no')
    })
    await expect(unit).rejects.toThrow('no')
    expect(await nearest(undone)).not.toBe('undone')
    // The number of the row that was taken back is given again.
    await memory.documents.upsert(doc('late', late))
    expect(await nearest(late)).toBe('late')
    await other.documents.delete('n', '7')
    expect(await nearest(moved)).not.toBe('7')
  })

  test('one that is damaged has no distance, and fails no search', async () => {
    await using store = freshStore()
    const memory = await store.open({ embeddingDimensions: 8 })
    for (const id of ['good', 'bad']) await memory.memories.add({ id, userId: ADA, content: 'x', vector: vectorOf(8) })
    const db = new Sqlite(store.path)
    db.exec("update bruno_embeddings set vector = x'010203' where record_id = 'bad'")
    db.close()
    const hits = await memory.search({ vector: vectorOf(8), mode: 'vector', kinds: ['memory'] })
    expect(hits.map((hit) => hit.record.id)).toEqual(['good'])
  })
})

describe('distances', () => {
  const native = new Sqlite(':memory:')
  const script = new Sqlite(':memory:')
  beforeAll(async () => {
    expect(await addVectorFunctions([native])).toBe(true)
    expect(await addVectorFunctions([script], false)).toBe(false)
    return () => {
      native.close()
      script.close()
    }
  })

  test.each(['vec_distance_cosine', 'vec_distance_l2'])('%s is the same without the extension', (name) => {
    for (let i = 0; i < 50; i++) {
      const [a, b] = [encodeVector(vectorOf(16)), encodeVector(vectorOf(16))]
      const of = (db: Sqlite.Database) => db.prepare(`select ${name}(?, ?)`).pluck().get(a, b) as number
      expect(of(script)).toBeCloseTo(of(native), 4)
    }
  })

  test('bits differ by as many without the extension', () => {
    const sql = 'select vec_distance_hamming(vec_bit(?), vec_bit(?))'
    for (let i = 0; i < 50; i++) {
      const [a, b] = [Buffer.from([random() * 255, random() * 255]), Buffer.from([random() * 255, random() * 255])]
      expect(script.prepare(sql).pluck().get(a, b)).toBe(native.prepare(sql).pluck().get(a, b))
    }
  })
})

describe('reembed', () => {
  const settings = (model: string) => ({
    embedder: createEmbedder({ embeddingFunction: wordModel(model) }),
    metric: 'cosine' as const,
    dimensions: null,
    model: 'records',
  })
  const run = (databasePath: string, model: string, dropOld = false) => {
    let n = 0
    const progress: number[] = []
    return reembedSqlite({
      databasePath,
      vectors: settings(model),
      dropOld,
      clock: Date.now,
      newId: () => `run-${n++}`,
      onProgress: ({ done }) => progress.push(done),
    }).then((report) => ({ report, progress }))
  }

  test('makes every vector anew in the space of another model, which opens the store from then on', async () => {
    await using store = freshStore()
    const memory = await store.open({ embeddingFunction: wordModel('first') })
    await memory.memories.addMany(
      Array.from({ length: 300 }, (_, i) => ({
        id: `${i}`,
        userId: ADA,
        content: i === 7 ? 'a ferry' : `garden ${i}`,
      })),
    )
    await memory.settle()
    await memory.close()
    const { report, progress } = await run(store.path, 'second')
    expect(report).toMatchObject({ space: { model: 'second' }, vectors: 300, parked: 0, kept: 300, dropped: 0 })
    expect(progress.at(-1)).toBe(300)
    await expect(store.open({ embeddingFunction: wordModel('first') })).rejects.toMatchObject({ code: 'configuration' })
    const again = await store.open({ embeddingFunction: wordModel('second') })
    const [hit] = await again.search({ text: 'boat', mode: 'vector', kinds: ['memory'] })
    expect(hit?.record.id).toBe('7')
    await again.close()
    expect((await run(store.path, 'second', true)).report).toMatchObject({ vectors: 300, kept: 0, dropped: 300 })
  })
})

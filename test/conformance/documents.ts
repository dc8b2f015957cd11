import { expect, it } from 'vitest'
import type { NewDocument } from '../../src/model/inputs.js'
import { missing, refused } from './expecting.js'
import { byBytes, collect, contentsOf, idsOf } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'
import { itPages } from './listing.js'

export function describeDocuments(harness: Harness): void {
  suite(harness, 'documents', ['documents'], (ground) => {
    itUpserts(ground)
    itDeletes(ground)
  })
  suite(harness, 'documents: list', ['documents'], itLists)
  suite(harness, 'documents: namespaces', ['documents'], itListsNamespaces)
}

const FULL = {
  namespace: 'hand/book: 1',
  id: 'guide#3',
  content: ' Kept \u00e9\n',
  metadata: { page: 3, 'a.b': [null, { c: 0.1 }] },
  expiresAt: new Date('2100-01-01T00:00:00.001Z'),
  createdAt: new Date('2020-01-01T00:00:00.002Z'),
  updatedAt: new Date('2021-01-01T00:00:00.003Z'),
} satisfies NewDocument

const chunk = (id: string, content = id, namespace = 'n'): NewDocument => ({ namespace, id, content })

function itUpserts(ground: Ground): void {
  it('stores every field and answers it, and get and list answer the same', async () => {
    const memory = await ground.open()
    const [document] = await memory.documents.upsert(FULL)
    expect(document).toEqual({ ...FULL, tenantId: 'default', version: 1 })
    expect(await memory.documents.get(FULL.namespace, FULL.id)).toEqual(document)
    expect((await memory.documents.list(FULL.namespace)).items).toEqual([document])
    expect(await memory.documents.get('other', FULL.id)).toBeNull()
    expect(await memory.documents.get(FULL.namespace, 'other')).toBeNull()
  })

  it('replaces content, metadata and expiry together and raises the version', async () => {
    const memory = await ground.open()
    const [before] = await memory.documents.upsert(FULL)
    ground.clock.advance(1)
    const [after] = await memory.documents.upsert({ namespace: FULL.namespace, id: FULL.id, content: 'new' })
    const replaced = { content: 'new', metadata: {}, expiresAt: null, updatedAt: ground.clock.date(), version: 2 }
    expect(after).toEqual({ ...before, ...replaced })
    expect(await memory.documents.get(FULL.namespace, FULL.id)).toEqual(after)
  })

  it('one id in two namespaces is two documents', async () => {
    const memory = await ground.open()
    await memory.documents.upsert([chunk('d', 'in n'), chunk('d', 'in N', 'N')])
    expect((await memory.documents.get('n', 'd'))?.content).toBe('in n')
    expect((await memory.documents.get('N', 'd'))?.content).toBe('in N')
  })

  it('takes a large batch and answers it in its order', async () => {
    const memory = await ground.open()
    const batch = Array.from({ length: 1500 }, (_, i) => chunk(`d${1500 - i}`))
    const stored = await memory.documents.upsert(batch)
    expect(idsOf(stored)).toEqual(batch.map(({ id }) => id))
    expect((await memory.statistics()).documents).toBe(1500)
  })

  it('a bad document is named by its index and nothing is written', async () => {
    const memory = await ground.open()
    await refused(memory.documents.upsert([chunk('a'), chunk('b', 'a\0b')]), 'validation', 'documents[1].content')
    await refused(memory.documents.upsert({ ...chunk('a'), id: '' }), 'validation', 'documents[0].id')
    await refused(
      memory.documents.upsert([chunk('a'), { id: 'b', content: 'x' } as NewDocument]),
      'validation',
      'documents[1].namespace',
    )
    expect((await memory.documents.list('n')).items).toEqual([])
  })

  it('replacing side by side leaves one of the replacements whole', async () => {
    const memory = await ground.open()
    const versions = Array.from({ length: 10 }, (_, i) => ({ ...chunk('d', `${i}`), metadata: { i } }))
    await Promise.all(versions.map((document) => memory.documents.upsert(document)))
    const stored = await memory.documents.get('n', 'd')
    expect(stored?.metadata).toEqual({ i: Number(stored?.content) })
    expect((await memory.documents.list('n')).items).toHaveLength(1)
  })
}

function itDeletes(ground: Ground): void {
  it('deletes one document of one namespace; an unknown one is missing', async () => {
    const memory = await ground.open()
    await memory.documents.upsert([chunk('a'), chunk('b'), chunk('a', 'x', 'other')])
    await memory.documents.delete('n', 'a')
    expect(idsOf((await memory.documents.list('n')).items)).toEqual(['b'])
    expect(await memory.documents.get('other', 'a')).not.toBeNull()
    await missing(memory.documents.delete('n', 'a'), 'document')
    await missing(memory.documents.delete('unknown', 'b'), 'document')
  })

  it('deletes a whole namespace, however large, and says how many went', async () => {
    const memory = await ground.open()
    const names = ['n', 'n ', 'n%', 'n_', 'N', 'nn']
    await memory.documents.upsert(Array.from({ length: 1300 }, (_, i) => chunk(`d${i}`)))
    for (const namespace of names.slice(1)) await memory.documents.upsert(chunk('d', 'x', namespace))
    expect(await memory.documents.deleteNamespace('n')).toBe(1300)
    expect(await memory.documents.deleteNamespace('n')).toBe(0)
    expect((await memory.documents.list('n')).items).toEqual([])
    expect((await memory.documents.namespaces()).items).toEqual(names.slice(1).sort(byBytes))
  })

  it('inside a unit that fails, the namespace stays', async () => {
    const memory = await ground.open()
    if (ground.lacks('atomicUnit')) return expect(memory.capabilities.atomicUnit).toBe(false)
    await memory.documents.upsert([chunk('a'), chunk('b')])
    await memory
      .unitOfWork(async (unit) => {
        expect(await unit.documents.deleteNamespace('n')).toBe(2)
        await unit.documents.upsert(chunk('c'))
        throw new Error('undo')
      })
      .catch(() => {})
    expect(contentsOf((await memory.documents.list('n')).items)).toEqual(['a', 'b'])
  })
}

function itLists(ground: Ground): void {
  it('an unknown namespace is empty', async () => {
    const memory = await ground.open()
    await memory.documents.upsert(chunk('a'))
    expect((await memory.documents.list('unknown')).items).toEqual([])
    expect(await collect(memory.documents.each('unknown'))).toEqual([])
  })

  it('a cursor of another namespace is refused', async () => {
    const memory = await ground.open()
    await memory.documents.upsert([chunk('a'), chunk('b'), chunk('a', 'x', 'other'), chunk('b', 'x', 'other')])
    const page = await memory.documents.list('other', { limit: 1 })
    await refused(memory.documents.list('n', { after: page.after ?? undefined }), 'validation', 'after')
    expect((await memory.documents.list('other', { after: page.after ?? undefined })).items).toHaveLength(1)
  })

  const heads = ['\uff5e', 'B', 'a', '\u{1f600}', '\u00e9']
  itPages(ground, {
    async fill(memory, count) {
      const ids = Array.from({ length: count }, (_, i) => `${heads[i % heads.length]}${i}`)
      await memory.documents.upsert(ids.map((id) => chunk(id)))
      return [...ids].sort(byBytes)
    },
    async addFirst(memory) {
      await memory.documents.upsert(chunk('!'))
      return '!'
    },
    remove: (memory, id) => memory.documents.delete('n', id),
    list: (memory, options) => memory.documents.list('n', options),
    each: (memory) => memory.documents.each('n'),
    key: (document) => document.id,
  })
}

function itListsNamespaces(ground: Ground): void {
  const heads = ['\uff5e', 'B', 'a', '\u{1f600}', ' ']
  itPages(ground, {
    async fill(memory, count) {
      const names = Array.from({ length: count }, (_, i) => `${heads[i % heads.length]}${i}`)
      // Two documents in each, so that a name is not answered twice.
      await memory.documents.upsert(names.flatMap((name) => [chunk('a', 'x', name), chunk('b', 'x', name)]))
      return [...names].sort(byBytes)
    },
    async addFirst(memory) {
      await memory.documents.upsert(chunk('a', 'x', '\u0001'))
      return '\u0001'
    },
    remove: (memory, name) => memory.documents.deleteNamespace(name),
    list: (memory, options) => memory.documents.namespaces(options),
    key: (name) => name,
  })
}

import { randomUUID } from 'node:crypto'
import { ChromaClient } from 'chromadb'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Memory } from '../../src/contract/memory.js'
import type { ChromaOptions } from '../../src/contract/options.js'
import { failure, refused } from '../conformance/expecting.js'
import { ADA, collect, contentsOf, idsOf, says } from '../conformance/fixtures.js'
import { ids, wordModel } from '../conformance/vectors-fixtures.js'
import { BINDING, end, freshFolder, serversOf, stateOf } from './local-ground.js'

const opened: Memory[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
})
const made = (options: Partial<ChromaOptions>): Memory => {
  const memory = createBackend('chromadb', { embeddingFunction: wordModel(), ...options }) as Memory
  opened.push(memory)
  return memory
}
function place() {
  const { hostname, port } = new URL(inject('servers').CHROMA_URL)
  return { host: hostname, port: Number(port) }
}
const remote = (options: Partial<ChromaOptions>): Memory => made({ ...place(), ...options })
const local = (persistDirectory: string, options: Partial<ChromaOptions> = {}): Memory =>
  made({ persistDirectory, chromaCommand: BINDING, ...options })

describe('a server', () => {
  it('of another space is refused, with both sides and the way out', async () => {
    const collectionName = `spaces-${randomUUID()}`
    await remote({ collectionName }).connect()
    for (const options of [
      { embeddingFunction: wordModel('another') },
      { embeddingFunction: { ...wordModel(), dimensions: 9 } },
      { distanceMetric: 'dot' },
      { embeddingFunction: undefined, embeddingDimensions: 8 },
    ] as const) {
      const error = await refused(remote({ collectionName, ...options }).connect(), 'configuration')
      expect(error.message).toMatch(/words, 8 dimensions, cosine; here: .*collectionName/)
    }
  })

  it('with a collection of that name that somebody else made is not touched', async () => {
    const client = new ChromaClient(place())
    const name = `foreign-${randomUUID()}`
    const foreign = await client.createCollection({ name, embeddingFunction: null, metadata: { whose: 'theirs' } })
    const error = await refused(remote({ collectionName: name }).connect(), 'configuration')
    expect(error.message).toMatch(/was not made by this library/)
    expect(await foreign.count()).toBe(0)
    const there = await client.listCollections({ limit: 1000 })
    expect(there.filter((each) => each.name.startsWith(name)).map(({ metadata }) => metadata?.whose)).toEqual([
      'theirs',
    ])
  })

  it('forgets tags and metadata that an update leaves out, whatever the engine merges', async () => {
    const memory = remote({ collectionName: `merging-${randomUUID()}` })
    const metadata = { page: 3, text: 'x', deep: { a: [1, null] } }
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x', tags: ['a', 'b'], category: 'k', metadata })
    await memory.memories.update('m', { tags: ['b'], category: null, metadata: { page: 'three', text: null } })
    expect(await memory.memories.get('m')).toMatchObject({
      tags: ['b'],
      category: null,
      metadata: { page: 'three', text: null, deep: { a: [1, null] } },
    })
    const found = async (filter: object) => idsOf((await memory.memories.list(filter)).items)
    for (const filter of [{ tags: ['a'] }, { category: 'k' }, { metadata: { page: 3 } }, { metadata: { text: 'x' } }])
      expect(await found(filter)).toEqual([])
    for (const filter of [{ tags: ['b'] }, { metadata: { page: 'three' } }, { metadata: { text: null } }])
      expect(await found(filter)).toEqual(['m'])
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'x', metadata: { page: 3 } })
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'x', metadata: { other: 1 } })
    expect(await memory.search({ text: 'x', metadata: { page: 3 }, kinds: ['document'] })).toEqual([])
  })

  it('whose collections were deleted by somebody is an empty one, and takes writes again', async () => {
    const collectionName = `deleted-${randomUUID()}`
    const memory = remote({ collectionName })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    const client = new ChromaClient(place())
    const names = (await client.listCollections({ limit: 1000 })).map(({ name }) => name)
    for (const name of names.filter((each) => each.startsWith(`${collectionName}.`)))
      await client.deleteCollection({ name })
    expect((await memory.memories.list()).items).toEqual([])
    await memory.memories.add({ id: 'n', userId: ADA, content: 'a walnut' })
    expect(await ids(memory, { text: 'nuts' })).toEqual(['n'])
  })

  it('writes and deletes more than the server takes at once', async () => {
    const memory = remote({
      collectionName: `many-${randomUUID()}`,
      embeddingFunction: undefined,
      embeddingDimensions: 2,
    })
    const documents = Array.from({ length: 6000 }, (_, i) => ({
      namespace: 'n',
      id: `${i}`,
      content: 'x',
      vector: [1, i],
    }))
    await memory.documents.upsert(documents)
    expect((await memory.statistics()).documents).toBe(6000)
    expect(await memory.documents.deleteNamespace('n')).toBe(6000)
    expect((await memory.statistics()).documents).toBe(0)
  }, 60_000)

  it('options that contradict one another, or a name that is none, are refused', async () => {
    const make = (options: object) => () =>
      createBackend('chromadb', { embeddingDimensions: 2, ...options } as ChromaOptions)
    expect(() => createBackend('chromadb', {} as ChromaOptions)).toThrow(/embeddingFunction.*required/)
    expect(make({ persistDirektory: 'x' })).toThrow(/persistDirectory/)
    for (const options of [
      { persistDirectory: './x', port: 1 },
      { chromaCommand: 'chroma' },
      { collectionName: 'ab' },
      { collectionName: 'no spaces' },
      { headers: { 'x y': 'z' } },
    ])
      await refused(made(options).connect(), 'configuration')
  })
})

describe('a folder', { timeout: 60_000 }, () => {
  it('is opened by path or URL, by two memories at once, and kept', async () => {
    const folder = freshFolder()
    const [one, two] = [local(folder), local(folder)]
    await Promise.all([one.connect(), two.connect()])
    expect(serversOf(folder)).toBe(1)
    await one.messages.append('c', says('the ferry', { id: 'm' }), { userId: ADA })
    expect(await ids(two, { text: 'boat' })).toEqual(['m'])
    await Promise.all([one.close(), two.close()])
    const again = local(folder)
    expect(contentsOf((await again.messages.list('c')).items)).toEqual(['the ferry'])
  })

  it('whose server is killed again and again loses nothing acknowledged, and doubles nothing', async () => {
    const folder = freshFolder()
    const memory = local(folder, { callTimeout: 30_000 })
    await memory.connect()
    const stored: string[] = []
    let going = true
    const writing = (async () => {
      for (let i = 0; going; i++)
        if ((await failure(memory.memories.add({ id: `m${i}`, userId: ADA, content: 'x' }))) === null)
          stored.push(`m${i}`)
    })()
    for (let kills = 0; kills < 5; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 150))
      const { server } = stateOf(folder)
      if (server) end(-server.group)
    }
    going = false
    await writing
    const found = idsOf(await collect(memory.memories.each()))
    expect(new Set(found).size).toBe(found.length)
    expect(stored.filter((id) => !found.includes(id))).toEqual([])
    expect(stored.length).toBeGreaterThan(5)
  })
})

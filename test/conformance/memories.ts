import { expect, it } from 'vitest'
import type { NewMemory } from '../../src/model/inputs.js'
import { failure, missing, refused } from './expecting.js'
import { ADA, contentsOf, idsOf } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeMemories(harness: Harness): void {
  suite(harness, 'memories', ['memories'], (ground) => {
    itAdds(ground)
    itAddsMany(ground)
    itUpdates(ground)
  })
}

const FULL = {
  id: 'm',
  userId: ADA,
  conversationId: null,
  type: 'episodic',
  content: '  \u00e9 e\u0301 \u{1f468}\u200d\u{1f469}\u200d\u{1f467}\r\n\t',
  source: ' chat ',
  category: 'Home',
  tags: ['b', 'a', 'A', 'a:b', '\u65e5'],
  confidence: 0.1 + 0.2,
  importance: 1 / 3,
  relatedIds: ['m2', 'm1'],
  metadata: { float: 1e-7, max: Number.MAX_SAFE_INTEGER, min: Number.MIN_VALUE, nested: { a: [[], {}] } },
  expiresAt: new Date('2300-01-01T00:00:00.999Z'),
  accessCount: 7,
  lastAccessedAt: new Date('1969-12-31T23:59:59.999Z'),
  createdAt: new Date('1960-01-01T00:00:00.001Z'),
  updatedAt: new Date('1970-01-01T00:00:00.000Z'),
} satisfies NewMemory

function itAdds(ground: Ground): void {
  it('every field comes back bit for bit', async () => {
    const memory = await ground.open()
    const entry = await memory.memories.add(FULL)
    expect(entry).toEqual({ ...FULL, tenantId: 'default', version: 1 })
    expect(await memory.memories.get('m')).toEqual(entry)
    expect((await memory.memories.list()).items).toEqual([entry])
  })

  it('fills in what is not given', async () => {
    const memory = await ground.open()
    const entry = await memory.memories.add({ userId: ADA, content: 'x' })
    expect(entry).toEqual({
      id: entry.id,
      userId: ADA,
      tenantId: 'default',
      conversationId: null,
      type: 'long_term',
      content: 'x',
      source: null,
      category: null,
      tags: [],
      confidence: 1,
      importance: 0.5,
      accessCount: 0,
      relatedIds: [],
      metadata: {},
      lastAccessedAt: null,
      expiresAt: null,
      createdAt: ground.clock.date(),
      updatedAt: ground.clock.date(),
      version: 1,
    })
    if (!ground.lacks('users')) expect(await memory.users.get(ADA)).not.toBeNull()
  })

  it('a negative zero is stored as zero', async () => {
    const memory = await ground.open()
    const entry = await memory.memories.add({
      userId: ADA,
      content: 'x',
      importance: -0,
      confidence: -0,
      metadata: { n: -0 },
    })
    const stored = await memory.memories.get(entry.id)
    for (const made of [entry, stored])
      expect([made?.importance, made?.confidence, made?.metadata.n].map((n) => Object.is(n, 0))).toEqual([
        true,
        true,
        true,
      ])
  })

  it('an id that exists is a conflict and changes nothing; an unknown one is null', async () => {
    const memory = await ground.open()
    const entry = await memory.memories.add(FULL)
    await refused(memory.memories.add({ id: 'm', userId: 'bob', content: 'y' }), 'conflict')
    expect(await memory.memories.get('m')).toEqual(entry)
    expect(await memory.memories.get('unknown')).toBeNull()
  })

  it('what was answered is the caller’s own: changing it changes nothing stored', async () => {
    const memory = await ground.open()
    const entry = await memory.memories.add({ userId: ADA, content: 'x', tags: ['a'], metadata: { list: [1] } })
    for (const answer of [entry, await memory.memories.get(entry.id)]) {
      // A frozen answer, which throws here, is as good.
      await failure(() => (answer?.metadata.list as number[] | undefined)?.push(2))
      await failure(() => (answer?.tags as string[] | undefined)?.push('b'))
      await failure(() => answer?.createdAt.setTime(0))
    }
    const stored = await memory.memories.get(entry.id)
    expect([stored?.metadata, stored?.tags, stored?.createdAt]).toEqual([{ list: [1] }, ['a'], ground.clock.date()])
  })
}

function itAddsMany(ground: Ground): void {
  it('adds a batch, answers it in its order, and nothing of it when one is bad', async () => {
    const memory = await ground.open()
    const batch = Array.from({ length: 600 }, (_, i) => ({ id: `m${i}`, userId: ADA, content: `content ${i}` }))
    const entries = await memory.memories.addMany(batch)
    expect(idsOf(entries)).toEqual(batch.map(({ id }) => id))
    expect(await memory.memories.get('m599')).toEqual(entries[599])
    expect(await memory.memories.addMany([])).toEqual([])
    const bad = [
      { userId: ADA, content: 'fine' },
      { userId: ADA, content: 'x', importance: 2 },
    ]
    await refused(memory.memories.addMany(bad), 'validation', 'memories[1].importance')
    expect((await memory.statistics()).memories).toBe(600)
  })

  ground.promise(
    'no-atomic-batch',
    'one existing id refuses the whole batch',
    async () => {
      const memory = await ground.open()
      await memory.memories.add({ id: 'm', userId: ADA, content: 'first' })
      const batch = [
        { id: 'n', userId: 'bob', content: 'second' },
        { id: 'm', userId: ADA, content: 'third' },
      ]
      await refused(memory.memories.addMany(batch), 'conflict')
      expect(contentsOf((await memory.memories.list()).items)).toEqual(['first'])
    },
    async () => {
      const memory = await ground.open()
      await memory.memories.add({ id: 'm', userId: ADA, content: 'first' })
      await memory.memories
        .addMany([
          { id: 'n', userId: 'bob', content: 'second' },
          { id: 'm', userId: ADA, content: 'third' },
        ])
        .catch(() => {})
      const contents = contentsOf((await memory.memories.list()).items)
      expect(contents.length).toBeLessThanOrEqual(2)
      expect(['first', 'third']).toContain((await memory.memories.get('m'))?.content)
    },
  )
}

function itUpdates(ground: Ground): void {
  it('changes what the patch names, merges metadata one level deep, raises the version', async () => {
    const memory = await ground.open()
    const before = await memory.memories.add({ ...FULL, metadata: { a: { x: 1, y: 1 }, b: 1, c: 1 } })
    ground.clock.advance(1)
    const patch = { importance: 1, tags: [], category: null, relatedIds: ['z'], metadata: { a: { x: 2 }, b: null } }
    const after = await memory.memories.update('m', patch)
    expect(after).toEqual({
      ...before,
      ...patch,
      metadata: { a: { x: 2 }, b: null, c: 1 },
      updatedAt: ground.clock.date(),
      version: 2,
    })
    expect(await memory.memories.get('m')).toEqual(after)
  })

  it('refuses what is out of range, blank or not its to change', async () => {
    const memory = await ground.open()
    const entry = await memory.memories.add(FULL)
    await refused(memory.memories.update('m', { importance: 1.0001 }), 'validation', 'importance')
    await refused(memory.memories.update('m', { confidence: Number.NaN }), 'validation', 'confidence')
    await refused(memory.memories.update('m', { content: '\n' }), 'validation', 'content')
    for (const field of ['id', 'userId', 'accessCount', 'lastAccessedAt', 'createdAt', 'tenantId', 'version'])
      await refused(memory.memories.update('m', { [field]: 'x' } as object), 'validation', field)
    expect(await memory.memories.get('m')).toEqual(entry)
  })

  ground.promise(
    'no-compare-and-set',
    'writes only over the version that was read',
    async () => {
      const memory = await ground.open()
      await memory.memories.add({ id: 'm', userId: ADA, content: '1' })
      await memory.memories.update('m', { content: '2' }, { version: 1 })
      await refused(memory.memories.update('m', { content: '3' }, { version: 1 }), 'conflict')
      expect(await memory.memories.get('m')).toMatchObject({ content: '2', version: 2 })
    },
    async () => {
      const memory = await ground.open()
      await memory.memories.add({ id: 'm', userId: ADA, content: '1' })
      expect(await memory.memories.update('m', { content: '2' }, { version: 1 })).toMatchObject({
        content: '2',
        version: 2,
      })
    },
  )

  it('an update or a delete of an unknown memory is missing', async () => {
    const memory = await ground.open()
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    await memory.memories.delete('m')
    await missing(memory.memories.update('m', { importance: 1 }), 'memory')
    await missing(memory.memories.delete('m'), 'memory')
    expect(await memory.memories.get('m')).toBeNull()
  })
}

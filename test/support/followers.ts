import { describe, expect, test } from 'vitest'
import type { TenantMemory } from '../../src/contract/memory.js'
import { addFollower, type FollowedStore, KINDS, told } from './followed-store.js'

/** Opens a memory on an empty store, which is closed at the end of the test. */
export type OpenFollowed = () => Promise<FollowedStore>

const says = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ({ id: `m${from + i}`, role: 'user' as const, content: `number ${from + i}` }))
const ids = (n: number, from = 0): string[] => says(n, from).map(({ id }) => `message c ${id}`)
const user = { userId: 'ada' }

async function revisionOf(store: FollowedStore): Promise<number> {
  const [row] = await store.run('select max(revision) as revision from bruno_messages')
  return Number(row?.revision)
}

async function allFollow(open: OpenFollowed): Promise<FollowedStore> {
  const store = await open()
  await addFollower(store, 'cache', { kinds: [...KINDS, 'conversation', 'cache'] })
  await addFollower(store, 'semantic')
  await addFollower(store, 'own', { kind: 'local' })
  return store
}

/** The same of one record for all three. */
const each = (...entries: string[]) => ({ cache: entries, own: entries, semantic: entries })

/** What followers are told of is the same in every SQL store. */
export function followersAreTold(open: OpenFollowed): void {
  describe('of messages', () => {
    messagesAreTold(open)
    deletedMessagesAreTold(open)
  })
  describe('of conversations', () => conversationsAreTold(open))
  describe('of everything else', () => {
    recordsAreTold(open)
    unitsAreTold(open)
  })
}

function messagesAreTold(open: OpenFollowed): void {
  test('a batch is one entry for a cache, one for each message for the others', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append('c', says(100), user)
    const { entries, revisions } = await told(store)
    expect(entries).toEqual({ cache: ['message c '], own: ids(100).sort(), semantic: ids(100).sort() })
    expect(revisions['message c ']).toBe(await revisionOf(store))
  })

  test('an append changes nothing of the conversation that a cache is told of', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append('c', says(1), user)
    await told(store)
    await store.memory.messages.append('c', says(1, 1))
    await store.memory.messages.append('c', says(2, 2), user)
    const { entries, revisions } = await told(store)
    expect(entries).toEqual({ cache: ['message c '], own: ids(3, 1), semantic: ids(3, 1) })
    expect(revisions['message c ']).toBe(await revisionOf(store))
  })

  test('batches of several conversations are an entry for each, in one unit and side by side', async () => {
    const store = await allFollow(open)
    await store.memory.unitOfWork(async (unit) => {
      for (const id of ['b', 'a']) await unit.messages.append(id, says(3), user)
    })
    expect((await told(store)).entries.cache).toEqual(['message a ', 'message b '])
    await Promise.all(['b', 'a', 'c'].map((id) => store.memory.messages.append(id, says(3, 3), user)))
    const { entries } = await told(store)
    expect(entries.cache).toEqual(['message a ', 'message b ', 'message c '])
    expect(entries.semantic).toHaveLength(9)
  })

  test('a change is an entry of its own; what is not in the text is nothing to the store itself', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append('c', says(3), user)
    await told(store)
    await store.memory.messages.update('c', 'm1', { content: 'another' })
    expect((await told(store)).entries).toEqual(each('message c m1'))
    await store.memory.messages.update('c', 'm2', { metadata: { seen: true } })
    expect((await told(store)).entries).toEqual({ cache: ['message c m2'], semantic: ['message c m2'] })
    await store.memory.messages.upsert('c', [{ role: 'user', id: 'm0', content: 'once more' }, ...says(1, 3)])
    const { entries } = await told(store)
    expect(entries).toEqual({ ...each('message c m0', 'message c m3'), cache: ['message c ', 'message c m0'] })
  })

  test('a branch is one entry', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append('c', says(20), user)
    await told(store)
    await store.memory.messages.branch('c', 'm14', { id: 'd' })
    const { entries } = await told(store)
    expect(entries.cache).toEqual(['message d '])
    expect(entries.semantic).toHaveLength(15)
  })
}

function deletedMessagesAreTold(open: OpenFollowed): void {
  test('a deleted message is told of by its conversation, above every revision before', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append(
      'c',
      [...says(2), { id: 'm2', role: 'user', content: 'a reply', parentId: 'm1' }],
      user,
    )
    await told(store)
    await store.memory.messages.delete('c', 'm0')
    const { entries, revisions } = await told(store)
    expect(entries).toEqual({ ...each('message c m0'), cache: ['message c '] })
    expect(revisions['message c ']).toBeGreaterThan(await revisionOf(store))
    await store.memory.messages.delete('c', 'm1')
    const left = await told(store)
    // The reply stands without a parent: that is a change of its own.
    expect(left.entries.cache).toEqual(['message c ', 'message c m2'])
    expect(left.entries.semantic).toEqual(['message c m1', 'message c m2'])
  })

  test('what clear deletes is one entry', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append('c', says(40), user)
    await told(store)
    expect(await store.memory.messages.clear('c')).toBe(40)
    expect((await told(store)).entries).toEqual({
      cache: ['message c '],
      own: ids(40).sort(),
      semantic: ids(40).sort(),
    })
    expect(await store.memory.messages.clear('c')).toBe(0)
    expect((await told(store)).entries).toEqual({})
  })

  test('what was tried in vain is due again when the conversation goes on', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append('c', says(1), user)
    await store.run(`update bruno_outbox set attempts = 5, parked_at = ${store.instant}, error_code = 'STORAGE'`)
    await store.memory.messages.append('c', says(2, 1))
    const rows = await store.run(
      "select attempts, parked_at, error_code, revision from bruno_outbox where follower = 'cache'",
    )
    expect(rows.map((row) => ({ ...row, attempts: Number(row.attempts), revision: Number(row.revision) }))).toEqual([
      { attempts: 0, parked_at: null, error_code: null, revision: await revisionOf(store) },
    ])
  })
}

function conversationsAreTold(open: OpenFollowed): void {
  async function withOne(): Promise<FollowedStore> {
    const store = await allFollow(open)
    await store.memory.users.create({ id: 'ada' })
    await store.memory.conversations.create({ id: 'c', userId: 'ada', title: 'one', tags: ['x'] })
    return store
  }

  test('what is new says nothing', async () => {
    const store = await withOne()
    expect((await told(store)).entries).toEqual({})
  })

  test.each([
    { title: 'two' },
    { title: null },
    { tags: ['x', 'y'] },
    { expiresAt: new Date(Date.now() + 1e9) },
    { language: 'german' },
  ])('a change that is seen from its messages is an entry for those who want it: %j', async (patch) => {
    const store = await withOne()
    await store.memory.conversations.update('c', patch)
    const { entries, revisions } = await told(store)
    expect(entries).toEqual({ cache: ['conversation  c'] })
    const [row] = await store.run('select revision from bruno_conversations')
    expect(revisions['conversation  c']).toBe(Number(row?.revision))
  })

  test('so is another user', async () => {
    const store = await withOne()
    await store.memory.users.create({ id: 'eve' })
    await store.run("update bruno_conversations set user_id = 'eve', revision = revision + 1")
    expect((await told(store)).entries).toEqual({ cache: ['conversation  c'] })
  })

  test('others, and a patch that leaves everything as it was, are none', async () => {
    const store = await withOne()
    await store.memory.conversations.update('c', { summary: 'short', metadata: { seen: true } })
    await store.memory.conversations.update('c', { title: 'one', tags: ['x'] })
    expect((await told(store)).entries).toEqual({})
  })

  test('a deleted one is an entry, and one for its messages, above every revision before', async () => {
    const store = await withOne()
    await store.memory.messages.append('c', says(50))
    const before = await revisionOf(store)
    await told(store)
    await store.memory.conversations.delete('c')
    const { entries, revisions } = await told(store)
    expect(entries).toEqual({
      cache: ['conversation  c', 'message c '],
      own: ids(50).sort(),
      semantic: ids(50).sort(),
    })
    expect(Math.min(...Object.values(revisions))).toBeGreaterThan(before)
  })

  test('so is an empty one, whoever deletes it', async () => {
    const store = await withOne()
    const [row] = await store.run('select revision from bruno_conversations')
    await store.run('delete from bruno_conversations')
    const { entries, revisions } = await told(store)
    expect(entries).toEqual({ cache: ['conversation  c'] })
    expect(revisions['conversation  c']).toBeGreaterThan(Number(row?.revision))
  })

  test('so are those of a user who is deleted', async () => {
    const store = await withOne()
    for (const id of ['c', 'd']) await store.memory.messages.append(id, says(5), user)
    await told(store)
    await store.memory.users.delete('ada')
    const { entries } = await told(store)
    expect(entries.cache).toEqual(['conversation  c', 'conversation  d', 'message c ', 'message d '])
    expect(entries.semantic).toHaveLength(10)
  })
}

function recordsAreTold(open: OpenFollowed): void {
  test('memories are one entry each', async () => {
    const store = await allFollow(open)
    const contents = ['one', 'two', 'three']
    const added = await store.memory.memories.addMany(contents.map((content) => ({ ...user, content })))
    const [first = '', ...rest] = added.map(({ id }) => `memory  ${id}`)
    expect((await told(store)).entries).toEqual(each(...[first, ...rest].sort()))
    const id = added[0]?.id ?? ''
    await store.memory.memories.update(id, { content: 'four' })
    expect((await told(store)).entries).toEqual(each(first))
    await store.memory.memories.delete(id)
    expect((await told(store)).entries).toEqual(each(first))
  })

  test('documents are one entry each', async () => {
    const store = await allFollow(open)
    const documents = ['a', 'b', 'c'].map((id) => ({ namespace: 'n', id, content: id }))
    const all = each('document n a', 'document n b', 'document n c')
    await store.memory.documents.upsert(documents)
    expect((await told(store)).entries).toEqual(all)
    await store.memory.documents.upsert({ namespace: 'n', id: 'b', content: 'another' })
    expect((await told(store)).entries).toEqual(each('document n b'))
    await store.memory.documents.deleteNamespace('n')
    expect((await told(store)).entries).toEqual(all)
  })
}

function unitsAreTold(open: OpenFollowed): void {
  const write = async (unit: Pick<TenantMemory, 'messages' | 'memories' | 'conversations'>): Promise<void> => {
    await unit.messages.append('c', says(2, 10))
    await unit.messages.delete('c', 'm0')
    await unit.memories.add({ ...user, content: 'one' })
    await unit.conversations.update('c', { title: 'two' })
    throw new Error('enough')
  }

  test('a unit that is rolled back tells nothing, nor does a part of one', async () => {
    const store = await allFollow(open)
    await store.memory.messages.append('c', says(2), user)
    await told(store)
    await expect(store.memory.unitOfWork(write)).rejects.toThrow('enough')
    expect((await told(store)).entries).toEqual({})
    await store.memory.unitOfWork(async (unit) => {
      await unit.messages.append('c', says(1, 2))
      await expect(unit.unitOfWork(write)).rejects.toThrow('enough')
    })
    expect((await told(store)).entries).toEqual({ ...each('message c m2'), cache: ['message c '] })
  })

  test('each is told of the kinds that it wants, until it is retired', async () => {
    const store = await open()
    await addFollower(store, 'cache', { kinds: ['conversation'] })
    await addFollower(store, 'paused', { kind: 'cache', kinds: ['message'], state: 'paused' })
    await addFollower(store, 'retired', { kind: 'cache', kinds: [...KINDS, 'conversation'], state: 'retired' })
    const tenant = store.memory.forTenant('acme')
    await tenant.messages.append('c', says(2), user)
    await tenant.memories.add({ ...user, content: 'one' })
    expect((await told(store)).entries).toEqual({ paused: ['message c '] })
    await tenant.conversations.delete('c')
    expect((await told(store)).entries).toEqual({ cache: ['conversation  c'], paused: ['message c '] })
  })

  test('nobody is told where nobody follows', async () => {
    const store = await open()
    await store.memory.messages.append('c', says(2), user)
    await store.memory.conversations.update('c', { title: 'two' })
    await store.memory.users.delete('ada')
    expect((await told(store)).entries).toEqual({})
  })
}

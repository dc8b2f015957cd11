import { expect, it } from 'vitest'
import { missing, refused } from './expecting.js'
import { ADA, contentsOf, numbered, positionsOf, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeConcurrency(harness: Harness): void {
  suite(harness, 'concurrency: appends', ['messages', 'conversations', 'users', 'atomicUnit'], (ground) => {
    itAppends(ground)
    itSparesTheOthers(ground)
  })
  suite(harness, 'concurrency: versions', ['users', 'conversations', 'memories', 'atomicUnit'], itCompares)
  suite(harness, 'concurrency: ids', ['users', 'conversations', 'messages', 'memories', 'atomicUnit'], itElects)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

function itAppends(ground: Ground): void {
  it('a hundred single appends side by side get a position each and are each answered', async () => {
    const memory = await ground.open()
    await memory.conversations.create({ id: 'c', userId: ADA })
    const answers = await Promise.all(numbered(100).map((content) => memory.messages.append('c', says(content))))
    expect(answers.map(contentsOf)).toEqual(numbered(100).map((content) => [content]))
    const { items } = await memory.messages.list('c', { first: 1000 })
    expect(positionsOf(items)).toEqual([...new Set(positionsOf(items))].sort((a, b) => a - b))
    if (memory.capabilities.positions === 'counter') expect(positionsOf(items)).toEqual(upTo(100))
    for (const [answer] of answers) expect(items).toContainEqual(answer)
    expect((await memory.conversations.get('c'))?.messageCount).toBe(100)
  })

  it('appends of one caller keep the order in which they were made', async () => {
    const memory = await ground.open()
    await memory.conversations.create({ id: 'c', userId: ADA })
    await Promise.all(numbered(40).map((content) => memory.messages.append('c', says(content))))
    expect(contentsOf((await memory.messages.list('c')).items)).toEqual(numbered(40))
  })

  it('batches side by side are not interleaved', async () => {
    const memory = await ground.open()
    const batches = numbered(10, 'b').map((name) => numbered(5, `${name}:`))
    await Promise.all(batches.map((batch) => talk(memory, 'c', batch)))
    const contents = contentsOf((await memory.messages.list('c')).items)
    const seen = upTo(10).map((i) => contents.slice((i - 1) * 5, i * 5))
    for (const batch of batches) expect(seen).toContainEqual(batch)
  })

  it('first messages side by side make the user and the conversation once', async () => {
    const memory = await ground.open()
    await Promise.all(numbered(20).map((content) => talk(memory, 'c', [content])))
    expect(await memory.statistics()).toMatchObject({ users: 1, conversations: 1, messages: 20 })
  })

  it('appends to many conversations side by side stay in theirs', async () => {
    const memory = await ground.open()
    const names = numbered(10, 'c')
    await Promise.all(
      numbered(5).flatMap((content) => names.map((name) => talk(memory, name, [`${name} ${content}`], name))),
    )
    for (const name of names) {
      const { items } = await memory.messages.list(name)
      expect(contentsOf(items)).toEqual(numbered(5).map((content) => `${name} ${content}`))
    }
  })

  ground.shared('two instances append to one conversation without losing or doubling a position', async () => {
    const memory = await ground.open()
    await memory.conversations.create({ id: 'c', userId: ADA })
    const second = await ground.reopen(memory)
    const writers = numbered(40).map((content, i) =>
      (i % 2 === 0 ? memory : second).messages.append('c', says(content)),
    )
    const answers = await Promise.all(writers)
    const { items } = await second.messages.list('c', { first: 100 })
    expect([...positionsOf(answers.flat())].sort((a, b) => a - b)).toEqual(positionsOf(items))
    expect(new Set(contentsOf(items))).toEqual(new Set(numbered(40)))
    expect(await memory.conversations.get('c')).toEqual(await second.conversations.get('c'))
  })
}

function itSparesTheOthers(ground: Ground): void {
  it('bad input among many appends fails its own caller alone', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [says('taken', { id: 'taken' })])
    const good = numbered(50)
    const bad = [
      () => refused(memory.messages.append('c', says('')), 'validation', 'messages[0].content'),
      () => refused(memory.messages.append('c', says('x', { id: 'taken' })), 'conflict'),
      () =>
        refused(memory.messages.append('c', says('x', { parentId: 'nobody' })), 'validation', 'messages[0].parentId'),
      () => missing(memory.messages.append('unknown', says('x')), 'conversation'),
      () => missing(talk(memory, 'c', ['x'], 'eve'), 'conversation'),
      () => refused(talk(memory, 'c', ['x', 'y', '\0']), 'validation', 'messages[2].content'),
    ]
    const calls: Promise<unknown>[] = []
    for (const [i, content] of good.entries()) {
      calls.push(memory.messages.append('c', says(content)))
      const refusal = bad[i % bad.length]
      if (refusal) calls.push(refusal())
    }
    await Promise.all(calls)
    const { items } = await memory.messages.list('c', { first: 100 })
    expect(contentsOf(items)).toEqual(['taken', ...good])
    expect((await memory.conversations.get('c'))?.messageCount).toBe(51)
    expect(await memory.users.get('eve')).toBeNull()
  })

  it('appends beside the deletion of their conversation leave no orphan', async () => {
    const memory = await ground.open()
    await memory.conversations.create({ id: 'c', userId: ADA })
    const appends = numbered(20).map((content) => memory.messages.append('c', says(content)))
    const deletion = memory.conversations.delete('c')
    const late = numbered(20).map((content) => memory.messages.append('c', says(content)))
    const settled = await Promise.allSettled([...appends, ...late])
    await deletion
    for (const s of settled) if (s.status === 'rejected') expect(s.reason).toMatchObject({ code: 'not-found' })
    expect(await memory.statistics()).toMatchObject({ conversations: 0, messages: 0 })
    expect((await memory.messages.list('c')).items).toEqual([])
  })
}

function itCompares(ground: Ground): void {
  it('of writers with the same version exactly one wins', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: ADA })
    await memory.conversations.create({ id: 'c', userId: ADA })
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    const writers: ((text: string) => Promise<{ readonly version: number }>)[] = [
      (name: string) => memory.users.update(ADA, { name }, { version: 1 }),
      (title: string) => memory.conversations.update('c', { title }, { version: 1 }),
      (content: string) => memory.memories.update('m', { content }, { version: 1 }),
    ]
    for (const write of writers) {
      const settled = await Promise.allSettled(numbered(10).map(write))
      const won = settled.flatMap((s) => (s.status === 'fulfilled' ? [s.value.version] : []))
      expect(won).toEqual([2])
      for (const s of settled) if (s.status === 'rejected') expect(s.reason).toMatchObject({ code: 'conflict' })
    }
  })

  it('writers without a version all take effect, none undoing the keys of another', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: ADA, metadata: { start: true } })
    await Promise.all(numbered(20).map((key) => memory.users.update(ADA, { metadata: { [key]: key } })))
    const user = await memory.users.get(ADA)
    expect(user?.version).toBe(21)
    expect(user?.metadata).toEqual({ start: true, ...Object.fromEntries(numbered(20).map((key) => [key, key])) })
  })

  it('recalls side by side are all counted', async () => {
    const memory = await ground.open()
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    await Promise.all(numbered(15).map(() => memory.memories.recall({ userId: ADA })))
    expect((await memory.memories.get('m'))?.accessCount).toBe(15)
  })

  ground.shared('two instances compare versions with one another', async () => {
    const memory = await ground.open()
    await memory.users.create({ id: ADA })
    const second = await ground.reopen(memory)
    const settled = await Promise.allSettled(
      [memory, second, memory, second].map((m, i) => m.users.update(ADA, { name: `${i}` }, { version: 1 })),
    )
    expect(settled.filter((s) => s.status === 'fulfilled')).toHaveLength(1)
    expect((await memory.users.get(ADA))?.version).toBe(2)
    expect(await second.users.get(ADA)).toEqual(await memory.users.get(ADA))
  })
}

function itElects(ground: Ground): void {
  it('of creates with the same id exactly one wins, and the record is its own', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['start'])
    const creates: ((name: string) => Promise<unknown>)[] = [
      (name) => memory.users.create({ id: 'u', name }),
      (title) => memory.conversations.create({ id: 'new', userId: ADA, title }),
      (content) => memory.memories.add({ id: 'm', userId: ADA, content }),
      async (content) => (await memory.messages.append('c', says(content, { id: 'm' })))[0],
    ]
    const stored = [
      () => memory.users.get('u'),
      () => memory.conversations.get('new'),
      () => memory.memories.get('m'),
      () => memory.messages.get('c', 'm'),
    ]
    for (const [i, create] of creates.entries()) {
      const settled = await Promise.allSettled(numbered(8).map(create))
      const won = settled.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []))
      expect(won).toHaveLength(1)
      expect(await stored[i]?.()).toEqual(won[0])
      for (const s of settled) if (s.status === 'rejected') expect(s.reason).toMatchObject({ code: 'conflict' })
    }
  })

  it('of deletes side by side one succeeds and the others find nothing', async () => {
    const memory = await ground.open()
    await memory.memories.add({ id: 'm', userId: ADA, content: 'x' })
    const settled = await Promise.allSettled(numbered(5).map(() => memory.memories.delete('m')))
    expect(settled.filter((s) => s.status === 'fulfilled')).toHaveLength(1)
    for (const s of settled) if (s.status === 'rejected') expect(s.reason).toMatchObject({ code: 'not-found' })
  })
}

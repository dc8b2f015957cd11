import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { failure, isTyped } from './expecting.js'
import { ADA, says, talk } from './fixtures.js'
import { type Feature, type Ground, type Harness, suite } from './harness.js'
import type { BadCall } from './validation-call.js'
import { BAD_CALLS, BAD_DOCUMENT_CALLS } from './validation-calls.js'
import { LIMITS } from './validation-values.js'

export function describeValidation(harness: Harness): void {
  const needs: readonly Feature[] = ['users', 'conversations', 'messages', 'sessions', 'memories']
  suite(harness, 'validation: bad input', needs, (ground) => {
    const calls = { ...BAD_CALLS, ...(!ground.lacks('documents') && BAD_DOCUMENT_CALLS) }
    for (const [verb, cases] of Object.entries(calls))
      it(`${verb} refuses each bad value by its path, and nothing is written`, () => refusesAll(ground, cases))
  })
  suite(harness, 'validation: at the door', [...needs, 'atomicUnit'], itLooksAtOnce)
  suite(harness, 'validation: limits', needs, itKeepsLimits)
  suite(harness, 'validation: errors', needs, itKeepsSecrets)
}

async function seeded(ground: Ground): Promise<Memory> {
  const memory = await ground.open({ limits: LIMITS })
  await talk(memory, 'c', [says('a', { id: 'm' })])
  await memory.sessions.create({ id: 's', userId: ADA })
  await memory.memories.add({ id: 'e', userId: ADA, content: 'a' })
  if (!ground.lacks('documents')) await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'a' })
  return memory
}

/** All that there is, to be compared before and after. */
async function holdings(memory: Memory): Promise<unknown> {
  return [
    await memory.statistics(),
    await memory.users.list(),
    await memory.conversations.list(),
    await memory.messages.list('c'),
    await memory.sessions.list(),
    await memory.memories.list(),
    ...(memory.capabilities.documents ? [await memory.documents.list('n'), await memory.documents.namespaces()] : []),
  ]
}

async function refusesAll(ground: Ground, cases: readonly BadCall[]): Promise<void> {
  const memory = await seeded(ground)
  const before = await holdings(memory)
  const expected: string[] = []
  const actual: string[] = []
  for (const { name, field, call } of cases) {
    expected.push(`${name} → ${field}`)
    const error = await failure(() => call(memory))
    actual.push(`${name} → ${isTyped(error) ? (error.field ?? error.code) : String(error)}`)
  }
  expect(actual).toEqual(expected)
  expect(await holdings(memory)).toEqual(before)
}

class Instance {
  readonly a = 1
}

function itLooksAtOnce(ground: Ground): void {
  /** Calls before the memory is open, and behind another call of the same unit, have to wait for their turn. */
  const waiting: readonly (readonly [
    name: string,
    (work: (users: Memory['users']) => Promise<unknown>) => Promise<unknown>,
  ])[] = [
    ['before it is connected', async (work) => work((await ground.create()).users)],
    ['when it is connected', async (work) => work((await ground.open()).users)],
    [
      'behind another call of its unit',
      async (work) =>
        (await ground.open()).unitOfWork(async (unit) => {
          const [, answer] = await Promise.all([unit.users.create({ id: 'other' }), failure(() => work(unit.users))])
          if (answer !== null) throw answer
        }),
    ],
  ]
  for (const [name, when] of waiting) {
    it(`${name}, a call takes its arguments as they are when it is made`, async () => {
      const user = { id: 'u', name: 'before', metadata: { list: [1] }, lastActiveAt: new Date(1) }
      await when(async (users) => {
        const pending = users.create(user)
        user.name = 'after'
        user.metadata.list.push(2)
        user.lastActiveAt.setTime(2)
        const stored = await pending
        expect(stored).toMatchObject({ name: 'before', metadata: { list: [1] }, lastActiveAt: new Date(1) })
        expect(await users.get('u')).toEqual(stored)
      })
    })

    it(`${name}, a call refuses the same as ever`, async () => {
      for (const [metadata, field] of [
        [{ a: new Instance() }, 'metadata.a'],
        [{ a: Object.create({ inherited: 1 }) }, 'metadata.a'],
        [{ a: [undefined] }, 'metadata.a[0]'],
        [{ a: () => 1 }, 'metadata.a'],
      ] as const) {
        const error = await failure(() => when((users) => users.create({ metadata: metadata as never })))
        expect(error).toMatchObject({ code: 'validation', field })
      }
    })
  }
}

function itKeepsLimits(ground: Ground): void {
  it('a value at its limit is stored, bytes counted as UTF-8', async () => {
    const memory = await ground.open({ limits: LIMITS })
    const content = `${'\u20ac'.repeat(LIMITS.content / 3 - 1)}abc`
    const id = `${'\u20ac'.repeat(84)}abc`
    const tags = Array.from({ length: LIMITS.tags }, (_, i) => `t${i}`)
    const label = '\u00e9'.repeat(LIMITS.label / 2)
    const entry = await memory.memories.add({ id, userId: id, content, tags, source: label, category: label })
    expect(await memory.memories.get(id)).toEqual(entry)
    const nested = Array.from({ length: LIMITS.jsonDepth - 1 }).reduce<object>((inner) => ({ a: inner }), {})
    const user = await memory.users.create({ id: 'u', name: label, metadata: nested as never })
    expect(await memory.users.get('u')).toEqual(user)
    const batch = Array.from({ length: LIMITS.batch }, (_, i) => says(`${i}`))
    expect(await talk(memory, 'c', batch)).toHaveLength(LIMITS.batch)
  })

  it('one limit that is set leaves the others at their defaults', async () => {
    const memory = await ground.open({ limits: { tags: 1 } })
    const content = 'x'.repeat(100_000)
    const entry = await memory.memories.add({ userId: ADA, content, tags: ['a'] })
    expect((await memory.memories.get(entry.id))?.content).toBe(content)
  })

  it('a megabyte is stored whole, fifty are refused, by default', { timeout: 30_000 }, async () => {
    const memory = await ground.open()
    const large = `${'lorem ipsum \u20ac '.repeat(60_000)}.`
    await talk(memory, 'c', [says(large, { id: 'm' })])
    expect((await memory.messages.get('c', 'm'))?.content).toBe(large)
    const huge = 'x'.repeat(50 * 1024 * 1024)
    const document = () => memory.documents.upsert({ namespace: 'n', id: 'd', content: huge })
    for (const [call, field] of [
      ...(ground.lacks('documents') ? [] : [[document, 'documents[0].content'] as const]),
      [() => talk(memory, 'c', [says('small'), says(huge)]), 'messages[1].content'],
      [() => memory.memories.add({ userId: 'eve', content: huge }), 'content'],
      [() => memory.users.create({ id: 'eve', name: huge }), 'name'],
      [() => memory.users.create({ id: huge }), 'id'],
      [() => memory.users.get(huge), 'id'],
      [() => memory.messages.update('c', 'm', { content: huge }), 'content'],
    ] as const) {
      const error = await failure(call)
      if (!isTyped(error)) throw error
      expect(error.code).toBe('validation')
      expect(error.field).toBe(field)
      expect(error.message.length).toBeLessThan(500)
    }
    expect(await memory.statistics()).toMatchObject({ users: 1, messages: 1, memories: 0, documents: 0 })
  })
}

function itKeepsSecrets(ground: Ground): void {
  it('no error says what the value was', async () => {
    const memory = await seeded(ground)
    const secret = 'hunter2-hunter2'
    const calls: readonly (() => Promise<unknown>)[] = [
      () => talk(memory, 'c', [says(`${secret}\0`)]),
      () => talk(memory, 'c', [says(secret, { role: secret as 'user' })]),
      () => talk(memory, 'c', [says(secret, { id: 'm' })]),
      () => talk(memory, 'c', [says(secret, { parentId: 'nobody' })]),
      () => memory.memories.add({ userId: ADA, content: secret, importance: secret as unknown as number }),
      () => memory.memories.add({ id: 'e', userId: ADA, content: secret }),
      () => memory.users.create({ id: `${secret}\0` }),
      () => memory.users.create({ metadata: { key: `${secret}\ud800` } }),
      () => memory.users.create({ lastActiveAt: secret as unknown as Date }),
      () => memory.search({ text: secret, mode: secret as 'text' }),
      () => memory.messages.list('c', { before: secret }),
      () => memory.messages.get('c', `${secret}\0`),
    ]
    for (const call of calls) {
      const error = await failure(call)
      expect(isTyped(error)).toBe(true)
      if (!isTyped(error)) continue
      const said = [
        error.message,
        error.field,
        error.problem,
        error.stack,
        JSON.stringify(error),
        String(error.cause ?? ''),
      ]
      expect(said.join('\n')).not.toContain(secret)
    }
  })

  it('an unknown field is named with the nearest that is known', async () => {
    const memory = await seeded(ground)
    for (const [call, nearest] of [
      [() => memory.users.create({ nmae: 'x' } as object), 'name'],
      [() => memory.conversations.create({ userId: ADA, tilte: 'x' } as never), 'title'],
      [() => talk(memory, 'c', [{ role: 'user', contents: 'x' } as never]), 'content'],
      [() => memory.memories.add({ userId: ADA, content: 'x', importanec: 1 } as never), 'importance'],
      [() => memory.sessions.create({ userId: ADA, sate: {} } as never), 'state'],
      [() => memory.messages.list('c', { lsat: 1 } as object), 'last'],
      [() => memory.memories.list({ tag: ['x'] } as object), 'tags'],
    ] as const) {
      const error = await failure(call)
      expect(error).toMatchObject({ code: 'validation' })
      expect(isTyped(error) && error.problem).toContain(`"${nearest}"`)
    }
  })
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { TenantMemory, UnitOfWork } from '../../src/contract/memory.js'
import { createBackend, type Memory } from '../../src/index.js'
import { VERBS } from '../../src/unit/verbs.js'
import { listen, pointsOf, spansOf } from './support.js'

listen()
beforeEach(() => void spansOf())

const CANARY = 'canary'
const lines: unknown[] = []
const say = (...line: unknown[]): void => void lines.push(line)
const logger = { debug: say, info: say, warn: say, error: say }

const canary = (of: string): string => `${CANARY} ${of}`
const text = canary('content')
const json = { [canary('key')]: canary('value') }
const user = canary('user')
const chat = canary('conversation')
const message = { id: canary('message'), role: 'user' as const, content: text, metadata: json }

/** Each verb as it is meant, with nothing but canaries in what it is given. */
async function use(memory: TenantMemory | UnitOfWork, run: string): Promise<void> {
  const id = canary(run)
  const { users, conversations, messages, sessions, memories, documents, cache } = memory
  await users.create({ id: `${id} spare`, name: text, profile: json })
  await users.update(`${id} spare`, { preferences: json })
  await users.delete(`${id} spare`)
  await messages.append(
    chat,
    [
      { ...message, id },
      { ...message, id: `${id} 2` },
    ],
    { userId: user, operationId: id },
  )
  await users.get(user)
  await users.list()
  await messages.upsert(chat, { ...message, id })
  await messages.update(chat, id, { content: text })
  await messages.get(chat, id)
  await messages.list(chat)
  for await (const _ of messages.each(chat));
  await messages.turnCount(chat)
  await messages.branch(chat, id, { id: `${id} branch`, title: text })
  await messages.delete(chat, id)
  await messages.clear(chat)
  await conversations.create({ id: `${id} other`, userId: user, title: text, tags: [CANARY] })
  await conversations.update(`${id} other`, { summary: text })
  await conversations.get(`${id} other`)
  await conversations.list({ userId: user })
  await conversations.delete(`${id} other`)
  await sessions.create({ id, userId: user, state: json })
  await sessions.update(id, { state: json })
  await sessions.touch(id)
  await sessions.get(id)
  await sessions.latest(user)
  await sessions.list({ userId: user })
  await sessions.end(id)
  await sessions.delete(id)
  const entry = { userId: user, content: text, source: text, category: CANARY, tags: [CANARY], metadata: json }
  await memories.add({ ...entry, id })
  await memories.addMany([entry, entry])
  await memories.update(id, { content: text })
  await memories.get(id)
  await memories.list({ userId: user, metadata: json })
  await memories.recall({ userId: user, text })
  await memories.delete(id)
  await documents.upsert({ namespace: CANARY, id, content: text, metadata: json })
  await documents.get(CANARY, id)
  await documents.list(CANARY)
  await documents.namespaces()
  await documents.delete(CANARY, id)
  await documents.deleteNamespace(CANARY)
  await cache.set(id, json)
  await cache.get(id)
  await cache.getOrLoad(`${id} loaded`, async () => [text, text])
  await cache.expire(id, 60)
  await cache.delete(id)
  await memory.search({ text, userId: user })
  await memory.context({ userId: user, conversationId: chat, maxTokens: 100 })
  await memory.getContext({ userId: user, conversationId: chat, maxTokens: 100 })
  await memory.statistics({ userId: user })
}

/** The verbs that are only a tenant's. */
async function useDirectly(memory: Memory): Promise<void> {
  await memory.storeMessage(chat, message, { userId: user })
  await memory.retrieveMessages(chat)
  await memory.searchMessages({ text })
  await memory.storeMemory({ id: canary('memory'), userId: user, content: text })
  await memory.retrieveMemories({ text, userId: user })
  await memory.deleteMemory(canary('memory'))
  await memory.createSession({ id: canary('session'), userId: user })
  await memory.getSession(canary('session'))
  await memory.endSession(canary('session'))
  await memory.clearHistory(chat)
  await memory.getStatistics()
  await memory.purgeExpired()
  await memory.sweep()
  await memory.settle({ deadline: 5000 }).catch(() => undefined)
}

/** Each function of these members, called with what it refuses. */
async function misuse(members: object): Promise<void> {
  for (const [name, member] of Object.entries(members)) {
    if (typeof member === 'object' && member !== null && name !== 'events') await misuse(member)
    if (typeof member !== 'function' || /^(connect|close|healthCheck|forTenant|unitOfWork|sweep)$/.test(name)) continue
    for (const args of [[json], [CANARY, json, json, json], [`${CANARY}\0`, CANARY, CANARY]])
      try {
        const answer: unknown = await (member as (...given: unknown[]) => unknown)(...args)
        if (name === 'each') for await (const _ of answer as AsyncIterable<unknown>);
      } catch {}
  }
}

const everything = (names: string[]): string[] =>
  [...Object.entries(VERBS).flatMap(([of, verbs]) => Object.keys(verbs).map((verb) => `${of}.${verb}`))].filter(
    (name) => !names.includes(name),
  )

test('no content, id, key, path or secret is in a span, a metric or a line of the log', async () => {
  const folder = await mkdtemp(join(tmpdir(), `bruno-${CANARY}-`))
  const failing = {
    embedDocuments: () => Promise.reject(new Error(canary('embedding'))),
    embedQuery: () => Promise.reject(new Error(canary('embedding'))),
  }
  const options = {
    databasePath: join(folder, 'memory.db'),
    embeddingFunction: failing,
    embeddingModel: CANARY,
    logger,
  }
  const memory = createBackend('sqlite', options)
  onTestFinished(async () => {
    await memory.close()
    await rm(folder, { recursive: true })
  })
  const tenant = memory.forTenant(CANARY)
  await use(tenant, 'outside')
  await tenant.unitOfWork((unit) => use(unit, 'inside'), { operationId: canary('unit'), fingerprint: text })
  await tenant.unitOfWork((unit) => unit.unitOfWork((inner) => use(inner, 'nested')))
  await useDirectly(memory)
  await tenant.unitOfWork(() => Promise.reject(Object.assign(new Error(text), { name: CANARY }))).catch(() => undefined)
  await misuse(tenant)
  await memory.unitOfWork((unit) => misuse(unit)).catch(() => undefined)
  const spans = spansOf()
  const names = spans.map(({ name }) => name)
  expect(everything(names)).toEqual([])
  expect(spans.filter(({ attributes }) => attributes['error.type']).length).toBeGreaterThan(100)
  const told = [
    ...spans.map(({ name, attributes, events, links, status, resource, instrumentationScope }) => [
      [name, attributes, events, links, status],
      [resource.attributes, instrumentationScope],
    ]),
    ...(await pointsOf()),
    ...lines,
  ]
  expect(told.length).toBeGreaterThan(300)
  expect(JSON.stringify(told)).not.toMatch(new RegExp(CANARY, 'i'))
})

test('no password of a store that cannot be reached is told', async () => {
  for (const [name, options] of [
    ['postgresql', { connectionString: `postgres://${CANARY}:${CANARY}/x@y@127.0.0.1:1/memory`, connectTimeout: 500 }],
    ['postgresql', { connectionString: `postgres://ada:${CANARY}@127.0.0.1:1/memory`, connectTimeout: 500 }],
    ['redis', { url: `redis://ada:${CANARY}@127.0.0.1:1/3`, connectTimeout: 200, callTimeout: 200 }],
    ['qdrant', { url: 'http://127.0.0.1:1', apiKey: CANARY, embeddingDimensions: 2, callTimeout: 200 }],
    ['chromadb', { port: 1, headers: { authorization: CANARY }, embeddingDimensions: 2, callTimeout: 200 }],
  ] as const) {
    const memory = createBackend(name as string, { ...options, logger })
    await expect(memory.memories.list()).rejects.toThrow()
    await memory.close()
  }
  const spans = spansOf()
  expect(spans.map(({ attributes }) => [attributes['db.system.name'], attributes['db.namespace']])).toEqual([
    ['postgresql', undefined],
    ['postgresql', 'memory'],
    ['redis', '3'],
    ['qdrant', undefined],
    ['chromadb', undefined],
  ])
  expect(spans.every(({ attributes }) => attributes['error.type'] !== undefined)).toBe(true)
  const told = spans.map(({ attributes, events, status }) => [attributes, events, status])
  expect(JSON.stringify([told, await pointsOf(), lines])).not.toContain(CANARY)
})

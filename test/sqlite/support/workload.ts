import type { TenantMemory } from '../../../src/contract/memory.js'
import type { Page, PageOptions } from '../../../src/contract/page.js'
import type { MemoryFilter } from '../../../src/contract/repositories.js'
import type { SearchQuery } from '../../../src/contract/search.js'
import { SEARCH_KINDS } from '../../../src/model/records.js'
import { VERBS } from '../../../src/unit/verbs.js'
import { START } from '../../support/clock.js'

export const TENANTS = ['acme', 'globex', 'initech'] as const
export const SOON = new Date(START + 60_000)
const WORDS = 'lisbon tram garden recipe birthday sister violin harbour bicycle winter'.split(' ')
const word = (n: number): string => WORDS[n % WORDS.length] as string
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))

/** Users, conversations, sessions, memories and documents of one tenant: enough for every branch of every verb. */
export async function fillTenant(tenant: TenantMemory): Promise<void> {
  await tenant.unitOfWork(async (unit) => {
    for (let c = 0; c < 12; c++) {
      const [id, userId] = [`c${c}`, `u${c % 4}`]
      await unit.conversations.create({ id, userId, expiresAt: c > 9 ? SOON : null })
      await unit.messages.append(
        id,
        times(20, (i) => ({
          id: `m${i}`,
          role: i % 5 === 0 ? 'system' : i % 2 ? 'user' : 'assistant',
          content: `${word(i)} and ${word(i + c)}`,
          parentId: i > 3 ? `m${i - 3}` : null,
          metadata: { turn: i },
        })),
      )
      await unit.sessions.create({ id: `s${c}`, userId, conversationId: id, expiresAt: c > 9 ? SOON : null })
    }
    await unit.memories.addMany(
      times(60, (i) => ({
        id: `e${i}`,
        userId: `u${i % 4}`,
        conversationId: i % 3 ? `c${i % 12}` : null,
        type: i % 2 ? 'fact' : 'episodic',
        content: `remembers the ${word(i)}`,
        category: word(i + 1),
        tags: [word(i), word(i + 2)],
        importance: (i % 10) / 10,
        metadata: { source: word(i) },
        expiresAt: i > 55 ? SOON : null,
      })),
    )
    await unit.documents.upsert(
      times(60, (i) => ({
        namespace: `n${i % 3}`,
        id: `d${i}`,
        content: `${word(i)} page`,
        metadata: { page: i },
        expiresAt: i > 55 ? SOON : null,
      })),
    )
  })
}

/** Every filter of a memory listing alone, with a user, and some together. */
export const MEMORY_FILTERS: readonly MemoryFilter[] = (() => {
  const single: MemoryFilter[] = [
    {},
    { conversationId: 'c1' },
    { types: ['fact', 'episodic'] },
    { tags: ['lisbon'] },
    { tags: ['lisbon', 'garden'], tagsMatch: 'all' },
    { category: 'tram' },
    { from: new Date(0) },
    { to: new Date(START * 2) },
    { minImportance: 0.2 },
    { minConfidence: 0.2 },
    { metadata: { source: 'lisbon' } },
    { metadata: { source: { in: ['lisbon', 1, null, true] } } },
    { metadata: { source: { gt: 'a', lte: 'z' }, other: { gte: 1, lt: 2 } } },
    { includeExpired: true },
  ]
  return [...single, ...single.map((filter) => ({ ...filter, userId: 'u1' }))]
})()

export const SEARCHES: readonly Omit<SearchQuery, 'text'>[] = (() => {
  const byKind = SEARCH_KINDS.map((kind) => ({ kinds: [kind] }))
  const everywhere = [
    { from: new Date(0) },
    { to: new Date(START * 2) },
    { metadata: { page: 3 } },
    { includeExpired: true },
  ]
  return [
    {},
    ...byKind,
    ...everywhere.flatMap((filter) => byKind.map((kind) => ({ ...kind, ...filter }))),
    { userId: 'u1' },
    { conversationId: 'c1' },
    { userId: 'u1', conversationId: 'c1', roles: ['user'] },
    { roles: ['user', 'system'] },
    { namespace: 'n1' },
    ...MEMORY_FILTERS.map((filter) => ({ kinds: ['memory' as const], ...filter })),
  ]
})()

/** Lists the first page, the one behind it and the one in front of that. */
async function around<T>(list: (window: PageOptions) => Promise<Page<T>>): Promise<void> {
  const first = await list({ limit: 2 })
  if (first.after === null) return
  const second = await list({ after: first.after, limit: 2 })
  if (second.before !== null) await list({ before: second.before, limit: 2 })
}

const flags = [undefined, true] as const

export async function callReads(tenant: TenantMemory): Promise<void> {
  await tenant.users.get('u1')
  await around((window) => tenant.users.list(window))
  for (const includeExpired of flags) {
    await tenant.conversations.get('c1', { includeExpired })
    await tenant.messages.get('c1', 'm1', { includeExpired })
    await tenant.sessions.get('s1', { includeExpired })
    await tenant.memories.get('e1', { includeExpired })
    await tenant.documents.get('n1', 'd1', { includeExpired })
    await around((window) => tenant.documents.list('n1', { ...window, includeExpired }))
    for (const userId of [undefined, 'u1']) {
      await around((window) => tenant.conversations.list({ ...window, userId, includeExpired }))
      for (const active of flags)
        await around((window) => tenant.sessions.list({ ...window, userId, active, includeExpired }))
    }
    for (const roles of [undefined, ['user', 'system'] as const]) {
      await around((window) => tenant.messages.list('c1', { ...window, roles, includeExpired }))
      await tenant.messages.list('c1', { first: 3, roles, includeExpired })
      await tenant.messages.list('c1', { last: 3, roles, includeExpired })
    }
  }
  for (const filter of MEMORY_FILTERS) await around((window) => tenant.memories.list({ ...filter, ...window }))
  await around((window) => tenant.documents.namespaces(window))
  await tenant.messages.turnCount('c1')
  await tenant.sessions.latest('u1')
  await tenant.statistics()
  await tenant.statistics({ userId: 'u1' })
}

export async function callSearches(tenant: TenantMemory): Promise<void> {
  for (const filter of SEARCHES) await tenant.search({ text: 'lisbon tram', ...filter })
  for (const filter of MEMORY_FILTERS) {
    await tenant.memories.recall({ text: 'lisbon', ...filter })
    await tenant.memories.recall(filter)
  }
}

export async function callWrites(tenant: TenantMemory): Promise<void> {
  await tenant.users.create({ id: 'new' })
  await tenant.users.update('u1', { name: 'Ada' })
  await tenant.conversations.create({ id: 'made', userId: 'new' })
  await tenant.conversations.update('c1', { title: 'Lisbon' })
  await tenant.messages.append('c1', { role: 'user', content: 'one more', parentId: 'm1' })
  await tenant.messages.append('c1', { role: 'user', content: 'of the same user' }, { userId: 'u1' })
  await tenant.messages.append('fresh', { role: 'user', content: 'first' }, { userId: 'stranger' })
  await tenant.messages.upsert('c1', [
    { id: 'm2', role: 'user', content: 'changed', parentId: 'm1' },
    { id: 'm-new', role: 'user', content: 'made' },
  ])
  await tenant.messages.update('c1', 'm3', { content: 'changed too' })
  await tenant.messages.delete('c1', 'm4')
  await tenant.messages.branch('c2', 'm9', { id: 'branch' })
  const { after } = await tenant.messages.list('c3', { first: 4 })
  await tenant.messages.clear('c3', { before: after ?? undefined })
  await tenant.messages.clear('c3', { before: new Date(START + 1), keepSystem: false })
  await tenant.messages.clear('c4')
  await tenant.sessions.create({ id: 'made', userId: 'u1' })
  await tenant.sessions.update('s1', { state: { step: 1 } })
  await tenant.sessions.touch('s1')
  await tenant.sessions.end('s1')
  await tenant.sessions.delete('s2')
  await tenant.memories.add({ id: 'made', userId: 'u1', content: 'new' })
  await tenant.memories.addMany([{ userId: 'u1', content: 'another' }])
  await tenant.memories.update('e1', { content: 'changed' })
  await tenant.memories.delete('e2')
  await tenant.documents.upsert([
    { namespace: 'n1', id: 'd1', content: 'replaced' },
    { namespace: 'n1', id: 'made', content: 'new' },
  ])
  await tenant.documents.delete('n1', 'd4')
  await tenant.documents.deleteNamespace('n2')
  for (const text of ['first run', 'first run'])
    await tenant.messages.append('c5', { id: 'op', role: 'user', content: text }, { operationId: 'op-1' })
  await tenant.unitOfWork(async (unit) => {
    await unit.messages.append('c5', { role: 'user', content: 'in a unit' })
    await unit.unitOfWork((inner) => inner.memories.add({ userId: 'u1', content: 'nested' }))
  })
  await tenant.conversations.delete('c1')
  await tenant.users.delete('u2')
}

/** A tenant that notes which verbs are called on it, as `messages.append`. */
export function noting(tenant: TenantMemory, called: Set<string>): TenantMemory {
  const repository = (name: keyof typeof VERBS) =>
    new Proxy(tenant[name], {
      get(target, verb, receiver) {
        called.add(`${name}.${String(verb)}`)
        return Reflect.get(target, verb, receiver)
      },
    })
  const noted = Object.fromEntries((Object.keys(VERBS) as (keyof typeof VERBS)[]).map((n) => [n, repository(n)]))
  return { ...tenant, ...noted }
}

export const allVerbs = (): string[] =>
  Object.entries(VERBS).flatMap(([repository, verbs]) => Object.keys(verbs).map((verb) => `${repository}.${verb}`))

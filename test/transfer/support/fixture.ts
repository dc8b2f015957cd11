import { createBackend } from '../../../src/backend.js'
import type { Memory, TenantMemory } from '../../../src/contract/memory.js'

/** Length of the vectors that the records bring. */
export const DIMENSIONS = 8
export const TENANTS = ['acme', 'default'] as const
const CONVERSATIONS = ['chat 1', 'chat:2', 'Chat 1']
const NAMESPACES = ['handbook', 'Handbook']

function vectorOf(n: number): Float32Array {
  const vector = Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(n * 12.9898 + i * 78.233))
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

const text = (tenant: string, what: string, n: number): string => `secret ${what} ${n} of ${tenant}, naïve 日本語 🙂`

async function fill(memory: TenantMemory, tenant: string, size: number): Promise<void> {
  await memory.users.create({ id: 'ada', name: 'Ada', preferences: { theme: 'dark' }, metadata: { n: 1.5 } })
  for (const [i, id] of CONVERSATIONS.entries()) {
    await memory.conversations.create({ id, userId: 'ada', title: `title ${i}`, tags: ['a', 'b'], metadata: { i } })
    const messages = numbers(size).map((n) => ({
      id: `m${n}`,
      role: n % 2 ? ('assistant' as const) : ('user' as const),
      content: text(tenant, id, n),
      metadata: { n, nested: { list: [1, 'two', null] } },
      ...(n > 0 && { parentId: `m${n - 1}` }),
      vector: vectorOf(n + i * 1000),
    }))
    await memory.messages.append(id, messages)
    await memory.messages.delete(id, `m${size - 1}`)
  }
  await memory.sessions.create({ id: 's1', userId: 'ada', conversationId: 'chat 1', state: { step: 2 } })
  await memory.memories.addMany(
    numbers(size).map((n) => ({
      id: n % 2 ? `e${n}` : `E${n}`,
      userId: 'ada',
      type: 'fact' as const,
      content: text(tenant, 'fact', n),
      importance: (n % 10) / 10,
      tags: ['x', `t${n}`],
      vector: vectorOf(n + 5000),
      ...(n === 3 && { expiresAt: new Date('2099-01-01T00:00:00Z') }),
    })),
  )
  for (const namespace of NAMESPACES)
    await memory.documents.upsert(
      numbers(size).map((n) => ({
        id: `d${n}`,
        namespace,
        content: text(tenant, namespace, n),
        metadata: { page: n },
        vector: vectorOf(n + 9000),
      })),
    )
}

/** Fills an SQLite file with records of every kind, about twelve times `size`. */
export async function fillSqlite(url: string, size: number): Promise<void> {
  await using memory = createBackend(url, { embeddingDimensions: DIMENSIONS })
  for (const tenant of TENANTS) await fill(memory.forTenant(tenant), tenant, size)
}

/** What reads show of everything that is there, as texts in their order; of what the memory can hold. */
export async function contentOf(memory: Memory): Promise<Record<string, string[]>> {
  const { capabilities: can } = memory
  const found: Record<string, string[]> = {}
  for (const tenant of TENANTS) {
    const here = memory.forTenant(tenant)
    const put = (kind: string, items: readonly object[]) => {
      found[`${tenant} ${kind}`] = items.map((item) => JSON.stringify(item))
    }
    for (const id of CONVERSATIONS) {
      const messages = await all(here.messages.each(id))
      put(
        `messages of ${id}`,
        messages.map(({ position: _, ...message }) => message),
      )
    }
    put('memories', sorted(await all(here.memories.each({ includeExpired: true }))))
    if (can.users) put('users', sorted(await all(here.users.each())))
    if (can.conversations) put('conversations', sorted(await all(here.conversations.each())))
    if (can.documents) for (const namespace of NAMESPACES) put(namespace, await all(here.documents.each(namespace)))
  }
  return found
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const sorted = <T extends { readonly id: string }>(items: T[]): T[] => items.sort((a, b) => (a.id < b.id ? -1 : 1))

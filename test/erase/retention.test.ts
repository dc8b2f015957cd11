import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { TenantMemory } from '../../src/contract/memory.js'
import { UnsupportedError, ValidationError } from '../../src/errors.js'
import { DAY, manualClock } from '../support/clock.js'
import { dispose, freshMemory, leaveServer, miscounted, SQL_ENGINES } from './stores.js'

afterEach(dispose)
afterAll(leaveServer)

const contents = async (tenant: TenantMemory, id: string) =>
  (await tenant.messages.list(id, { last: 100 })).items.map(({ content }) => content)

describe.each(SQL_ENGINES)('retention in %s', (engine) => {
  async function begun() {
    const clock = manualClock()
    const memory = await freshMemory(engine, { clock: clock.now })
    return { clock, memory, acme: memory.forTenant('acme') }
  }

  test('removes messages older than some days; a reply stands without its parent', async () => {
    const { clock, memory, acme } = await begun()
    const say = (id: string, role: 'user' | 'system', parentId?: string) =>
      acme.messages.append('c', { id, role, content: id, ...(parentId && { parentId }) }, { userId: 'ada' })
    await say('rule', 'system')
    await say('old', 'user')
    clock.advance(10 * DAY)
    await say('new', 'user', 'old')
    const policy = { messageDays: 5 }
    expect(await memory.retain(policy, { dryRun: true })).toMatchObject({ dryRun: true, messages: 1, tenants: 1 })
    expect(await contents(acme, 'c')).toEqual(['rule', 'old', 'new'])
    const before = await acme.conversations.get('c')
    expect(await memory.retain(policy)).toMatchObject({ dryRun: false, messages: 1 })
    expect(await contents(acme, 'c')).toEqual(['rule', 'new'])
    expect((await acme.messages.get('c', 'new'))?.parentId).toBe(null)
    expect(await acme.conversations.get('c')).toMatchObject({
      messageCount: 2,
      lastPosition: before?.lastPosition,
      updatedAt: before?.updatedAt,
    })
    expect(await memory.retain({ ...policy, keepSystem: false })).toMatchObject({ messages: 1 })
    expect(await contents(acme, 'c')).toEqual(['new'])
    expect(await memory.retain(policy)).toMatchObject({ messages: 0 })
  })

  test('keeps the newest messages of each conversation, in small batches', async () => {
    const { memory, acme } = await begun()
    for (const id of ['a', 'b', 'short'])
      await acme.messages.append(
        id,
        Array.from({ length: id === 'short' ? 3 : 25 }, (_, i) => ({ role: 'user' as const, content: `${i}` })),
        { userId: 'ada' },
      )
    const policy = { messagesPerConversation: 4 }
    expect(await memory.retain(policy, { dryRun: true })).toMatchObject({ messages: 42 })
    expect(await memory.retain(policy, { batch: 5 })).toMatchObject({ messages: 42 })
    expect(await contents(acme, 'a')).toEqual(['21', '22', '23', '24'])
    expect(await contents(acme, 'short')).toEqual(['0', '1', '2'])
    expect(await miscounted(memory, 'acme')).toEqual([])
    const [next] = await acme.messages.append('a', { role: 'user', content: 'on' })
    expect(next?.position).toBeGreaterThan(24)
    expect(await memory.retain({ messagesPerConversation: 0 }, { tenantId: 'acme' })).toMatchObject({ messages: 12 })
  })

  test('removes idle conversations, old memories and ended sessions, in one tenant or all', async () => {
    const { clock, memory, acme } = await begun()
    for (const tenant of [acme, memory.forTenant('other')]) {
      await tenant.messages.append('idle', { role: 'user', content: 'hello' }, { userId: 'ada' })
      await tenant.memories.add({ userId: 'ada', content: 'old' })
      const { id } = await tenant.sessions.create({ userId: 'ada', conversationId: 'idle' })
      await tenant.sessions.end(id)
      await tenant.sessions.create({ id: 'open', userId: 'ada', conversationId: 'idle' })
    }
    clock.advance(30 * DAY)
    await acme.messages.append('busy', { role: 'user', content: 'hello' }, { userId: 'ada' })
    await acme.memories.add({ userId: 'ada', content: 'new' })
    const policy = { inactiveConversationDays: 20, memoryDays: 20, endedSessionDays: 20 }
    const one = { conversations: 1, messages: 1, memories: 1, sessions: 1 }
    expect(await memory.retain(policy, { dryRun: true, tenantId: 'acme' })).toMatchObject({ tenants: 1, ...one })
    expect(await memory.retain(policy, { tenantId: 'acme' })).toMatchObject({ tenants: 1, ...one })
    expect(await memory.retain(policy)).toMatchObject({ tenants: 2, ...one })
    expect((await acme.conversations.list()).items.map(({ id }) => id)).toEqual(['busy'])
    expect((await acme.memories.list()).items.map(({ content }) => content)).toEqual(['new'])
    expect(await acme.sessions.get('open')).toMatchObject({ conversationId: null })
  })

  test('refuses a policy that says nothing, or something wrong', async () => {
    const { memory } = await begun()
    for (const wrong of [{}, { keepSystem: true }, { messageDays: -1 }, { messagesPerConversation: 1.5 }, { days: 3 }])
      await expect(memory.retain(wrong as never)).rejects.toThrow(ValidationError)
  })
})

test('Redis keeps by ttl, and says so', async () => {
  const memory = await freshMemory('redis')
  await expect(memory.retain({ messageDays: 1 })).rejects.toThrow(UnsupportedError)
})

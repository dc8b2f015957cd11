import type { AgentInputItem } from '@openai/agents-core'
import { isSessionHistoryRewriteAwareSession } from '@openai/agents-core'
import { beforeEach, describe, expect, inject, test } from 'vitest'
import { createBackend, type Memory } from '../../src/index.js'
import { MemorySession } from '../../src/integrations/openai-agents/index.js'
import { freshEnd } from '../transfer/support/ends.js'

const ITEMS: AgentInputItem[] = [
  { role: 'user', content: 'book a table in Lisbon' },
  { type: 'reasoning', id: 'rs1', content: [{ type: 'input_text', text: 'thinking' }] },
  { type: 'function_call', callId: 'c1', name: 'book', arguments: '{"city":"Lisbon"}', status: 'completed' },
  {
    type: 'function_call_result',
    callId: 'c1',
    name: 'book',
    status: 'completed',
    output: { type: 'text', text: 'booked' },
  },
  { role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'done, at eight' }] },
]

describe.each(['sqlite', 'postgresql'] as const)('a session of the OpenAI Agents SDK in %s', (name) => {
  let memory: Memory
  let url: string
  beforeEach(async () => {
    const end = await freshEnd(name, inject('servers'))
    url = end.url
    memory = createBackend(url)
    return async () => {
      await memory.close()
      await end.remove()
    }
  })
  const session = (tenant = 'acme', sessionId = 's1') =>
    new MemorySession({ memory: memory.forTenant(tenant), sessionId, userId: 'ada' })

  test('answers items as they were added, the newest so many where a limit is given', async () => {
    expect(await session().getItems()).toEqual([])
    await session().addItems(ITEMS)
    expect(await session().getItems()).toEqual(ITEMS)
    expect(await session().getItems(2)).toEqual(ITEMS.slice(-2))
    expect(await session().getItems(0)).toEqual([])
    expect(await session('other').getItems()).toEqual([])
    expect(await session().getSessionId()).toBe('s1')
  })

  test('goes through more items than a page holds', async () => {
    const many = Array.from({ length: 450 }, (_, n): AgentInputItem => ({ role: 'user', content: `item ${n}` }))
    await session().addItems(many)
    expect(await session().getItems()).toEqual(many)
    expect(await session().getItems(301)).toEqual(many.slice(-301))
  })

  test('its words are found, calls and their answers by their roles', async () => {
    await session().addItems(ITEMS)
    const [hit] = await memory.forTenant('acme').search({ text: 'Lisbon' })
    expect(hit?.record.content).toBe('book a table in Lisbon')
    const { items } = await memory.forTenant('acme').messages.list('s1')
    expect(items.map(({ role }) => role)).toEqual(['user', 'assistant', 'assistant', 'tool', 'assistant'])
    expect(items.map(({ toolCallId }) => toolCallId)).toEqual([null, null, 'c1', 'c1', null])
  })

  test('pops the newest item; two callers are given two', async () => {
    expect(await session().popItem()).toBeUndefined()
    await session().addItems(ITEMS)
    const popped = await Promise.all([session().popItem(), session().popItem()])
    const byType = (items: readonly (AgentInputItem | undefined)[]) =>
      [...items].sort((a, b) => String(a?.type).localeCompare(String(b?.type)))
    expect(byType(popped)).toEqual(byType(ITEMS.slice(-2)))
    expect(await session().getItems()).toEqual(ITEMS.slice(0, 3))
  })

  test('is cleared, and goes on', async () => {
    await session().addItems(ITEMS)
    await session().clearSession()
    expect(await session().getItems()).toEqual([])
    await session().addItems(ITEMS.slice(0, 1))
    expect(await session().getItems()).toEqual(ITEMS.slice(0, 1))
  })

  test('puts another call in the place of a stored one', async () => {
    const one = session()
    expect(isSessionHistoryRewriteAwareSession(one)).toBe(true)
    await one.addItems(ITEMS)
    const replacement = { ...ITEMS[2], arguments: '{}' } as Extract<AgentInputItem, { type: 'function_call' }>
    await one.applyHistoryMutations({ mutations: [{ type: 'replace_function_call', callId: 'c1', replacement }] })
    expect(await one.getItems()).toEqual([...ITEMS.slice(0, 2), replacement, ...ITEMS.slice(3)])
  })

  test('an item that cannot be stored leaves none of them', async () => {
    const bad = { role: 'user', content: 'a\0b' } as AgentInputItem
    await expect(session().addItems([...ITEMS, bad])).rejects.toMatchObject({ code: 'validation' })
    expect(await session().getItems()).toEqual([])
  })
})

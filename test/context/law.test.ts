import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Context, ContextStrategy } from '../../src/contract/context.js'
import type { NewMessage } from '../../src/model/inputs.js'
import { costOf, invalid, WORDS, words } from '../conformance/context-fixtures.js'

const memory = createBackend('sqlite', { databasePath: ':memory:', tokenizer: WORDS })
afterAll(() => memory.close())

/** Few ids, so that calls and results meet, cross, repeat and miss one another. */
const id = fc.constantFrom('1', '2', '3')
const content = fc.integer({ min: 0, max: 12 }).map((n) => words(n))
const call = id.map((toolCallId) => ({ type: 'tool-call', toolCallId, toolName: 'look', input: {} }))
const status = fc.constantFrom('complete', 'complete', 'complete', 'draft', 'aborted') as fc.Arbitrary<
  NonNullable<NewMessage['status']>
>
const spoken = fc.record({ role: fc.constantFrom('user', 'user', 'assistant', 'system'), content, status })
const asking = fc.record({
  role: fc.constant('assistant'),
  content,
  status,
  parts: fc.array(call, { minLength: 1, maxLength: 3 }),
})
const answering = fc.record({ role: fc.constantFrom('tool', 'function'), content, status, toolCallId: id })
/** Calls with their results, as a model and its tools make them. */
const exchanged = fc
  .uniqueArray(id, { minLength: 1, maxLength: 3 })
  .map((ids) => [
    { role: 'assistant', content: 'looking', parts: ids.map((each) => ({ type: 'tool_use', id: each, name: 'look' })) },
    ...ids.toReversed().map((toolCallId) => ({ role: 'tool', content: 'found', toolCallId })),
  ])
const conversation = fc
  .array(fc.oneof(fc.array(fc.oneof(spoken, asking, answering), { minLength: 1, maxLength: 1 }), exchanged), {
    minLength: 1,
    maxLength: 25,
  })
  .map((groups) => groups.flat() as NewMessage[])
  // A message must hold something: blank content needs parts.
  .map((messages) =>
    messages.map((m, i) => ({ ...m, id: `${i}`, ...(!m.content && !m.parts && { parts: [{ type: 'image' }] }) })),
  )
const strategy = fc.constantFrom<ContextStrategy>('recent', 'relevant', 'important', 'mixed')

function checkAlone(context: Context, maxTokens: number, maxMessages: number): void {
  const llm = context.toLLM()
  expect(invalid(llm)).toBeNull()
  expect(context.tokens).toBeLessThanOrEqual(maxTokens)
  const counted = llm.map(({ content, name, tool_calls, tool_call_id }) =>
    costOf([content, name, tool_calls && JSON.stringify(tool_calls), tool_call_id].filter(Boolean).join(' ')),
  )
  expect(context.tokens).toBe(counted.reduce((a, b) => a + b, 0))
  expect(context.messages.length).toBeLessThanOrEqual(maxMessages)
  const turns = context.messages.filter(({ role }) => role !== 'system')
  expect(context.messages.slice(0, -turns.length || undefined).every(({ role }) => role === 'system')).toBe(true)
  for (const list of [turns, context.messages.filter(({ role }) => role === 'system')])
    expect(list.map(({ position }) => position)).toEqual(list.map(({ position }) => position).toSorted((a, b) => a - b))
  expect(new Set(context.messages.map((m) => m.id)).size).toBe(context.messages.length)
  expect(context.messages.some((m) => m.status === 'draft')).toBe(false)
}

let number = 0

test('any conversation under any limits: valid, within the limits, the newest, and never less for more', async () => {
  const memories = fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 8 })
  const limits = fc.tuple(fc.integer({ min: 1, max: 250 }), fc.integer({ min: 0, max: 40 }))
  await fc.assert(
    fc.asyncProperty(conversation, memories, strategy, limits, async (messages, sizes, strategy, limit) => {
      const [maxTokens, maxMessages] = limit
      const userId = `u${++number}`
      await memory.messages.append(userId, messages, { userId })
      await memory.memories.addMany(sizes.map((n, i) => ({ userId, content: `w${i} ${words(n)}` })))
      const ask = (more: object) =>
        memory.context({ userId, conversationId: userId, strategy, maxTokens, maxMessages, text: 'w w1', ...more })
      const context = await ask({})
      checkAlone(context, maxTokens, maxMessages)
      const asked = messages.findLast((m) => m.role === 'user' && m.status !== 'draft')
      const fits = asked && maxMessages > 0 && (!asked.content || costOf(asked.content) <= maxTokens)
      if (fits) expect(context.messages.map((m) => m.id)).toContain(asked.id)
      for (const more of [
        { maxTokens: maxTokens + 1 },
        { maxTokens: maxTokens + 37 },
        { maxMessages: maxMessages + 1 },
      ])
        if (fits || !asked) {
          const kept = new Set((await ask(more)).messages.map((m) => m.id))
          expect(kept.size).toBeGreaterThanOrEqual(context.messages.length)
        }
      if (!context.truncated) {
        const all = await ask({ maxTokens: 100_000, maxMessages: 1000, strategy: 'recent' })
        expect(context.messages).toEqual(all.messages)
      }
    }),
    { numRuns: 400 },
  )
}, 120_000)

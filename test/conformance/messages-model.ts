import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Memory } from '../../src/contract/memory.js'
import { failure, isTyped } from './expecting.js'
import { ADA, backward, collect, forward } from './fixtures.js'
import { type Harness, suite } from './harness.js'
import { type Made, ModelConversation } from './messages-model-state.js'
import { type PlayedStep, series, settle } from './messages-model-steps.js'

export function describeMessagesModel(harness: Harness): void {
  suite(harness, 'messages: against a model', ['messages', 'conversations', 'atomicUnit'], (ground) => {
    it('any series of verbs leaves what a plain list would hold', { timeout: 60_000 }, async () => {
      const memory = await ground.open()
      let made = 0
      const newId = () => `i${++made}`
      const property = fc.asyncProperty(series, fc.integer({ min: 1, max: 5 }), async (steps, limit) => {
        const conversationId = newId()
        await memory.conversations.create({ id: conversationId, userId: ADA })
        const model = new ModelConversation()
        for (const step of steps) await play(memory, conversationId, model, settle(step, model, newId))
        await compare(memory, conversationId, model.messages, limit)
        const { messageCount, lastPosition } = (await memory.conversations.get(conversationId)) ?? {}
        expect(messageCount).toBe(model.messages.length)
        expect(lastPosition).toBeGreaterThanOrEqual(model.messages.at(-1)?.position ?? 0)
        expect(await memory.messages.turnCount(conversationId)).toBe(model.turns())
      })
      await fc.assert(property, { numRuns: 50 })
    })
  })
}

/** Does the same to both; what the model refuses must be refused with the same code, and the other way round. */
async function play(memory: Memory, conversationId: string, model: ModelConversation, step: PlayedStep): Promise<void> {
  const { messages } = memory
  if (step.verb === 'branch') return branch(memory, conversationId, model, step.id)
  const expected = model.play(step)
  let answer: unknown
  const error = await failure(async () => {
    if (step.verb === 'append') answer = await messages.append(conversationId, step.batch)
    if (step.verb === 'upsert') answer = await messages.upsert(conversationId, step.batch)
    if (step.verb === 'update') answer = await messages.update(conversationId, step.id, { content: step.content })
    if (step.verb === 'delete') answer = await messages.delete(conversationId, step.id)
    if (step.verb === 'clear') answer = await messages.clear(conversationId, { keepSystem: step.keepSystem })
  })
  if (error !== null && !isTyped(error)) throw error
  if (expected.refused) return expect(expected.refused).toContain(error?.code)
  expect(error).toBeNull()
  if (expected.deleted !== undefined) expect(answer).toBe(expected.deleted)
  if (Array.isArray(answer)) model.place(answer as Made[])
}

async function branch(memory: Memory, conversationId: string, model: ModelConversation, id: string): Promise<void> {
  const copied = model.upTo(id)
  const error = await failure(async () => {
    const made = await memory.messages.branch(conversationId, id)
    await compare(memory, made.id, copied ?? [], 3)
    expect(made.messageCount).toBe(copied?.length)
  })
  if (error !== null && !isTyped(error)) throw error
  expect(error?.code).toBe(copied ? undefined : 'not-found')
}

async function compare(
  memory: Memory,
  conversationId: string,
  expected: readonly Made[],
  limit: number,
): Promise<void> {
  const list = (options: object) => memory.messages.list(conversationId, options)
  const view = (all: readonly Made[]) => all.map((m) => [m.position, m.id, m.role, m.content, m.parentId])
  const wanted = view(expected)
  expect(view(await forward(list, await list({ first: limit }), limit))).toEqual(wanted)
  expect(view(await backward(list, await list({ last: limit }), limit))).toEqual(wanted)
  expect(view(await collect(memory.messages.each(conversationId)))).toEqual(wanted)
}

import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBackend, type Memory } from '../../src/index.js'
import { MemoryChatHistory, MemoryRetriever } from '../../src/integrations/langchain/index.js'

let memory: Memory
beforeEach(() => {
  memory = createBackend('sqlite', { databasePath: ':memory:', tenancy: 'required' })
})
afterEach(() => memory.close())

const history = (tenant = 'acme', last?: number) =>
  new MemoryChatHistory({ memory: memory.forTenant(tenant), conversationId: 'chat', userId: 'ada', last })

const MESSAGES = [
  new SystemMessage('be kind'),
  new HumanMessage({ id: 'h1', content: [{ type: 'text', text: 'where is Lisbon?' }], name: 'ada' }),
  new AIMessage({
    content: '',
    tool_calls: [{ id: 'c1', name: 'lookUp', args: { city: 'Lisbon' } }],
    response_metadata: { model: 'x' },
  }),
  new ToolMessage({ content: 'in Portugal', tool_call_id: 'c1', name: 'lookUp' }),
  new AIMessage('It is in Portugal.'),
]

test('messages come back as they were added, in their classes', async () => {
  await history().addMessages(MESSAGES)
  await history().addUserMessage('thanks')
  await history().addAIMessage('you are welcome')
  const messages = await history().getMessages()
  expect(messages.map((each) => each.toDict())).toEqual(
    [...MESSAGES, new HumanMessage('thanks'), new AIMessage('you are welcome')].map((each) => each.toDict()),
  )
  expect((messages[2] as AIMessage).tool_calls).toEqual(MESSAGES[2] && (MESSAGES[2] as AIMessage).tool_calls)
  expect(messages[3]).toBeInstanceOf(ToolMessage)
  expect(await history('other').getMessages()).toEqual([])
  expect((await history('acme', 2).getMessages()).map(({ text }) => text)).toEqual(['thanks', 'you are welcome'])
})

test('they are messages of the memory too: roles, texts and calls', async () => {
  await history().addMessages(MESSAGES)
  const { items } = await memory.forTenant('acme').messages.list('chat')
  expect(items.map(({ role, content }) => [role, content])).toEqual([
    ['system', 'be kind'],
    ['user', 'where is Lisbon?'],
    ['assistant', ''],
    ['tool', 'in Portugal'],
    ['assistant', 'It is in Portugal.'],
  ])
  expect(items.map(({ toolCallId }) => toolCallId)).toEqual([null, null, null, 'c1', null])
})

test('a history is cleared', async () => {
  await history().addMessages(MESSAGES)
  await history().clear()
  expect(await history().getMessages()).toEqual([])
})

test('a retriever finds what one tenant knows, with where it is from', async () => {
  const acme = memory.forTenant('acme')
  await acme.documents.upsert([
    { namespace: 'guide', id: 'p1', content: 'Lisbon has seven hills', metadata: { page: 1 } },
  ])
  await acme.documents.upsert([{ namespace: 'guide', id: 'p2', content: 'Porto has bridges' }])
  await memory.forTenant('other').documents.upsert([{ namespace: 'guide', id: 'x', content: 'Lisbon, a secret' }])
  const found = await new MemoryRetriever({ memory: acme, query: { kinds: ['document'], limit: 5 } }).invoke(
    'hills of Lisbon',
  )
  expect(found.map(({ id, pageContent }) => [id, pageContent])).toEqual([['p1', 'Lisbon has seven hills']])
  expect(found[0]?.metadata).toMatchObject({ page: 1, kind: 'document', score: expect.any(Number) })
  await expect(new MemoryRetriever({ memory: acme, query: { limit: 0 } }).invoke('x')).rejects.toThrow(/limit/)
})

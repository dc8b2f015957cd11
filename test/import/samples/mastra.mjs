// Conversations that an agent of Mastra's had, in the file that its LibSQL store makes of them. Needs Node 22.
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Agent } from '@mastra/core/agent'
import { createTool } from '@mastra/core/tools'
import { LibSQLStore } from '@mastra/libsql'
import { Memory } from '@mastra/memory'
import { z } from 'zod'

const file = process.argv[2] ?? 'mastra.sqlite'
for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })

/** A model that gives what it was told to give, one answer after the other. */
const scripted = (...answers) => ({
  specificationVersion: 'v2',
  provider: 'scripted',
  modelId: 'scripted-1',
  supportedUrls: {},
  async doGenerate() {
    const content = answers.shift() ?? []
    const called = content.some(({ type }) => type === 'tool-call')
    const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
    return { content, finishReason: called ? 'tool-calls' : 'stop', usage, warnings: [] }
  },
  async doStream() {
    const { content, finishReason, usage } = await this.doGenerate()
    const chunks = content.flatMap((part, i) =>
      part.type === 'tool-call'
        ? [part]
        : [
            { type: `${part.type}-start`, id: `${i}` },
            { type: `${part.type}-delta`, id: `${i}`, delta: part.text },
            { type: `${part.type}-end`, id: `${i}` },
          ],
    )
    const all = [{ type: 'stream-start', warnings: [] }, ...chunks, { type: 'finish', finishReason, usage }]
    const stream = new ReadableStream({
      start(controller) {
        for (const chunk of all) controller.enqueue(chunk)
        controller.close()
      },
    })
    return { stream }
  },
})

const weather = createTool({
  id: 'weather',
  description: 'The weather in a city',
  inputSchema: z.object({ city: z.string() }),
  outputSchema: z.object({ celsius: z.number() }),
  execute: async () => ({ celsius: 21 }),
})

const storage = new LibSQLStore({ id: 'sample', url: `file:${file}` })
const workingMemory = { enabled: true, scope: 'resource', template: '# User\n- Name:\n- City:' }
const memory = new Memory({ storage, options: { lastMessages: 20, workingMemory } })
const agentOf = (model) =>
  new Agent({ id: 'guide', name: 'guide', instructions: 'Help.', model, memory, tools: { weather } })

await memory.createThread({
  threadId: 'trip',
  resourceId: 'ada',
  title: 'A trip to Lisbon',
  metadata: { topic: 'travel' },
})
const trip = { memory: { thread: 'trip', resource: 'ada' } }
await agentOf(
  scripted(
    [
      { type: 'reasoning', text: 'The tool knows the weather.' },
      { type: 'tool-call', toolCallId: 'call-1', toolName: 'weather', input: '{"city":"Lisbon"}' },
    ],
    [{ type: 'text', text: 'It is 21 degrees in Lisbon.' }],
  ),
).generate('How warm is it in Lisbon? 🌞', trip)
await agentOf(scripted([{ type: 'text', text: 'A harbour, it seems.' }])).generate(
  [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is on this picture?' },
        { type: 'image', image: 'data:image/png;base64,iVBORw0KGgo=', mimeType: 'image/png' },
      ],
    },
  ],
  trip,
)
await memory.updateWorkingMemory({
  threadId: 'trip',
  resourceId: 'ada',
  workingMemory: '# User\n- Name: Ada\n- City: Lisbon',
})

// Another person; a thread whose working memory is its own; one without messages.
await memory.createThread({ threadId: 'recipes', resourceId: 'ben', metadata: { workingMemory: '# Likes\n- soup' } })
await agentOf(scripted([{ type: 'text', text: 'Try a caldo verde.' }]))
  .stream('Which soup?', {
    memory: { thread: 'recipes', resource: 'ben' },
  })
  .then((answer) => answer.consumeStream())
await memory.createThread({ threadId: 'empty', resourceId: 'ben', title: 'Nothing yet' })

const store = await storage.getStore('memory')
const message = (id, role, threadId, text) => ({
  id,
  role,
  threadId,
  resourceId: 'ada',
  createdAt: new Date('2026-01-31T12:00:00.123Z'),
  content: { format: 2, content: text, parts: [{ type: 'text', text }] },
})
// A role that is Mastra's alone, a message of another resource, and one whose thread is gone.
await store.saveMessages({ messages: [message('signal-1', 'signal', 'recipes', 'Dinner is at eight.')] })
await store.saveMessages({ messages: [message('guest-1', 'user', 'recipes', 'I am Ada.')] })
await memory.createThread({ threadId: 'gone', resourceId: 'ada' })
await store.saveMessages({ messages: [message('gone-1', 'user', 'gone', 'Lost words.')] })

const observed = await store.initializeObservationalMemory({
  threadId: null,
  resourceId: 'ada',
  scope: 'resource',
  config: {},
})
await store.updateActiveObservations({
  id: observed.id,
  observations: '* Ada travels to Lisbon in May.',
  tokenCount: 8,
  lastObservedAt: new Date('2026-02-01T00:00:00Z'),
})
await memory.settled?.()
await storage.close?.()

const rows = new DatabaseSync(file)
rows.exec("DELETE FROM mastra_threads WHERE id = 'gone'")
// Most of the file is empty tables: small pages keep it small.
rows.exec('PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM')
rows.close()

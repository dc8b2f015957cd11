import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createBackend, type Memory } from '../../src/index.js'
import { ChatStore } from '../../src/integrations/ai-sdk/index.js'

let folder: string
let url: string
let memory: Memory
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bruno-memory-ai-'))
  url = `sqlite:${join(folder, 'memory.db')}`
  memory = createBackend(url, { tenancy: 'required' })
})
afterEach(async () => {
  await memory.close()
  rmSync(folder, { recursive: true, force: true })
})

const store = (tenant = 'acme') => new ChatStore({ memory: memory.forTenant(tenant), userId: 'ada' })
const says = (id: string, role: 'user' | 'assistant', text: string): UIMessage => ({
  id,
  role,
  parts: [{ type: 'text', text }],
})

const CHAT: UIMessage[] = [
  { ...says('u1', 'user', 'where is Lisbon?'), metadata: { sentAt: 1.5, tags: ['a', null] } },
  {
    id: 'a1',
    role: 'assistant',
    parts: [
      { type: 'step-start' },
      { type: 'reasoning', text: 'a city', state: 'done' },
      {
        type: 'tool-lookUp',
        toolCallId: 'c1',
        state: 'output-available',
        input: { city: 'Lisbon' },
        output: { land: 'PT' },
      },
      { type: 'source-url', sourceId: 's1', url: 'https://example.org' },
      { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AA==' },
      { type: 'data-weather', data: { degrees: 20 } },
      { type: 'text', text: 'In Portugal.', state: 'done' },
    ],
  },
]

test('a chat comes back as it was saved, and only to its tenant', async () => {
  expect(await store().load('c')).toEqual([])
  await store().save('c', CHAT)
  expect(await store().load('c')).toEqual(CHAT)
  expect(await store('other').load('c')).toEqual([])
  const [hit] = await memory.forTenant('acme').search({ text: 'Portugal' })
  expect(hit?.record.id).toBe('a1')
})

test('saved again it writes only what differs', async () => {
  await store().save('c', CHAT)
  const versions = async () =>
    (await memory.forTenant('acme').messages.list('c')).items.map(({ id, version, position }) => [
      id,
      version,
      position,
    ])
  const before = await versions()
  await store().save('c', [...CHAT, says('u2', 'user', 'thanks')])
  expect((await versions()).slice(0, 2)).toEqual(before)
  await store().save('c', [CHAT[0] as UIMessage, says('a1', 'assistant', 'In Europe.'), says('u2', 'user', 'thanks')])
  expect((await store().load('c')).map(({ id }) => id)).toEqual(['u1', 'a1', 'u2'])
  expect((await versions())[0]).toEqual(before[0])
  expect((await versions())[1]).not.toEqual(before[1])
})

test('an answer that was generated again takes the place of the one before', async () => {
  await store().save('c', [...CHAT, says('u2', 'user', 'and Porto?'), says('a2', 'assistant', 'Too.')])
  const again = [CHAT[0] as UIMessage, says('a9', 'assistant', 'In Portugal, on the coast.')]
  await store().save('c', again)
  expect(await store().load('c')).toEqual(again)
})

test('one message that cannot be stored leaves the chat as it was', async () => {
  await store().save('c', CHAT)
  await expect(store().save('c', [says('n', 'user', 'fine'), says('x', 'user', 'a\0b')])).rejects.toMatchObject({
    code: 'validation',
  })
  expect(await store().load('c')).toEqual(CHAT)
})

function streamOf(chunks: readonly UIMessageChunk[], fails = false): ReadableStream<UIMessageChunk> {
  return new ReadableStream({
    async start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(chunk)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      if (fails) controller.error(new Error('the model went away'))
      else controller.close()
    },
  })
}
const words = Array.from(
  { length: 30 },
  (_, n): UIMessageChunk => ({ type: 'text-delta', id: 't', delta: `word${n} ` }),
)
const CHUNKS: UIMessageChunk[] = [
  { type: 'start', messageId: 'a1' },
  { type: 'text-start', id: 't' },
  ...words,
  { type: 'text-end', id: 't' },
  { type: 'finish' },
]
const TEXT = words.map((chunk) => ('delta' in chunk ? chunk.delta : '')).join('')

test('a streamed message is a draft until it is complete', async () => {
  const statuses = new Set<string | undefined>()
  const snapshots = readUIMessageStream({
    stream: streamOf(CHUNKS),
    message: { id: 'a1', role: 'assistant', parts: [] },
  })
  for await (const _ of store().keep('c', snapshots, { interval: 5 }))
    statuses.add((await store().statuses('c')).get('a1'))
  expect([...statuses]).toEqual(['draft'])
  expect(await store().statuses('c')).toEqual(new Map([['a1', 'complete']]))
  expect((await store().load('c'))[0]?.parts).toEqual([{ type: 'text', text: TEXT, state: 'done' }])
  // Many words, few writes.
  expect((await memory.forTenant('acme').messages.get('c', 'a1'))?.version).toBeLessThan(25)
})

test('a stream that fails, and one that nobody wants any more, leave an aborted message', async () => {
  const message = { id: 'a1', role: 'assistant', parts: [] } as UIMessage
  const failing = readUIMessageStream({ stream: streamOf(CHUNKS.slice(0, 10), true), message, terminateOnError: true })
  await expect(
    (async () => {
      for await (const _ of store().keep('c', failing, { interval: 1 }));
    })(),
  ).rejects.toThrow('the model went away')
  expect(await store().statuses('c')).toEqual(new Map([['a1', 'aborted']]))
  for await (const _ of store().keep('d', readUIMessageStream({ stream: streamOf(CHUNKS), message }))) break
  expect(await store().statuses('d')).toEqual(new Map([['a1', 'aborted']]))
})

test('a draft that has ended takes nothing more', async () => {
  const draft = await store().draft('c', says('a1', 'assistant', ''))
  draft.update(says('a1', 'assistant', 'half'))
  await draft.finish(says('a1', 'assistant', 'whole'))
  expect(await store().load('c')).toEqual([says('a1', 'assistant', 'whole')])
  expect(() => draft.update(says('a1', 'assistant', 'more'))).toThrow('the draft has ended')
  await expect(draft.abort()).rejects.toThrow('the draft has ended')
})

test('a process that is killed in the middle leaves what it had written', async () => {
  const script = fileURLToPath(new URL('./support/streaming-run.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const [message] = await store().load('c')
  expect(await store().statuses('c')).toEqual(new Map([['a1', 'draft']]))
  const [part] = message?.parts ?? []
  expect(part).toMatchObject({ type: 'text', text: expect.stringMatching(/^word0 word1 /) })
  await store().save('c', [says('u1', 'user', 'go on')])
  expect(await store().load('c')).toEqual([says('u1', 'user', 'go on')])
})

test('what was aborted stays so when the chat is saved with more behind it, as long as nobody changes it', async () => {
  await store().save('c', [says('u1', 'user', 'tell me')])
  await (await store().draft('c', says('a1', 'assistant', 'once upon'))).abort()
  await store().save('c', [...(await store().load('c')), says('u2', 'user', 'go on')])
  expect([...(await store().statuses('c')).values()]).toEqual(['complete', 'aborted', 'complete'])
  const [first, , last] = (await store().load('c')) as [UIMessage, UIMessage, UIMessage]
  await store().save('c', [first, says('a1', 'assistant', 'once upon a time'), last])
  expect([...(await store().statuses('c')).values()]).toEqual(['complete', 'complete', 'complete'])
})

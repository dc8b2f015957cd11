// A conversation in the file that Mastra's LibSQL store made before messages had parts. Needs @mastra/core 0.9.4 and
// @mastra/libsql 0.0.4, which run under Node 20.
import { rmSync } from 'node:fs'
import { LibSQLStore } from '@mastra/libsql'

const file = process.argv[2] ?? 'mastra-0.9.sqlite'
for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })

const store = new LibSQLStore({ url: `file:${file}` })
await store.init()
const at = (second) => new Date(Date.UTC(2025, 3, 1, 9, 0, second))
const thread = {
  id: 'trip',
  resourceId: 'ada',
  title: 'A trip to Lisbon',
  createdAt: at(0),
  updatedAt: at(9),
  metadata: {},
}
await store.saveThread({ thread })
const message = (second, role, type, content) => ({
  id: `m${second}`,
  threadId: 'trip',
  resourceId: 'ada',
  role,
  type,
  content,
  createdAt: at(second),
})
const call = { toolCallId: 'call-1', toolName: 'weather' }
await store.saveMessages({
  messages: [
    message(1, 'user', 'text', 'How warm is it in Lisbon?'),
    message(2, 'assistant', 'tool-call', [{ type: 'tool-call', ...call, args: { city: 'Lisbon' } }]),
    message(3, 'tool', 'tool-result', [{ type: 'tool-result', ...call, result: { celsius: 21 } }]),
    message(4, 'assistant', 'text', [{ type: 'text', text: 'It is 21 degrees in Lisbon.' }]),
  ],
})

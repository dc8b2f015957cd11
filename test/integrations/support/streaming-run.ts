// A process that streams a message for ever: URL. It says when some of it is stored.
import { createBackend } from '../../../src/index.js'
import { ChatStore } from '../../../src/integrations/ai-sdk/index.js'

const memory = createBackend(process.argv[2] as string).forTenant('acme')
const store = new ChatStore({ memory, userId: 'ada' })
const draft = await store.draft('c', { id: 'a1', role: 'assistant', parts: [] }, { interval: 10 })
let text = ''
for (let n = 0; ; n++) {
  text += `word${n} `
  draft.update({ id: 'a1', role: 'assistant', parts: [{ type: 'text', text }] })
  await new Promise((resolve) => setTimeout(resolve, 5))
  const stored = (await memory.messages.get('c', 'a1'))?.content ?? ''
  if (stored.includes('word5 ')) process.stdout.write('some\n')
}

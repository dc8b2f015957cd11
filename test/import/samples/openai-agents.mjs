// The session of an agent of OpenAI's Agents SDK, as its items are kept: an array in JSON.
import { writeFileSync } from 'node:fs'
import { Agent, MemorySession, Runner, setTracingDisabled, tool, Usage } from '@openai/agents'
import { z } from 'zod'

const file = process.argv[2] ?? 'trip.json'
setTracingDisabled(true)

const usage = new Usage()
/** A model that gives what it was told to give, one answer after the other. */
const scripted = (...answers) => ({
  getResponse: async () => ({ usage, output: answers.shift() }),
  async *getStreamedResponse() {},
})
const call = (id, city) => ({
  type: 'function_call',
  id: `fc_${id}`,
  callId: `call_${id}`,
  name: 'weather',
  status: 'completed',
  arguments: JSON.stringify({ city }),
})
const said = (id, text) => ({
  type: 'message',
  id,
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text }],
})

const weather = tool({
  name: 'weather',
  description: 'The weather in a city',
  parameters: z.object({ city: z.string() }),
  execute: ({ city }) => ({ city, celsius: city === 'Lisbon' ? 21 : 17 }),
})
const model = scripted(
  [
    { type: 'reasoning', id: 'rs_1', content: [{ type: 'input_text', text: 'The tool knows the weather.' }] },
    call('1', 'Lisbon'),
    call('2', 'Porto'),
  ],
  [said('msg_1', 'It is 21 degrees in Lisbon and 17 in Porto. 🌞')],
  [
    {
      type: 'hosted_tool_call',
      id: 'ws_1',
      name: 'web_search_call',
      status: 'completed',
      providerData: { query: 'boats' },
    },
    said('msg_2', 'A harbour, it seems.'),
  ],
)
const agent = new Agent({ name: 'guide', instructions: 'Help.', model, tools: [weather] })
const session = new MemorySession({ sessionId: 'trip' })
const runner = new Runner()
await runner.run(agent, 'How warm is it in Lisbon and in Porto?', { session })
const image = 'data:image/png;base64,iVBORw0KGgo='
const picture = [
  { type: 'input_text', text: 'What is on this picture?' },
  { type: 'input_image', image },
]
await runner.run(agent, [{ role: 'user', content: picture }], {
  session,
  sessionInputCallback: (past, now) => [...past, ...now],
})
writeFileSync(file, `${JSON.stringify(await session.getItems(), null, 1)}\n`)

// Threads of a LangGraph graph, in the file that its SQLite checkpointer makes of them.
import { rmSync } from 'node:fs'
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages'
import { Annotation, END, interrupt, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph'
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite'

const file = process.argv[2] ?? 'langgraph.sqlite'
for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })
const checkpointer = SqliteSaver.fromConnString(file)

/** A graph that answers with what it was told to answer: its calls of tools, then the tools' results. */
function graphOf(...answers) {
  const State = Annotation.Root({ ...MessagesAnnotation.spec, city: Annotation(), seen: Annotation() })
  return new StateGraph(State)
    .addNode('model', () => ({ messages: [answers.shift()], seen: new Map([['Lisbon', 1]]) }))
    .addNode('tools', ({ messages }) => ({
      messages: messages
        .at(-1)
        .tool_calls.map(
          ({ id, name }) => new ToolMessage({ id: `${id}-answer`, tool_call_id: id, name, content: '{"celsius":21}' }),
        ),
    }))
    .addEdge(START, 'model')
    .addConditionalEdges('model', ({ messages }) => (messages.at(-1).tool_calls?.length > 0 ? 'tools' : END))
    .addEdge('tools', 'model')
    .compile({ checkpointer })
}
const of = (thread_id, user_id) => ({ configurable: { thread_id, ...(user_id ? { user_id } : {}) } })

const trip = graphOf(
  new AIMessage({
    id: 'a1',
    content: '',
    tool_calls: [{ id: 'call-1', name: 'weather', args: { city: 'Lisbon' }, type: 'tool_call' }],
    response_metadata: { model_name: 'scripted' },
    usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
  }),
  new AIMessage({ id: 'a2', content: 'It is 21 degrees in Lisbon.' }),
  new AIMessage({
    id: 'a3',
    content: [
      { type: 'reasoning', reasoning: 'There are boats.' },
      { type: 'text', text: 'A harbour, it seems.' },
    ],
  }),
)
await trip.invoke(
  {
    city: 'Lisbon',
    messages: [
      new SystemMessage({ id: 's1', content: 'You are a guide.' }),
      new HumanMessage({ id: 'h1', content: 'How warm is it in Lisbon? 🌞', name: 'ada' }),
    ],
  },
  of('trip', 'ada'),
)
const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }
await trip.invoke(
  { messages: [new HumanMessage({ id: 'h2', content: [{ type: 'text', text: 'What is this?' }, picture] })] },
  of('trip', 'ada'),
)

// A thread that waits for a person, within a graph of its own; what its node writes is not in a checkpoint yet.
const inner = new StateGraph(MessagesAnnotation)
  .addNode('ask', () => ({ messages: [new AIMessage({ id: 'b1', content: interrupt('Which soup?') })] }))
  .addEdge(START, 'ask')
  .compile()
const outer = new StateGraph(MessagesAnnotation)
  .addNode('inner', inner)
  .addNode('beside', () => ({ messages: [new AIMessage({ id: 'b2', content: 'One moment.' })] }))
  .addEdge(START, 'inner')
  .addEdge(START, 'beside')
  .compile({ checkpointer })
await outer.invoke({ messages: [new HumanMessage({ id: 'h3', content: 'A soup, please.' })] }, of('recipes'))

// A graph without messages.
const State = Annotation.Root({ count: Annotation() })
await new StateGraph(State)
  .addNode('add', ({ count }) => ({ count: (count ?? 0) + 1 }))
  .addEdge(START, 'add')
  .compile({ checkpointer })
  .invoke({ count: 1 }, of('counter'))
checkpointer.db.pragma('journal_mode = DELETE')
checkpointer.db.close()

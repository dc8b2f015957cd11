import { expect, it } from 'vitest'
import { calling, invalid, result, WORDS } from './context-fixtures.js'
import { ADA, answers, contentsOf, instructs, says, talk } from './fixtures.js'
import { type Ground, type Harness, suite } from './harness.js'

export function describeContextTools(harness: Harness): void {
  suite(harness, 'context: tool calls', ['users', 'conversations', 'messages'], (ground) => {
    itTellsCalls(ground)
    itKeepsCallsWithResults(ground)
    itRenders(ground)
  })
}

const query = { userId: ADA, conversationId: 'c' }

function itTellsCalls(ground: Ground): void {
  it('reads calls of OpenAI, the AI SDK and Anthropic, and answers one form', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [
      'what is the weather?',
      answers('', { parts: [{ type: 'function', id: '1', function: { name: 'sky', arguments: '{"at":"Lisbon"}' } }] }),
      result('1', 'blue'),
      answers('and', {
        parts: [
          { type: 'tool-call', toolCallId: '2', toolName: 'sea', input: { at: 'Lisbon' } },
          { type: 'tool-call', toolCallId: '3', toolName: 'sea', args: {} },
          { type: 'tool_use', id: '4', name: 'wind', input: { at: 'Lisbon' } },
        ],
      }),
      result('3', 'high', 'function'),
      result('2', 'low'),
      result('4', 'weak'),
    ])
    const call = (id: string, name: string, args: object) => ({
      id,
      type: 'function',
      function: { name, arguments: JSON.stringify(args) },
    })
    const at = { at: 'Lisbon' }
    expect((await memory.context(query)).toLLM()).toEqual([
      { role: 'user', content: 'what is the weather?' },
      { role: 'assistant', content: '', tool_calls: [call('1', 'sky', at)] },
      { role: 'tool', content: 'blue', tool_call_id: '1' },
      {
        role: 'assistant',
        content: 'and',
        tool_calls: [call('2', 'sea', at), call('3', 'sea', {}), call('4', 'wind', at)],
      },
      { role: 'tool', content: 'high', tool_call_id: '3' },
      { role: 'tool', content: 'low', tool_call_id: '2' },
      { role: 'tool', content: 'weak', tool_call_id: '4' },
    ])
  })

  it('drops calls without a result and results without a call, and keeps the text', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [
      'q',
      result('never asked', 'lost'),
      calling('I will look', 'unanswered'),
      answers('sorry'),
      calling('', 'nothing else'),
      'again',
      calling('both', 'a', 'b'),
      result('a', 'half'),
    ])
    const context = await memory.context(query)
    expect(contentsOf(context.messages)).toEqual(['q', 'I will look', 'sorry', 'again', 'both', 'half'])
    expect(invalid(context.toLLM())).toBeNull()
    expect(context.toLLM()[4]).toMatchObject({ content: 'both', tool_calls: [{ id: 'a' }] })
    expect(context.truncated).toBe(false)
  })
}

function itKeepsCallsWithResults(ground: Ground): void {
  it('never parts a call from its results, whatever the limits', async () => {
    const memory = await ground.open({ tokenizer: WORDS })
    await talk(memory, 'c', [
      instructs('be brief'),
      'old',
      'q',
      calling('one', '1'),
      result('1'),
      calling('two', '2a', '2b'),
      result('2a', 'x', 'function'),
      result('2b', 'y'),
      answers('done'),
    ])
    const kept = async (maxMessages: number) => contentsOf((await memory.context({ ...query, maxMessages })).messages)
    expect(await kept(5)).toEqual(['be brief', 'q', 'done'])
    expect(await kept(6)).toEqual(['be brief', 'q', 'two', 'x', 'y', 'done'])
    expect(await kept(7)).toEqual(['be brief', 'q', 'two', 'x', 'y', 'done'])
    expect(await kept(8)).toEqual(['be brief', 'q', 'one', 'found', 'two', 'x', 'y', 'done'])
    expect(await kept(9)).toHaveLength(9)
    for (let maxTokens = 1; maxTokens < 100; maxTokens++) {
      const context = await memory.context({ ...query, maxTokens })
      expect(invalid(context.toLLM())).toBeNull()
      expect(context.tokens).toBeLessThanOrEqual(maxTokens)
    }
  })

  it('finds the user’s message of a turn with hundreds of calls', async () => {
    const memory = await ground.open({ tokenizer: WORDS })
    const steps = Array.from({ length: 150 }, (_, i) => [calling(`step ${i}`, `${i}`), result(`${i}`)]).flat()
    await talk(memory, 'c', ['old', 'go', ...steps])
    const { messages } = await memory.context({ ...query, maxMessages: 6 })
    expect(contentsOf(messages)).toEqual(['go', 'step 148', 'found', 'step 149', 'found'])
  })
}

function itRenders(ground: Ground): void {
  it('tells text parts where there is no content, and skips what is no text', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', [
      says('', {
        parts: [
          { type: 'text', text: 'look' },
          { type: 'image', url: 'x' },
          { type: 'text', text: 'here' },
        ],
      }),
      says('', { parts: [{ type: 'image', url: 'x' }] }),
      says('named', { name: 'Ada_1' }),
      says('not for an API', { name: 'Ada Lovelace' }),
    ])
    const context = await memory.context(query)
    expect(context.messages).toHaveLength(4)
    expect(context.toLLM()).toEqual([
      { role: 'user', content: 'look\nhere' },
      { role: 'user', content: 'named', name: 'Ada_1' },
      { role: 'user', content: 'not for an API' },
    ])
  })

  it('answers a list of the caller’s own', async () => {
    const memory = await ground.open()
    await talk(memory, 'c', ['hello'])
    const context = await memory.context(query)
    context.toLLM().pop()
    expect(context.toLLM()).toHaveLength(1)
  })
}

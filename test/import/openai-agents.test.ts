import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openSource } from '../../src/import/source.js'
import { freshFolder } from '../cli/support.js'
import { contentsOf, sample } from './foreign.js'
import { brief, fileOf, freshMemory, importInto, messagesOf } from './support.js'

const folder = await freshFolder()

const file = sample('trip.json')
const read = async (items: unknown, name: string) => {
  const memory = freshMemory()
  const report = await importInto(memory, [await fileOf(folder, items, `${name}.json`)])
  const messages = await messagesOf(memory, name).catch(() => [])
  await memory.close()
  return { report, messages }
}

describe('the session of an agent', () => {
  test('becomes one conversation with the name of the file, item by item', async () => {
    const memory = freshMemory()
    const report = await importInto(memory, [file], { userId: 'ada' })
    expect(report).toMatchObject({ error: null, skipped: {}, findings: [] })
    // Two calls that were made together are one message.
    expect(brief(report)).toEqual({ conversation: { read: 1, imported: 1 }, message: { read: 9, imported: 9 } })
    expect(await memory.conversations.get('trip')).toMatchObject({
      userId: 'ada',
      metadata: { source: 'openai-agents' },
    })
    const messages = await messagesOf(memory, 'trip')
    expect(messages.map(({ role, content, toolCallId }) => [role, content, toolCallId])).toEqual([
      ['user', 'How warm is it in Lisbon and in Porto?', null],
      ['assistant', '', null],
      ['assistant', '', null],
      ['tool', '{"city":"Lisbon","celsius":21}', 'call_1'],
      ['tool', '{"city":"Porto","celsius":17}', 'call_2'],
      ['assistant', 'It is 21 degrees in Lisbon and 17 in Porto. 🌞', null],
      ['user', 'What is on this picture?', null],
      ['assistant', '', null],
      ['assistant', 'A harbour, it seems.', null],
    ])
    expect(messages.map(({ parts }) => parts?.map((part) => (part as { type: string }).type) ?? null)).toEqual([
      null,
      ['reasoning'],
      ['tool-call', 'tool-call'],
      null,
      null,
      null,
      ['text', 'image'],
      ['tool-call', 'hosted_tool_call'],
      null,
    ])
    expect([messages[1]?.id, messages[5]?.id]).toEqual(['rs_1', 'msg_1'])
    await memory.close()
  })

  test('gives a prompt in which calls and answers stand together', async () => {
    const memory = freshMemory()
    await importInto(memory, [file], { userId: 'ada' })
    const context = await memory.context({ userId: 'ada', conversationId: 'trip', maxTokens: 4000 })
    const asking = context.toLLM().find((message) => message.tool_calls)
    expect(asking?.tool_calls?.map(({ id }) => id)).toEqual(['call_1', 'call_2'])
    await memory.close()
  })

  test('imported twice changes nothing, and what was said since is added', async () => {
    const memory = freshMemory()
    const items = JSON.parse(await readFile(file, 'utf8')) as unknown[]
    const dry = await importInto(null, [file], { dryRun: true })
    expect(brief(await importInto(memory, [file]))).toEqual(brief(dry))
    const before = await contentsOf(memory)
    expect(brief(await importInto(memory, [file]))).toMatchObject({ message: { read: 9, unchanged: 9 } })
    expect(await contentsOf(memory)).toEqual(before)
    const longer = await fileOf(folder, [...items, { role: 'user', content: 'Thanks.' }], 'trip.json')
    expect(brief(await importInto(memory, [longer])).message).toEqual({ read: 10, imported: 1, unchanged: 9 })
    expect((await messagesOf(memory, 'trip')).at(-1)?.content).toBe('Thanks.')
    await memory.close()
  })

  test('in the words of the Responses API is the same', async () => {
    const { report, messages } = await read(
      [
        { role: 'developer', content: 'Be brief.' },
        { type: 'reasoning', id: 'rs', summary: [{ type: 'summary_text', text: 'Look it up.' }] },
        { type: 'function_call', id: 'fc', call_id: 'c1', name: 'find', arguments: 'not JSON', status: 'incomplete' },
        { type: 'function_call_output', call_id: 'c1', output: 'nothing' },
        { type: 'message', id: 'm', role: 'assistant', content: [{ type: 'refusal', refusal: 'I cannot.' }] },
      ],
      'responses',
    )
    expect(report.findings).toEqual([])
    expect(messages.map(({ id: _, createdAt: __, updatedAt: ___, ...rest }) => rest)).toMatchObject([
      { role: 'system', content: 'Be brief.', metadata: { developer: true } },
      { role: 'assistant', parts: [{ type: 'reasoning', text: 'Look it up.' }] },
      {
        role: 'assistant',
        status: 'aborted',
        parts: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'find', input: 'not JSON' }],
      },
      { role: 'tool', content: 'nothing', toolCallId: 'c1' },
      { role: 'assistant', content: 'I cannot.' },
    ])
  })

  test('with what stands beside an item: all of it is kept', async () => {
    const call = (callId: string) => ({
      type: 'function_call',
      id: `fc_${callId}`,
      callId,
      name: 'look',
      arguments: '{}',
      providerData: { of: callId },
    })
    const picture = { type: 'computer_screenshot', data: 'data:image/png;base64,iVBORw0KGgo=' }
    const { messages } = await read(
      [
        call('a'),
        call('b'),
        { type: 'computer_call_result', callId: 'a', output: picture, providerData: { x: 1 } },
        { type: 'function_call_result', callId: 'b', output: [{ type: 'input_text', text: 'seen' }] },
        { type: 'reasoning', content: [{ type: 'input_text', text: 'So.', providerData: { y: 1 } }] },
      ],
      'beside',
    )
    expect(messages.map(({ content, parts, metadata }) => ({ content, parts, metadata }))).toEqual([
      {
        content: '',
        parts: ['a', 'b'].map((id) => ({
          type: 'tool-call',
          toolCallId: id,
          toolName: 'look',
          input: {},
          openai: { id: `fc_${id}`, providerData: { of: id } },
        })),
        metadata: {},
      },
      {
        content: '',
        parts: [{ type: 'tool-result', toolCallId: 'a', output: picture }],
        metadata: { openai: { providerData: { x: 1 } } },
      },
      {
        content: 'seen',
        parts: [{ type: 'tool-result', toolCallId: 'b', output: [{ type: 'input_text', text: 'seen' }] }],
        metadata: {},
      },
      {
        content: '',
        parts: [
          {
            type: 'reasoning',
            text: 'So.',
            content: [{ type: 'input_text', text: 'So.', providerData: { y: 1 } }],
          },
        ],
        metadata: {},
      },
    ])
  })

  test('with an id that several items have: each is kept', async () => {
    const said = (text: string) => ({ type: 'message', id: 'fake', role: 'assistant', content: text })
    const { report, messages } = await read([said('one'), said('two'), said('two')], 'repeated')
    expect(report.findings).toEqual([])
    expect(messages.map(({ content }) => content)).toEqual(['one', 'two', 'two'])
    expect(new Set(messages.map(({ id }) => id)).size).toBe(3)
  })

  test('with what is no item: it is refused or counted, the others are imported', async () => {
    const { report, messages } = await read(
      [
        { role: 'user', content: 'Hello' },
        7,
        { role: 'pirate', content: 'secret word' },
        { role: 'assistant', content: '' },
        { type: 'compaction', encrypted_content: 'abc' },
      ],
      'odd',
    )
    expect(report.findings.map(({ outcome, place }) => [outcome, place.index])).toEqual([
      ['refused', 1],
      ['refused', 2],
    ])
    expect(JSON.stringify(report.findings)).not.toContain('secret word')
    expect(report.skipped).toEqual({ empty: 1 })
    expect(messages.map(({ content, parts }) => [content, parts])).toEqual([
      ['Hello', null],
      ['', [{ type: 'compaction', data: { encrypted_content: 'abc' } }]],
    ])
  })

  test('that is cut: what stands before the cut is imported, and the cut is named', async () => {
    const text = await readFile(file, 'utf8')
    const path = await fileOf(folder, text.slice(0, text.indexOf('call_2')), 'cut.json')
    const memory = freshMemory()
    const report = await importInto(memory, [path], { format: 'openai-agents' })
    expect(report.findings.map(({ field, reason }) => `${field}: ${reason}`)).toEqual([
      expect.stringMatching(/^file: the file is cut: it ends at byte \d+ inside element 3/),
    ])
    expect((await messagesOf(memory, 'cut')).length).toBe(3)
    await memory.close()
  })
})

describe('an array in a file', () => {
  test.each([
    ['openai-agents', [{ role: 'user', content: 'hi' }]],
    ['openai-agents', [{ type: 'function_call_result', callId: 'c', output: 'x' }]],
    ['openai-agents', [{ type: 'message', role: 'user', content: 'x'.repeat(70_000) }]],
    ['chatgpt', [{ title: 'x', mapping: {} }]],
    ['chatgpt', [{ title: 'x'.repeat(70_000), mapping: {} }]],
    ['chatgpt', []],
  ])('is taken for %s by its first element', async (format, content) => {
    expect((await openSource(await fileOf(folder, content))).format).toBe(format)
    const zipped = await fileOf(folder, gzipSync(JSON.stringify(content)))
    expect((await openSource(zipped)).format).toBe(format)
  })
})

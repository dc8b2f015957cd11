import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readChatGpt } from '../../src/import/chatgpt/reader.js'
import { type ImportItem, type ItemOf, isLeftOut } from '../../src/import/types.js'
import { chain, conversation, type MadeNode, message } from './exported.js'
import { bytesOf, itemsOf } from './support.js'

const read = (conversations: unknown, includeHidden = false): Promise<ImportItem[]> =>
  itemsOf(readChatGpt(bytesOf(JSON.stringify(conversations)), { file: 'f', userId: 'ada', includeHidden }))
const conversationsOf = (items: readonly ImportItem[]) =>
  items.filter((item): item is ItemOf<'conversation'> => !isLeftOut(item) && item.kind === 'conversation')
const messagesOf = (items: readonly ImportItem[]) =>
  items.filter((item): item is ItemOf<'message'> => !isLeftOut(item) && item.kind === 'message')
const one = async (content: unknown, role = 'assistant', more: Record<string, unknown> = {}) => {
  const items = await read([conversation('c', [{ id: 'm', message: message('m', role, content, more) }])])
  return messagesOf(items)[0]?.input ?? items.filter(isLeftOut)[0]
}

describe('a ChatGPT export', () => {
  test('keeps ids, titles and times to the millisecond', async () => {
    const items = await read([chain('c1', 3)])
    expect(conversationsOf(items)[0]?.input).toMatchObject({
      id: 'c1',
      userId: 'ada',
      title: 'Conversation c1',
      createdAt: new Date(1_760_000_000_000),
      updatedAt: new Date(1_760_000_100_000),
      metadata: { source: 'chatgpt' },
    })
    expect(
      messagesOf(items).map((m) => [m.input.id, m.input.parentId, m.input.role, m.input.createdAt?.getTime()]),
    ).toEqual([
      ['c1-1', null, 'user', 1_760_000_000_250],
      ['c1-2', 'c1-1', 'assistant', 1_760_000_000_250],
      ['c1-3', 'c1-2', 'user', 1_760_000_000_250],
    ])
  })

  test('gives the path that was on the screen, and each other branch as a conversation that says where it leaves', async () => {
    const nodes: MadeNode[] = [
      { id: 'root', message: null },
      { id: 'q', parent: 'root' },
      { id: 'a1', parent: 'q', role: 'assistant' },
      { id: 'a2', parent: 'q', role: 'assistant' },
      { id: 'q2', parent: 'a2' },
      { id: 'a3', parent: 'q2', role: 'assistant' },
      { id: 'side', parent: 'a1' },
      { id: 'end', parent: 'a2' },
    ]
    const items = await read([conversation('c', nodes, { current_node: 'end' })])
    const byConversation = conversationsOf(items).map((c) => ({
      branch: c.input.metadata?.branch,
      messages: messagesOf(items)
        .filter((m) => m.conversationId === c.input.id)
        .map((m) => [m.input.id, m.input.parentId]),
    }))
    expect(byConversation).toEqual([
      {
        branch: undefined,
        messages: [
          ['q', null],
          ['a2', 'q'],
          ['end', 'a2'],
        ],
      },
      {
        branch: { conversationId: 'c', messageId: 'q', root: 'c' },
        messages: [
          ['a1', null],
          ['side', 'a1'],
        ],
      },
      {
        branch: { conversationId: 'c', messageId: 'a2', root: 'c' },
        messages: [
          ['q2', null],
          ['a3', 'q2'],
        ],
      },
    ])
    expect(conversationsOf(await read([conversation('c', nodes, { current_node: 'end' })]))).toEqual(
      conversationsOf(items),
    )
  })

  test('takes every message of any tree exactly once, circles and missing parents included', async () => {
    const tree = fc.array(fc.record({ parent: fc.integer({ min: -2, max: 12 }), empty: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(tree, fc.integer({ min: -1, max: 12 }), async (list, current) => {
        const nodes = list.map(({ parent, empty }, i) => ({
          id: `n${i}`,
          parent: parent < 0 ? (parent === -1 ? null : 'nowhere') : `n${parent}`,
          ...(empty ? { message: null } : {}),
        }))
        const items = await read([conversation('c', nodes, { current_node: `n${current}` })])
        const wanted = nodes.filter((node) => !('message' in node)).map((node) => node.id)
        expect(
          messagesOf(items)
            .map((m) => m.input.id)
            .sort(),
        ).toEqual(wanted.sort())
        const seen = new Map<string, string>()
        for (const { conversationId, input } of messagesOf(items)) {
          // A parent stands before its reply, in the same conversation.
          if (input.parentId) expect(seen.get(input.parentId)).toBe(conversationId)
          seen.set(input.id, conversationId)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('reads the calls and answers of tools as parts', async () => {
    const nodes: MadeNode[] = [
      { id: 'q', text: 'how many?' },
      {
        id: 'call',
        parent: 'q',
        message: message(
          'call',
          'assistant',
          { content_type: 'code', language: 'python', text: 'len(rows)' },
          { recipient: 'python' },
        ),
      },
      {
        id: 'out',
        parent: 'call',
        message: message('out', 'tool', { content_type: 'execution_output', text: '42' }, { name: 'python' }),
      },
      { id: 'web', parent: 'out', message: message('web', 'assistant', '{"q":"ferry"}', { recipient: 'web.run' }) },
      {
        id: 'found',
        parent: 'web',
        message: message(
          'found',
          'tool',
          { content_type: 'tether_quote', url: 'https://example.org', title: 'Times', text: '17:40' },
          { name: 'web.run' },
        ),
      },
    ]
    const [, call, out, web, found] = messagesOf(await read([conversation('c', nodes)])).map((m) => m.input)
    expect(call).toMatchObject({
      content: 'len(rows)',
      parts: [{ type: 'tool-call', toolCallId: 'call', name: 'python', language: 'python', input: 'len(rows)' }],
    })
    expect(out).toMatchObject({
      role: 'tool',
      content: '42',
      name: 'python',
      toolCallId: 'call',
      parts: [{ type: 'tool-result', toolCallId: 'call', name: 'python' }],
    })
    expect(web).toMatchObject({ parts: [{ type: 'tool-call', name: 'web.run', input: { q: 'ferry' } }] })
    expect(found).toMatchObject({
      toolCallId: 'web',
      content: 'Times\n17:40',
      parts: [{ type: 'tool-result' }, { type: 'source', data: { url: 'https://example.org', title: 'Times' } }],
    })
  })

  test('keeps images, thoughts and kinds of content that it does not know', async () => {
    const image = { content_type: 'image_asset_pointer', asset_pointer: 'file-service://x', width: 3 }
    expect(await one({ content_type: 'multimodal_text', parts: [image, 'Is this it?'] }, 'user')).toMatchObject({
      content: 'Is this it?',
      type: 'text',
      parts: [
        { type: 'image', data: image },
        { type: 'text', text: 'Is this it?' },
      ],
    })
    expect(await one({ content_type: 'multimodal_text', parts: [image] }, 'user')).toMatchObject({
      content: '',
      type: 'image',
    })
    expect(
      await one({ content_type: 'thoughts', thoughts: [{ summary: 'Plan', content: 'First …', chunks: [] }] }),
    ).toMatchObject({
      content: '',
      parts: [{ type: 'reasoning', text: 'First …', summary: 'Plan' }],
    })
    const strange = { content_type: 'hologram', text: 'seen', depth: { a: [1] } }
    expect(await one(strange)).toMatchObject({ content: 'seen', parts: [{ type: 'hologram', data: strange }] })
  })

  test('skips and counts what is empty and what is hidden, and links replies past it', async () => {
    const hidden = { metadata: { is_visually_hidden_from_conversation: true } }
    const context = { content_type: 'user_editable_context', user_profile: 'Name: Ada', user_instructions: 'Be brief' }
    const nodes: MadeNode[] = [
      { id: 's', message: message('s', 'system', 'You are', hidden) },
      { id: 'u', parent: 's', message: message('u', 'user', context, hidden) },
      { id: 'q', parent: 'u' },
      { id: 'empty', parent: 'q', message: message('empty', 'assistant', '') },
      { id: 'a', parent: 'empty', role: 'assistant' },
    ]
    const items = await read([conversation('c', nodes)])
    expect(items.filter(isLeftOut).map((i) => [i.outcome, i.reason, i.place.id])).toEqual([
      ['skipped', 'hidden instructions', 's'],
      ['skipped', 'hidden instructions', 'u'],
      ['skipped', 'empty', 'empty'],
    ])
    expect(messagesOf(items).map((m) => [m.input.id, m.input.parentId])).toEqual([
      ['q', null],
      ['a', 'q'],
    ])
    const all = messagesOf(await read([conversation('c', nodes)], true))
    expect(all.map((m) => [m.input.id, m.input.metadata?.hidden ?? false])).toEqual([
      ['s', true],
      ['u', true],
      ['q', false],
      ['a', false],
    ])
  })

  test('gives a message without a time that of the one before it', async () => {
    const nodes: MadeNode[] = [
      { id: 'a', message: message('a', 'user', 'x', { create_time: null }) },
      { id: 'b', parent: 'a', message: message('b', 'assistant', 'y', { create_time: 1_760_000_050 }) },
      { id: 'c', parent: 'b', message: message('c', 'user', 'z', { create_time: 'never' }) },
    ]
    const times = messagesOf(await read([conversation('c', nodes)])).map((m) => m.input.createdAt?.getTime())
    expect(times).toEqual([1_760_000_000_000, 1_760_000_050_000, 1_760_000_050_000])
  })

  test('names the conversation that is broken, and reads the others', async () => {
    const good = [chain('c1', 2), chain('c2', 2)].map((c) => JSON.stringify(c))
    const text = `[${good[0]},{"secret words" "x"},{"title":"no mapping"},7,${good[1]}]`
    const items = await itemsOf(readChatGpt(bytesOf(text, 11), { file: 'f', userId: 'ada' }))
    const refused = items.filter(isLeftOut).map((i) => [i.place.index, i.field, i.reason])
    expect(refused).toEqual([
      [1, 'conversation', expect.stringMatching(/^is not JSON/)],
      [2, 'mapping', expect.stringMatching(/^is required/)],
      [3, 'conversation', 'must be an object'],
    ])
    expect(JSON.stringify(refused)).not.toContain('secret')
    expect(conversationsOf(items).map((c) => c.input.id)).toEqual(['c1', 'c2'])
  })

  test('that is cut gives what is whole, and says where it ends', async () => {
    const text = JSON.stringify([chain('c1', 2), chain('c2', 2)])
    const items = await itemsOf(readChatGpt(bytesOf(text.slice(0, -50)), { file: 'f', userId: 'ada' }))
    expect(conversationsOf(items).map((c) => c.input.id)).toEqual(['c1'])
    expect(items.filter(isLeftOut).map((i) => i.reason)).toEqual([
      expect.stringMatching(/is cut: it ends at byte \d+ inside element 1/),
    ])
  })

  test('with bytes that are not UTF-8 is refused instead of changed', async () => {
    const text = Buffer.from(JSON.stringify([chain('c1', 2)]))
    text[text.indexOf('turn')] = 0xff
    const items = await itemsOf(readChatGpt(bytesOf(text), { file: 'f', userId: 'ada' }))
    expect(items).toMatchObject([{ outcome: 'refused', reason: 'is not UTF-8 text' }])
  })
})

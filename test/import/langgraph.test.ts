import { describe, expect, test } from 'vitest'
import { freshFolder } from '../cli/support.js'
import { all, contentsOf, databaseOf, sample } from './foreign.js'
import { brief, freshMemory, importInto, messagesOf } from './support.js'

const folder = await freshFolder()

const file = sample('langgraph.sqlite')

describe('the file of a LangGraph checkpointer', () => {
  test('gives the messages of the last checkpoint of each thread, and names what is left out', async () => {
    const memory = freshMemory()
    const report = await importInto(memory, [file], { userId: 'ada' })
    expect(report).toMatchObject({ error: null, findings: [] })
    expect(brief(report)).toEqual({
      conversation: { read: 3, imported: 2, skipped: 1 },
      message: { read: 8, imported: 8 },
    })
    expect(report.skipped).toEqual({
      'thread without messages': 1,
      'earlier checkpoints': 10,
      'checkpoints of graphs within graphs': 2,
      'writes that no checkpoint has yet': 2,
      'values of the channel city': 1,
      'values of the channel seen': 1,
      'values of the channel count': 1,
    })
    const messages = await messagesOf(memory, 'trip')
    expect(messages.map(({ id, role, content, name, toolCallId }) => [id, role, content, name, toolCallId])).toEqual([
      ['s1', 'system', 'You are a guide.', null, null],
      ['h1', 'user', 'How warm is it in Lisbon? 🌞', 'ada', null],
      ['a1', 'assistant', '', null, null],
      ['call-1-answer', 'tool', '{"celsius":21}', 'weather', 'call-1'],
      ['a2', 'assistant', 'It is 21 degrees in Lisbon.', null, null],
      ['h2', 'user', 'What is this?', null, null],
      ['a3', 'assistant', 'A harbour, it seems.', null, null],
    ])
    expect(messages.map(({ parts }) => parts)).toEqual([
      null,
      null,
      [{ type: 'tool-call', toolCallId: 'call-1', toolName: 'weather', input: { city: 'Lisbon' } }],
      null,
      null,
      [
        { type: 'text', text: 'What is this?' },
        { type: 'image', data: expect.objectContaining({ type: 'image_url' }) },
      ],
      [
        { type: 'reasoning', text: 'There are boats.' },
        { type: 'text', text: 'A harbour, it seems.' },
      ],
    ])
    expect(messages[2]?.metadata).toEqual({
      model: 'scripted',
      langgraph: {
        response_metadata: { model_name: 'scripted' },
        usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
      },
    })
    await memory.close()
  })

  test('gives each message the time of the first checkpoint that has it', async () => {
    const memory = freshMemory()
    await importInto(memory, [file])
    const times = (await messagesOf(memory, 'trip')).map(({ createdAt }) => createdAt.getTime())
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(new Set(times).size).toBeGreaterThan(4)
    const conversation = await memory.conversations.get('trip')
    expect(conversation?.createdAt.getTime()).toBeLessThanOrEqual(times[0] ?? 0)
    expect(conversation?.metadata).toEqual({ source: 'langgraph' })
    await memory.close()
  })

  test('gives a prompt in which the call and its answer stand together', async () => {
    const memory = freshMemory()
    await importInto(memory, [file], { userId: 'ada' })
    const context = await memory.context({ userId: 'ada', conversationId: 'trip', maxTokens: 4000 })
    expect(context.toLLM().map(({ role }) => role)).toContain('tool')
    await memory.close()
  })

  test('imported twice changes nothing; a dry run says the same and writes nothing', async () => {
    const memory = freshMemory()
    const dry = await importInto(null, [file], { dryRun: true })
    expect(brief(await importInto(memory, [file]))).toEqual(brief(dry))
    const before = await contentsOf(memory)
    expect(brief(await importInto(memory, [file]))).toMatchObject({
      conversation: { unchanged: 2 },
      message: { unchanged: 8 },
    })
    expect(await contentsOf(memory)).toEqual(before)
    await memory.close()
  })

  test('of a thread that went on since, only what is new is added', async () => {
    const earlier = await databaseOf(
      folder,
      "DELETE FROM checkpoints WHERE thread_id = 'trip' AND json_extract(CAST(metadata AS TEXT), '$.step') > 3",
      'langgraph.sqlite',
    )
    const memory = freshMemory()
    expect(brief(await importInto(memory, [earlier])).message).toEqual({ read: 6, imported: 6 })
    expect(brief(await importInto(memory, [file])).message).toEqual({ read: 8, imported: 2, unchanged: 6 })
    expect((await messagesOf(memory, 'trip')).at(-1)?.id).toBe('a3')
    await memory.close()
  })

  test('with checkpoints that cannot be read: the thread is refused and said why', async () => {
    const path = await databaseOf(
      folder,
      `UPDATE checkpoints SET type = 'msgpack' WHERE thread_id = 'trip';
       UPDATE checkpoints SET checkpoint = '{"v":4' WHERE thread_id = 'recipes'`,
      'langgraph.sqlite',
    )
    const report = await importInto(freshMemory(), [path])
    expect(report.findings.map(({ kind, field, reason, place }) => [place.id, kind, field, reason])).toEqual([
      ['recipes', 'conversation', 'checkpoint', expect.stringMatching(/^is not JSON/)],
      ['trip', 'conversation', 'type', expect.stringContaining('is msgpack: only checkpoints in JSON')],
    ])
  })

  test('with messages that are none: each is refused by itself', async () => {
    const written = (name: string, kwargs: object) => ({ lc: 1, type: 'constructor', id: ['m', name], kwargs })
    const messages = [
      written('HumanMessage', { content: 'Hello' }),
      written('HumanMessage', { content: 'Hello' }),
      written('PirateMessage', { id: 'p', content: 'secret word' }),
      'words',
      written('AIMessage', { id: 'e', content: '' }),
      written('RemoveMessage', { id: 'r', content: '' }),
      { role: 'user', content: 'plain' },
      written('ToolMessage', { id: 't', tool_call_id: 'c', content: 'failed', status: 'error' }),
    ]
    const checkpoint = JSON.stringify({ v: 4, ts: '2026-01-31T12:00:00.123Z', channel_values: { messages } })
    const path = await databaseOf(
      folder,
      `DELETE FROM checkpoints; INSERT INTO checkpoints VALUES ('x', '', '1', NULL, 'json', '${checkpoint}', '{}')`,
      'langgraph.sqlite',
    )
    const memory = freshMemory()
    const report = await importInto(memory, [path])
    expect(report.findings.map(({ field }) => field)).toEqual(['id', 'messages'])
    expect(JSON.stringify(report)).not.toContain('secret word')
    expect(report.skipped).toMatchObject({ empty: 1, 'removal of a message': 1 })
    const stored = await messagesOf(memory, 'x')
    expect(stored.map(({ role, content }) => [role, content])).toEqual([
      ['user', 'Hello'],
      ['user', 'Hello'],
      ['user', 'plain'],
      ['tool', 'failed'],
    ])
    expect(stored[3]?.parts).toEqual([{ type: 'tool-result', toolCallId: 'c', isError: true }])
    expect(stored[0]?.createdAt.toISOString()).toBe('2026-01-31T12:00:00.123Z')
    await memory.close()
  })

  test('with the store of LangGraph for Python beside it: its items are documents', async () => {
    // The statements of langgraph/store/sqlite/base.py.
    const path = await databaseOf(
      folder,
      `CREATE TABLE store (prefix text NOT NULL, key text NOT NULL, value text NOT NULL,
         created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
         expires_at TIMESTAMP, ttl_minutes REAL, PRIMARY KEY (prefix, key));
       INSERT INTO store VALUES
         ('users.ada', 'a', '{"text":"likes soup","score":1}', '2026-01-31 12:00:00', '2026-01-31 12:00:01', NULL, NULL),
         ('users.ada', 'b', '{"city":"Lisbon"}', '2026-01-31 12:00:00', '2026-01-31 12:00:00', NULL, NULL),
         ('users.ada', 'c', '{"city":"Porto"}', '2026-01-31 12:00:00', '2026-01-31 12:00:00', '2026-02-01 12:00:00', 1440),
         ('users.ada', 'd', 'none', '2026-01-31 12:00:00', '2026-01-31 12:00:00', NULL, NULL)`,
      'langgraph.sqlite',
    )
    const memory = freshMemory()
    const report = await importInto(memory, [path], { now: new Date('2026-03-01T00:00:00Z') })
    expect(brief(report).document).toEqual({ read: 4, imported: 2, refused: 1, skipped: 1 })
    const documents = await all(memory.documents.each('users.ada'))
    expect(documents.map(({ id, content, metadata }) => [id, content, metadata.value])).toEqual([
      ['a', 'likes soup', { text: 'likes soup', score: 1 }],
      ['b', '{"city":"Lisbon"}', { city: 'Lisbon' }],
    ])
    expect(documents[0]?.createdAt.toISOString()).toBe('2026-01-31T12:00:00.000Z')
    expect(brief(await importInto(memory, [path])).document).toMatchObject({ unchanged: 2 })
    await memory.close()
  })
})

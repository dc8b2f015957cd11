import { describe, expect, test } from 'vitest'
import { freshFolder } from '../cli/support.js'
import { all, contentsOf, databaseOf, sample } from './foreign.js'
import { brief, freshMemory, importInto, messagesOf } from './support.js'

const folder = await freshFolder()

const file = sample('mastra.sqlite')

describe('the file of a Mastra LibSQL store', () => {
  test('is recognised, and every row of its memory is accounted for', async () => {
    const memory = freshMemory()
    const report = await importInto(memory, [file])
    expect(report.error).toBeNull()
    expect(brief(report)).toEqual({
      user: { read: 2, imported: 2 },
      conversation: { read: 3, imported: 3 },
      message: { read: 11, imported: 9, refused: 2 },
      memory: { read: 3, imported: 3 },
    })
    expect(report.findings.map(({ field, reason, place }) => [place.id, field, reason])).toEqual([
      ['gone-1', 'thread_id', 'names no thread of this file'],
      ['signal-1', 'role', 'must be one of system, user, assistant, tool, function'],
    ])
    const threads = (await all(memory.conversations.each())).sort((a, b) => (a.id < b.id ? -1 : 1))
    expect(threads.map(({ id, userId, title, metadata }) => ({ id, userId, title, metadata }))).toEqual([
      { id: 'empty', userId: 'ben', title: 'Nothing yet', metadata: { source: 'mastra' } },
      {
        id: 'recipes',
        userId: 'ben',
        title: null,
        metadata: { source: 'mastra', workingMemory: '# Likes\n- soup' },
      },
      { id: 'trip', userId: 'ada', title: 'A trip to Lisbon', metadata: { source: 'mastra', topic: 'travel' } },
    ])
    await memory.close()
  })

  test('gives messages in their order, calls of tools with their answers, pictures and reasoning as parts', async () => {
    const memory = freshMemory()
    await importInto(memory, [file])
    const messages = await messagesOf(memory, 'trip')
    expect(
      messages.map(({ role, type, content, parts, name, toolCallId }) => ({
        role,
        type,
        content,
        parts,
        name,
        toolCallId,
      })),
    ).toEqual([
      {
        role: 'user',
        type: 'text',
        content: 'How warm is it in Lisbon? 🌞',
        parts: null,
        name: null,
        toolCallId: null,
      },
      {
        role: 'assistant',
        type: 'text',
        content: '',
        parts: [
          { type: 'reasoning', text: 'The tool knows the weather.', createdAt: expect.any(Number) },
          { type: 'tool-call', toolCallId: 'call-1', toolName: 'weather', input: { city: 'Lisbon' } },
        ],
        name: null,
        toolCallId: null,
      },
      { role: 'tool', type: 'text', content: '{"celsius":21}', parts: null, name: 'weather', toolCallId: 'call-1' },
      {
        role: 'assistant',
        type: 'text',
        content: 'It is 21 degrees in Lisbon.',
        parts: null,
        name: null,
        toolCallId: null,
      },
      {
        role: 'user',
        type: 'text',
        content: 'What is on this picture?',
        parts: [
          { type: 'text', text: 'What is on this picture?' },
          { type: 'image', data: expect.objectContaining({ mimeType: 'image/png' }) },
        ],
        name: null,
        toolCallId: null,
      },
      { role: 'assistant', type: 'text', content: 'A harbour, it seems.', parts: null, name: null, toolCallId: null },
    ])
    // The answer is one row there: its first message has the row's id, and the others name it.
    expect(messages.slice(2, 4).map(({ metadata }) => metadata.mastra)).toEqual(
      Array(2).fill({ messageId: messages[1]?.id }),
    )
    expect(messages[1]?.metadata).toMatchObject({ model: 'scripted-1', provider: 'scripted' })
    const times = messages.map(({ createdAt }) => createdAt.getTime())
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    await memory.close()
  })

  test('gives a prompt in which the call and its answer stand together', async () => {
    const memory = freshMemory()
    await importInto(memory, [file])
    const context = await memory.context({ userId: 'ada', conversationId: 'trip', maxTokens: 4000 })
    const messages = context.toLLM()
    expect(messages.find((message) => 'tool_calls' in message)).toMatchObject({
      tool_calls: [{ id: 'call-1', function: { name: 'weather', arguments: '{"city":"Lisbon"}' } }],
    })
    expect(messages.find(({ role }) => role === 'tool')).toMatchObject({ tool_call_id: 'call-1' })
    await memory.close()
  })

  test('keeps times to the millisecond, and who wrote into the thread of another', async () => {
    const memory = freshMemory()
    await importInto(memory, [file])
    const guest = await memory.messages.get('recipes', 'guest-1')
    expect(guest?.createdAt.toISOString()).toBe('2026-01-31T12:00:00.123Z')
    expect(guest?.metadata).toEqual({ mastra: { resourceId: 'ada' } })
    await memory.close()
  })

  test('makes memories of working memory and of what was observed', async () => {
    const memory = freshMemory()
    await importInto(memory, [file])
    const memories = (await all(memory.memories.each())).map(({ userId, type, category, source, content }) => ({
      userId,
      type,
      category,
      source,
      content,
    }))
    expect(memories).toHaveLength(3)
    expect(memories).toEqual(
      expect.arrayContaining([
        {
          userId: 'ada',
          type: 'semantic',
          category: 'working-memory',
          source: 'mastra',
          content: '# User\n- Name: Ada\n- City: Lisbon',
        },
        { userId: 'ben', type: 'semantic', category: 'working-memory', source: 'mastra', content: '# Likes\n- soup' },
        {
          userId: 'ada',
          type: 'episodic',
          category: 'observations',
          source: 'mastra',
          content: '* Ada travels to Lisbon in May.',
        },
      ]),
    )
    await memory.close()
  })

  test('imported twice changes nothing; a dry run says the same and writes nothing', async () => {
    const memory = freshMemory()
    const dry = await importInto(null, [file], { dryRun: true })
    const first = await importInto(memory, [file])
    expect(brief(dry)).toEqual(brief(first))
    const before = await contentsOf(memory)
    const second = await importInto(memory, [file])
    expect(brief(second)).toMatchObject({
      user: { unchanged: 2 },
      conversation: { unchanged: 3 },
      message: { unchanged: 9, refused: 2 },
      memory: { unchanged: 3 },
    })
    expect(await contentsOf(memory)).toEqual(before)
    await memory.close()
  })

  test('that has more than memory in it: what is passed over is named', async () => {
    const path = await databaseOf(
      folder,
      `CREATE TABLE mastra_traces (id TEXT); INSERT INTO mastra_traces VALUES ('a'), ('b');
       INSERT INTO mastra_observational_memory SELECT id || '-2', "lookupKey", scope, "resourceId", "threadId", 'Later.',
         NULL, 'reflection', config, 1, NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
         NULL, 0, 0, 0, NULL, NULL, "createdAt", "updatedAt" FROM mastra_observational_memory`,
      'mastra.sqlite',
    )
    const memory = freshMemory()
    const report = await importInto(memory, [path])
    expect(report.skipped).toEqual({
      'rows of mastra_traces': 2,
      'earlier generations of mastra_observational_memory': 1,
    })
    const observed = (await all(memory.memories.each())).filter(({ category }) => category === 'observations')
    expect(observed.map(({ content }) => content)).toEqual(['Later.'])
    await memory.close()
  })

  test('with rows that cannot be read: each is refused, with its id and the field', async () => {
    const path = await databaseOf(
      folder,
      `UPDATE mastra_messages SET content = '{"format":2' WHERE id = 'guest-1';
       UPDATE mastra_messages SET content = '{"format":2,"parts":[]}' WHERE id = 'signal-1';
       UPDATE mastra_messages SET role = 'user' WHERE id = 'signal-1';
       UPDATE mastra_threads SET "resourceId" = '' WHERE id = 'empty';
       UPDATE mastra_threads SET "createdAt" = 'yesterday' WHERE id = 'trip'`,
      'mastra.sqlite',
    )
    const memory = freshMemory()
    const report = await importInto(memory, [path], { userId: 'eve' })
    expect((await memory.conversations.get('empty'))?.userId).toBe('eve')
    const refused = report.findings.map(({ field, place }) => [place.table, place.id, field])
    expect(refused).toContainEqual(['mastra_messages', 'guest-1', 'content'])
    expect(refused).toContainEqual(['mastra_threads', 'trip', 'createdAt'])
    expect(report.skipped).toEqual({ empty: 1 })
    // The messages of a thread that was refused.
    expect(brief(report).message).toMatchObject({ refused: 8 })
  })
})

describe('a file that Mastra made before its messages had parts', () => {
  test('is read as well', async () => {
    const memory = freshMemory()
    const report = await importInto(memory, [sample('mastra-0.9.sqlite')])
    expect(report).toMatchObject({ error: null, refused: 0 })
    const messages = await messagesOf(memory, 'trip')
    expect(messages.map(({ role, content, name, toolCallId }) => [role, content, name, toolCallId])).toEqual([
      ['user', 'How warm is it in Lisbon?', null, null],
      ['assistant', '', null, null],
      ['tool', '{"celsius":21}', 'weather', 'call-1'],
      ['assistant', 'It is 21 degrees in Lisbon.', null, null],
    ])
    expect(messages[1]?.parts).toEqual([
      { type: 'tool-call', toolCallId: 'call-1', toolName: 'weather', input: { city: 'Lisbon' } },
    ])
    await memory.close()
  })
})

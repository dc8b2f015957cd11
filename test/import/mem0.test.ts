import { describe, expect, test } from 'vitest'
import { freshFolder } from '../cli/support.js'
import { all, contentsOf, databaseOf, sample } from './foreign.js'
import { brief, freshMemory, importInto, messagesOf } from './support.js'

const folder = await freshFolder()

const history = sample('mem0.sqlite')
const vectors = sample('mem0-vectors.sqlite')

describe('the history file of mem0', () => {
  test('gives memories as their last event left them, and names what is left out', async () => {
    const memory = freshMemory()
    const report = await importInto(memory, [history], { userId: 'ada' })
    expect(report).toMatchObject({ error: null, findings: [] })
    expect(brief(report)).toEqual({
      conversation: { read: 1, imported: 1 },
      message: { read: 2, imported: 2 },
      memory: { read: 5, imported: 4, skipped: 1 },
    })
    expect(report.skipped).toEqual({ deleted: 1, 'earlier events of memory_history': 2 })
    const memories = await all(memory.memories.each())
    expect(memories.map(({ content }) => content).sort()).toEqual([
      'User moved to Lisbon in May',
      'has a ticket',
      'is allergic to walnuts',
      'likes caldo verde',
    ])
    const updated = memories.find(({ content }) => content === 'likes caldo verde')
    expect(updated).toMatchObject({ userId: 'ada', source: 'mem0' })
    expect(updated?.updatedAt.getTime()).toBeGreaterThan(updated?.createdAt.getTime() ?? Number.POSITIVE_INFINITY)
    await memory.close()
  })

  test('gives the last messages of each session as a conversation of its user', async () => {
    const memory = freshMemory()
    await importInto(memory, [history])
    const [conversation] = await all(memory.conversations.each())
    expect(conversation).toMatchObject({
      userId: 'ada',
      metadata: { source: 'mem0', mem0: { run_id: 'trip', user_id: 'ada' } },
    })
    const messages = await messagesOf(memory, conversation?.id ?? '')
    expect(messages.map(({ role, content }) => [role, content])).toEqual([
      ['user', 'I moved to Lisbon in May. 🌞'],
      ['assistant', 'How nice!'],
    ])
    expect(messages[0]?.createdAt).toEqual(conversation?.createdAt)
    await memory.close()
  })

  test('imported twice changes nothing; a dry run says the same and writes nothing', async () => {
    const memory = freshMemory()
    const dry = await importInto(null, [history, vectors], { userId: 'ada', dryRun: true })
    expect(dry.error).toBeNull()
    expect(brief(await importInto(memory, [history], { userId: 'ada' })).memory).toEqual(
      brief(await importInto(null, [history], { userId: 'ada', dryRun: true })).memory,
    )
    const before = await contentsOf(memory)
    expect(brief(await importInto(memory, [history], { userId: 'ada' }))).toMatchObject({
      memory: { unchanged: 4, skipped: 1 },
      message: { unchanged: 2 },
    })
    expect(await contentsOf(memory)).toEqual(before)
    await memory.close()
  })

  test('in the layout of mem0 for Python is read as well', async () => {
    // The statement of mem0/memory/storage.py.
    const path = await databaseOf(
      folder,
      `CREATE TABLE history (id TEXT PRIMARY KEY, memory_id TEXT, old_memory TEXT, new_memory TEXT, event TEXT,
         created_at DATETIME, updated_at DATETIME, is_deleted INTEGER, actor_id TEXT, role TEXT);
       INSERT INTO history VALUES
         ('e3', 'a', NULL, 'likes tea', 'ADD', '2025-01-31T04:00:00.123456-08:00', NULL, 0, NULL, NULL),
         ('e1', 'a', 'likes tea', 'likes coffee', 'UPDATE', '2025-01-31T04:00:00.123456-08:00', '2025-02-01 08:00:00', 0, 'ada', 'user'),
         ('e2', 'b', NULL, 'gone', 'ADD', '2025-01-31T04:00:00-08:00', NULL, 0, NULL, NULL),
         ('e0', 'b', 'gone', NULL, 'DELETE', NULL, NULL, 1, NULL, NULL)`,
    )
    const memory = freshMemory()
    const report = await importInto(memory, [path], { userId: 'ada' })
    expect(brief(report).memory).toEqual({ read: 2, imported: 1, skipped: 1 })
    expect(await memory.memories.get('a')).toMatchObject({
      content: 'likes coffee',
      metadata: { actor_id: 'ada', role: 'user' },
      createdAt: new Date('2025-01-31T12:00:00.123Z'),
      updatedAt: new Date('2025-02-01T08:00:00Z'),
    })
    await memory.close()
  })
})

describe('the file of vectors of mem0', () => {
  test('says whose each memory is, and has its metadata', async () => {
    const memory = freshMemory()
    const report = await importInto(memory, [vectors])
    expect(brief(report).memory).toEqual({ read: 4, imported: 3, skipped: 1 })
    expect(report.skipped).toEqual({ expired: 1, 'vectors: they are made anew': 4 })
    const memories = (await all(memory.memories.each())).map(({ userId, content, metadata }) => ({
      userId,
      content,
      metadata,
    }))
    expect(memories).toHaveLength(3)
    expect(memories).toEqual(
      expect.arrayContaining([
        {
          userId: 'ada',
          content: 'User moved to Lisbon in May',
          metadata: { run_id: 'trip', attributedTo: 'user' },
        },
        { userId: 'ben', content: 'likes caldo verde', metadata: { category: 'food', agent_id: 'cook' } },
        { userId: 'ada', content: 'is allergic to walnuts', metadata: {} },
      ]),
    )
    await memory.close()
  })

  test('names the same memories as the history', async () => {
    const memory = freshMemory()
    await importInto(memory, [vectors])
    const ids = (await all(memory.memories.each())).map(({ id }) => id)
    // Without users, the history would give them to another.
    const { findings } = await importInto(memory, [history], { userId: 'ada' })
    expect(findings.map(({ outcome, field, place }) => [outcome, field, ids.includes(place.id ?? '')])).toEqual([
      ['conflict', 'userId', true],
    ])
    await memory.close()
  })

  test('in one file with the history: each memory is read once', async () => {
    const path = await databaseOf(
      folder,
      `ATTACH '${vectors}' AS v; CREATE TABLE vectors AS SELECT * FROM v.vectors; DETACH v;
       UPDATE vectors SET payload = 'secret word' WHERE payload LIKE '%walnuts%'`,
      'mem0.sqlite',
    )
    const memory = freshMemory()
    const report = await importInto(memory, [path])
    expect(brief(report).memory).toEqual({ read: 5, imported: 2, refused: 1, skipped: 2 })
    expect(report.findings.map(({ field, reason }) => [field, reason])).toEqual([
      ['payload', expect.stringMatching(/^is not JSON/)],
    ])
    expect(JSON.stringify(report)).not.toContain('secret word')
    await memory.close()
  })
})

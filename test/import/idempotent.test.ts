import { describe, expect, test } from 'vitest'
import { freshFolder } from '../cli/support.js'
import { chain, conversation } from './exported.js'
import { brief, fileOf, freshMemory, importInto, jsonLines, messagesOf } from './support.js'

const line = (id: string, more: object = {}) => ({
  conversationId: 'a',
  id,
  role: 'user',
  content: `words of ${id}`,
  ...more,
})

describe('importing again', () => {
  test('changes nothing and says so', async () => {
    const memory = freshMemory()
    const path = await fileOf(await freshFolder(), [chain('c1', 30), chain('c2', 2500), chain('c3', 1)])
    const first = await importInto(memory, [path])
    expect(brief(first)).toEqual({ conversation: { read: 3, imported: 3 }, message: { read: 2531, imported: 2531 } })
    const before = await messagesOf(memory, 'c2')
    expect(before.map((m) => m.position)).toEqual(before.map((_, i) => i + 1))
    const second = await importInto(memory, [path])
    expect(brief(second)).toEqual({ conversation: { read: 3, unchanged: 3 }, message: { read: 2531, unchanged: 2531 } })
    expect(await messagesOf(memory, 'c2')).toEqual(before)
    await memory.close()
  })

  test('adds only what the file has grown by', async () => {
    const memory = freshMemory()
    const folder = await freshFolder()
    await importInto(memory, [await fileOf(folder, [chain('c1', 1500)])])
    const grown = await importInto(memory, [await fileOf(folder, [chain('c1', 1503), chain('c2', 2)])])
    expect(brief(grown)).toEqual({
      conversation: { read: 2, unchanged: 1, imported: 1 },
      message: { read: 1505, unchanged: 1500, imported: 5 },
    })
    expect((await messagesOf(memory, 'c1')).map((m) => m.id)).toEqual(
      Array.from({ length: 1503 }, (_, i) => `c1-${i + 1}`),
    )
    await memory.close()
  })

  test('leaves what differs as it is and reports it, and replaces it with --overwrite', async () => {
    const memory = freshMemory()
    const folder = await freshFolder()
    await importInto(memory, [
      await fileOf(folder, jsonLines(line('m1', { conversationTitle: 'Old' }), line('m2'), line('m3'))),
    ])
    const changed = await fileOf(
      folder,
      jsonLines(
        line('m1', { conversationTitle: 'New' }),
        line('m2', { content: 'other words' }),
        line('m3', { parentId: 'm1' }),
      ),
    )
    const report = await importInto(memory, [changed])
    expect(brief(report)).toEqual({
      conversation: { read: 1, conflict: 1 },
      message: { read: 3, unchanged: 1, conflict: 2 },
    })
    expect(report.findings.map((f) => [f.kind, f.field, f.place.line])).toEqual([
      ['conversation', 'title', 1],
      ['message', 'message', 2],
      ['message', 'parentId', 3],
    ])
    expect(JSON.stringify(report.findings)).not.toContain('other words')
    expect((await messagesOf(memory, 'a'))[1]?.content).toBe('words of m2')
    const overwritten = await importInto(memory, [changed], { overwrite: true })
    expect(brief(overwritten)).toEqual({
      conversation: { read: 1, overwritten: 1 },
      message: { read: 3, unchanged: 1, overwritten: 2 },
    })
    expect((await memory.conversations.get('a'))?.title).toBe('New')
    expect((await messagesOf(memory, 'a')).map((m) => [m.position, m.content, m.parentId])).toEqual([
      [1, 'words of m1', null],
      [2, 'other words', null],
      [3, 'words of m3', 'm1'],
    ])
    expect(brief(await importInto(memory, [changed])).message).toEqual({ read: 3, unchanged: 3 })
    await memory.close()
  })

  test("does not touch another user's conversation", async () => {
    const memory = freshMemory()
    const path = await fileOf(await freshFolder(), [chain('c1', 3)])
    await importInto(memory, [path], { userId: 'ada' })
    const report = await importInto(memory, [path], { userId: 'eve', overwrite: true })
    expect(brief(report)).toEqual({ conversation: { read: 1, conflict: 1 }, message: { read: 3, refused: 3 } })
    expect(report.findings[0]).toMatchObject({
      field: 'userId',
      reason: 'the conversation exists and belongs to another user',
    })
    expect((await memory.conversations.get('c1'))?.userId).toBe('ada')
    await memory.close()
  })

  test('counts a record that stands twice in a file once, and reports the second where it says something else', async () => {
    const memory = freshMemory()
    const path = await fileOf(await freshFolder(), jsonLines(line('m1'), line('m1'), line('m1', { content: 'else' })))
    expect(brief(await importInto(memory, [path])).message).toEqual({ read: 3, imported: 1, unchanged: 1, conflict: 1 })
    const far = await fileOf(
      await freshFolder(),
      jsonLines(...Array.from({ length: 2100 }, (_, i) => ({ ...line(`n${i % 1500}`), conversationId: 'b' }))),
    )
    expect(brief(await importInto(memory, [far])).message).toEqual({ read: 2100, imported: 1500, unchanged: 600 })
    await memory.close()
  })

  test('finds messages that are out of order, and beyond what it keeps in mind', async () => {
    const memory = freshMemory()
    const folder = await freshFolder()
    const lines = Array.from({ length: 3000 }, (_, i) => line(`m${i}`))
    await importInto(memory, [await fileOf(folder, jsonLines(...lines))])
    const shuffled = [...lines].reverse()
    shuffled.splice(100, 0, line('new'))
    expect(brief(await importInto(memory, [await fileOf(folder, jsonLines(...shuffled))])).message).toEqual({
      read: 3001,
      imported: 1,
      unchanged: 3000,
    })
    await memory.close()
  })

  test('a dry run says what would happen and writes nothing', async () => {
    const memory = freshMemory()
    const folder = await freshFolder()
    await importInto(memory, [await fileOf(folder, jsonLines(line('m1')))])
    const path = await fileOf(
      folder,
      jsonLines(line('m1'), line('m2'), line('m3', { role: 'robot' }), { ...line('x'), conversationId: 'b' }),
    )
    const dry = await importInto(memory, [path], { dryRun: true })
    expect(brief(dry)).toEqual({
      conversation: { read: 2, unchanged: 1, imported: 1 },
      message: { read: 4, unchanged: 1, imported: 2, refused: 1 },
    })
    expect(await memory.statistics()).toMatchObject({ conversations: 1, messages: 1 })
    expect(brief(await importInto(null, [path], { dryRun: true })).message).toEqual({
      read: 4,
      imported: 3,
      refused: 1,
    })
    await memory.close()
  })

  test('counts add up for any mixture', async () => {
    const memory = freshMemory()
    const nodes = Array.from({ length: 40 }, (_, i) => ({
      id: `n${i}`,
      parent: i === 0 ? null : `n${Math.floor(i / 2)}`,
      text: i % 7 === 0 ? '' : i % 11 === 0 ? 'bad \0' : `text ${i}`,
    }))
    const path = await fileOf(await freshFolder(), [conversation('c', nodes), 3, chain('d', 2)])
    for (let round = 0; round < 2; round++)
      for (const c of Object.values((await importInto(memory, [path])).counts)) {
        const { read, ...outcomes } = c
        expect(Object.values(outcomes).reduce((a, b) => a + b)).toBe(read)
      }
    await memory.close()
  })
})

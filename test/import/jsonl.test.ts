import { describe, expect, test } from 'vitest'
import { readJsonLines } from '../../src/import/jsonl.js'
import { isLeftOut } from '../../src/import/types.js'
import { freshFolder } from '../cli/support.js'
import { brief, bytesOf, fileOf, freshMemory, importInto, itemsOf, jsonLines, messagesOf } from './support.js'

const refusalsOf = async (text: string | Buffer) =>
  (await itemsOf(readJsonLines(bytesOf(text), { file: 'f', userId: 'u' })))
    .filter(isLeftOut)
    .map((i) => `${i.place.line} ${i.field} ${i.reason}`)

describe('JSON Lines of messages', () => {
  test('keep every field, with lines of several conversations mixed', async () => {
    const memory = freshMemory()
    const path = await fileOf(
      await freshFolder(),
      jsonLines(
        {
          conversationId: 'a',
          userId: 'ada',
          conversationTitle: 'First',
          id: 'm1',
          role: 'user',
          content: 'hi',
          createdAt: '2026-03-02T18:21:00+01:00',
        },
        { conversationId: 'b', role: 'user', content: 'other', createdAt: 1_760_000_000_123 },
        {
          conversationId: 'a',
          userId: 'ada',
          id: 'm2',
          role: 'tool',
          content: '',
          parts: [{ type: 'tool-result' }],
          name: 'web',
          toolCallId: 'call',
          type: 'action',
          status: 'aborted',
          parentId: 'm1',
          metadata: { n: 1 },
        },
      ),
    )
    const report = await importInto(memory, [path], { userId: 'bob' })
    expect(brief(report)).toEqual({ conversation: { read: 2, imported: 2 }, message: { read: 3, imported: 3 } })
    expect(await memory.conversations.get('a')).toMatchObject({
      userId: 'ada',
      title: 'First',
      createdAt: new Date('2026-03-02T17:21:00Z'),
    })
    expect(await memory.conversations.get('b')).toMatchObject({ userId: 'bob', title: null })
    expect(await messagesOf(memory, 'a')).toMatchObject([
      { id: 'm1', position: 1, content: 'hi', createdAt: new Date('2026-03-02T17:21:00Z') },
      {
        id: 'm2',
        position: 2,
        role: 'tool',
        parts: [{ type: 'tool-result' }],
        name: 'web',
        toolCallId: 'call',
        type: 'action',
        status: 'aborted',
        parentId: 'm1',
        metadata: { n: 1 },
      },
    ])
    expect((await messagesOf(memory, 'b'))[0]?.createdAt).toEqual(new Date(1_760_000_000_123))
    await memory.close()
  })

  test('without ids get the same ids every time, and different ones for the same words twice', async () => {
    const text = jsonLines(...['yes', 'yes', 'no'].map((content) => ({ conversationId: 'a', role: 'user', content })))
    const ids = async () =>
      (await itemsOf(readJsonLines(bytesOf(text, 5), { file: 'f', userId: 'u' }))).flatMap((i) =>
        !isLeftOut(i) && i.kind === 'message' ? [i.input.id] : [],
      )
    const first = await ids()
    expect(new Set(first).size).toBe(3)
    expect(await ids()).toEqual(first)
    // Made by this version; a change would double what people have imported.
    expect(first[0]).toBe('d82be074-06d4-5aa7-854d-910eb79f1e9c')
  })

  test('name the line, the field and the reason of what is refused, and nothing of the content', async () => {
    const good = { conversationId: 'a', role: 'user', content: 'secret' }
    const lines: [unknown, string][] = [
      ['{"conversationId":"a","role":"user","content":"secret"', 'line is not JSON'],
      [[1], 'line must be a JSON object'],
      [{ ...good, conversationID: 'x' }, 'conversationID is not a known field, did you mean "conversationId"?'],
      [{ role: 'user', content: 'secret' }, 'conversationId is required'],
      [{ ...good, conversationId: 7 }, 'conversationId must be a string'],
      [{ ...good, id: 'x'.repeat(300) }, 'id must be at most 255 bytes of UTF-8'],
      [{ ...good, role: undefined }, 'role is required'],
      [{ ...good, createdAt: '2026-03-02T18:21:00' }, 'createdAt must be an instant with an offset'],
      [{ ...good, createdAt: '2026-02-30T18:21:00Z' }, 'createdAt is not a date of the calendar'],
      [{ ...good, createdAt: 1.5 }, 'createdAt must be whole milliseconds'],
      [{ ...good, conversationTitle: 3 }, 'conversationTitle must be a string'],
      [
        '{"conversationId":"a","role":"user","content":"x","parts":[1e999]}',
        'line is nested too deeply or holds a number too large',
      ],
    ]
    const text = lines.map(([line]) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
    const found = await refusalsOf(text)
    expect(found).toHaveLength(lines.length)
    for (const [i, [, reason]] of lines.entries()) expect(found[i]).toContain(`${i + 1} ${reason}`)
    expect(found.join()).not.toContain('secret')
  })

  test('that the store refuses are named by their line, and the rest of the batch goes in', async () => {
    const memory = freshMemory()
    const message = (id: string, more: object = {}) => ({
      conversationId: 'a',
      id,
      role: 'user',
      content: `words of ${id}`,
      ...more,
    })
    const path = await fileOf(
      await freshFolder(),
      jsonLines(
        message('m1'),
        message('m2', { role: 'robot' }),
        message('m3', { content: 'a\0b', parentId: 'm1' }),
        message('m4', { content: '\ud800', parentId: 'm3' }),
        message('m5', { content: '  ' }),
        message('m6', { metadata: { n: 2 ** 53 } }),
        message('m7', { parts: 'text' }),
        message('m8', { content: 5 }),
        message('m9', { parentId: 'm4' }),
        message('m10', { parentId: 'nobody' }),
        message('m11', { userId: 'somebody else' }),
      ),
    )
    const report = await importInto(memory, [path])
    expect(report.error).toBeNull()
    expect(brief(report).message).toEqual({ read: 11, imported: 3, refused: 8 })
    expect(
      report.findings.map((f) => [f.outcome, f.place.line, f.field]).sort((a, b) => Number(a[1]) - Number(b[1])),
    ).toEqual([
      ['refused', 2, 'role'],
      ['refused', 3, 'content'],
      ['refused', 4, 'content'],
      ['refused', 5, 'content'],
      ['refused', 6, 'metadata.n'],
      ['refused', 7, 'parts'],
      ['refused', 8, 'content'],
      ['adjusted', 10, 'parentId'],
      ['refused', 11, 'userId'],
    ])
    // A reply to what was refused is linked to what that answered.
    expect((await messagesOf(memory, 'a')).map((m) => [m.id, m.position, m.parentId])).toEqual([
      ['m1', 1, null],
      ['m9', 2, 'm1'],
      ['m10', 3, null],
    ])
    const again = await importInto(memory, [path])
    expect(brief(again).message).toEqual({ read: 11, unchanged: 3, refused: 8 })
    await memory.close()
  })

  test('may be compressed, have a byte order mark, blank lines and carriage returns, and no line feed at the end', async () => {
    const { gzipSync } = await import('node:zlib')
    const memory = freshMemory()
    const line = (id: string) => JSON.stringify({ conversationId: 'a', id, role: 'user', content: 'x' })
    const path = await fileOf(await freshFolder(), gzipSync(`\ufeff${line('1')}\r\n\r\n  \n${line('2')}`))
    expect(brief(await importInto(memory, [path])).message).toEqual({ read: 2, imported: 2 })
    await memory.close()
  })

  test('take the first title that a conversation has, wherever it stands', async () => {
    const memory = freshMemory()
    const line = (id: string, conversationTitle?: string) => ({
      conversationId: 'a',
      id,
      role: 'user',
      content: 'x',
      conversationTitle,
    })
    const path = await fileOf(await freshFolder(), jsonLines(line('1'), line('2', 'Late'), line('3', 'Later')))
    const first = await importInto(memory, [path])
    expect(brief(first)).toEqual({ conversation: { read: 1, imported: 1 }, message: { read: 3, imported: 3 } })
    expect((await memory.conversations.get('a'))?.title).toBe('Late')
    expect(brief(await importInto(memory, [path]))).toEqual({
      conversation: { read: 1, unchanged: 1 },
      message: { read: 3, unchanged: 3 },
    })
    await memory.close()
  })

  test('that are too long are refused, not held', async () => {
    const { splitLines } = await import('../../src/archive/lines.js')
    const found = []
    for await (const line of splitLines(bytesOf(`short\n${'x'.repeat(100_000)}\nend`, 1000), 50))
      found.push([line.number, line.offset, line.bytes?.toString() ?? null])
    expect(found).toEqual([
      [1, 0, 'short'],
      [2, 6, null],
      [3, 100_007, 'end'],
    ])
  })
})

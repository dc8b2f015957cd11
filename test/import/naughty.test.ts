import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshFolder, root } from '../cli/support.js'
import { chain, conversation } from './exported.js'
import { brief, fileOf, freshMemory, importInto, jsonLines, messagesOf } from './support.js'

const source = join(root, '../shared/data/naughty-strings.json')
const missing = existsSync(source) ? '' : ' (skipped: ../shared/data/naughty-strings.json is not there)'

describe.skipIf(missing !== '')(`naughty strings${missing}`, () => {
  const strings = missing ? [] : (JSON.parse(readFileSync(source, 'utf8')) as string[])
  const legal = (s: string) => s.trim() !== '' && !s.includes('\0') && s.isWellFormed()
  const legalId = (s: string) => s !== '' && legal(`x${s}`) && Buffer.byteLength(s) <= 255

  test('as content come back exactly from JSON Lines, and again from the same import', async () => {
    const memory = freshMemory()
    const lines = strings.map((content, i) => ({
      conversationId: 'n',
      id: `m${i}`,
      role: 'user',
      content,
      metadata: { [`k${content}`]: content },
    }))
    const path = await fileOf(await freshFolder(), jsonLines(...lines))
    const report = await importInto(memory, [path])
    const stored = await messagesOf(memory, 'n')
    expect(stored.map((m) => m.content)).toEqual(strings.filter(legal))
    for (const m of stored) expect(m.metadata).toEqual({ [`k${m.content}`]: m.content })
    expect(report.refused).toBe(strings.length - stored.length)
    expect(brief(await importInto(memory, [path])).message).toEqual({
      read: strings.length,
      unchanged: stored.length,
      ...(report.refused ? { refused: report.refused } : {}),
    })
    await memory.close()
  })

  test('as ids, users and titles come back exactly or are refused by line', async () => {
    const memory = freshMemory()
    const lines = strings.map((s) => ({
      conversationId: s,
      userId: s,
      conversationTitle: s,
      id: s,
      role: 'user',
      content: 'x',
    }))
    const report = await importInto(memory, [await fileOf(await freshFolder(), jsonLines(...lines))])
    const ids = new Set(strings.filter(legalId))
    expect(report.error).toBeNull()
    expect((await memory.statistics()).conversations).toBe(ids.size)
    for (const id of ids) {
      expect(await memory.conversations.get(id)).toMatchObject({ id, userId: id, title: id })
      expect((await messagesOf(memory, id)).map((m) => m.id)).toEqual([id])
    }
    await memory.close()
  })

  test('in a ChatGPT export come back exactly', async () => {
    const memory = freshMemory()
    const good = strings.filter(legal)
    const named = good.slice(0, 50).map((title, i) => ({ ...chain(`t${i}`, 1), title, gizmo_id: title }))
    const path = await fileOf(await freshFolder(), [chain('n', good.length, (i) => good[i - 1] as string), ...named])
    expect((await importInto(memory, [path])).findings).toEqual([])
    expect((await messagesOf(memory, 'n')).map((m) => m.content)).toEqual(good)
    for (const [i, title] of good.slice(0, 50).entries())
      expect(await memory.conversations.get(`t${i}`)).toMatchObject({
        title,
        metadata: { chatgpt: { gizmo_id: title } },
      })
    await memory.close()
  })
})

describe('hostile input', () => {
  test('names that objects are made of are only names', async () => {
    const memory = freshMemory()
    const folder = await freshFolder()
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '']
    const lines = names.map(
      (s) => `{"conversationId":"h","id":"m-${s}","role":"user","content":"x","metadata":{"${s}":{"polluted":true}}}\n`,
    )
    await importInto(memory, [await fileOf(folder, lines.join(''))])
    expect((await messagesOf(memory, 'h')).map((m) => Object.keys(m.metadata))).toEqual(names.map((s) => [s]))
    const refused = await importInto(memory, [
      await fileOf(folder, '{"conversationId":"h","role":"user","content":"x","__proto__":{"a":1}}\n'),
    ])
    expect(refused.findings).toMatchObject([{ field: '__proto__', reason: 'is not a known field' }])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    // A literal `__proto__: null` in the source would set the prototype of the object that is written out.
    const tree = conversation(
      'p',
      names.filter(Boolean).map((id, i, all) => ({ id: `${id}x`, parent: i ? `${all[i - 1]}x` : null })),
    )
    const text = JSON.stringify([tree]).replaceAll('__proto__x', '__proto__').replaceAll('constructorx', 'constructor')
    await importInto(memory, [await fileOf(folder, text)])
    expect((await messagesOf(memory, 'p')).map((m) => m.id)).toEqual([
      '__proto__',
      'constructor',
      'toStringx',
      'hasOwnPropertyx',
    ])
    await memory.close()
  })

  test('JSON nested very deeply is refused by its place', async () => {
    const memory = freshMemory()
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    const lines = `{"conversationId":"d","id":"a","role":"user","content":"x","parts":${deep}}\n{"conversationId":"d","id":"b","role":"user","content":"x"}\n`
    const report = await importInto(memory, [await fileOf(await freshFolder(), lines)])
    expect(report.findings).toMatchObject([{ outcome: 'refused', place: { line: 1 } }])
    expect((await messagesOf(memory, 'd')).map((m) => m.id)).toEqual(['b'])
    await memory.close()
  })
})

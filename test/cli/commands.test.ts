import { createReadStream, existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readArchive } from '../../src/archive/read.js'
import { cli, filled, freshFolder, json, looking } from './support.js'

describe('bruno-memory export', () => {
  interface Exported {
    readonly manifest: { counts: Record<string, number>; contentDigests: Record<string, string> }
  }

  test('import and export again give equal content digests', async () => {
    const { folder, url } = await filled()
    const one = await json<Exported>(['export', join(folder, '1.bma'), '--url', url])
    expect(one).toMatchObject({ code: 0, manifest: { counts: { user: 2, conversation: 14, message: 242 } } })
    const other = join(folder, 'other.db')
    await cli(['import', join(folder, '1.bma'), '--url', other])
    const two = await json<Exported>(['export', join(folder, '2.bma'), '--url', other])
    expect(two.manifest.contentDigests).toEqual(one.manifest.contentDigests)
    expect(await readdir(folder)).not.toContain('1.bma.partial')
  })

  test('goes to standard output as bytes alone', async () => {
    const { url } = await filled()
    const { code, bytes, stderr } = await cli(['export', '-', '--url', url, '--user', 'bruno'])
    expect(code).toBe(0)
    expect(stderr).toMatch(/exported 1 user, 5 conversations|exported 1 user/)
    const lines = gunzipSync(bytes).toString().trim().split('\n')
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      format: 'bruno-memory-archive',
      version: 1,
      userId: 'bruno',
      schema: expect.stringMatching(/^\d{4}_/),
    })
    expect(lines.every((l) => !l.includes('"userId":"ada"'))).toBe(true)
  })

  test('refuses what would lose or mix something', async () => {
    const { folder, url } = await filled()
    const file = join(folder, 'x.bma')
    await writeFile(file, 'mine')
    expect(await cli(['export', file, '--url', url])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exists already (--force replaces it)'),
    })
    expect((await cli(['export', file, '--url', url, '--force'])).code).toBe(0)
    for await (const _ of readArchive(createReadStream(file) as AsyncIterable<Buffer>)) break
    expect(await cli(['export', '-', '--json', '--url', url])).toMatchObject({ code: 2 })
    expect(await cli(['export', '-', '--url', url], { tty: true })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no text for a terminal'),
    })
    expect(await cli(['export', join(folder, 'no/x'), '--url', url])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('its folder does not exist'),
    })
    expect(await cli(['export', join(folder, 'y'), '--url', url, '--user', 'nobody'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no such user'),
    })
    expect(existsSync(join(folder, 'y'))).toBe(false)
  })
})

describe('bruno-memory search', () => {
  interface Found {
    readonly hits: {
      kind: string
      score: number
      record: { content: string; id: string; conversationId: string }
      explain?: object
    }[]
  }

  test('finds, narrows and limits', async () => {
    const { url } = await filled()
    const all = await json<Found>(['search', 'Élégie', 'audition', '--url', url, '--limit', '3'])
    expect(all.code).toBe(0)
    expect(all.hits).toHaveLength(3)
    expect(all.hits[0]?.explain).toBeUndefined()
    const conversation = all.hits[0]?.record.conversationId as string
    const inside = await json<Found>([
      'search',
      'Élégie audition',
      '--url',
      url,
      '--conversation',
      conversation,
      '--kind',
      'message',
      '--explain',
    ])
    expect(new Set(inside.hits.map((h) => h.record.conversationId))).toEqual(new Set([conversation]))
    expect(inside.hits[0]?.explain).toMatchObject({ terms: expect.any(Array) })
    expect((await json<Found>(['search', 'Élégie', '--url', url, '--user', 'bruno'])).hits).toEqual([])
  })

  test('marks the words it found on a terminal, and only there', async () => {
    const { url } = await filled()
    const terminal = await cli(['search', 'kidneys', '--url', url, '--limit', '1'], { tty: true })
    expect(terminal.stdout).toContain('\u001b[1mkidney')
    const plain = await cli(['search', 'kidneys', '--url', url, '--limit', '1'])
    expect(plain.stdout).not.toContain('\u001b')
    expect(plain.stdout).toMatch(/^0\.\d{3} {2}(user|assistant), 20\d\d-/)
    expect(
      (await cli(['search', 'kidneys', '--url', url], { tty: true, env: { NO_COLOR: '1' } })).stdout,
    ).not.toContain('\u001b')
  })

  test('lets no control character of a message reach the terminal', async () => {
    const url = join(await freshFolder(), 'm.db')
    await looking(url, (memory) =>
      memory.messages.append(
        'c',
        { role: 'user', content: 'evil \u001b]0;title\u0007 \u202e \r\nword 👩‍👩‍👧' },
        { userId: 'u' },
      ),
    )
    const { stdout } = await cli(['search', 'evil word', '--url', url])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/)
    expect(stdout).toContain('word 👩‍👩‍👧')
  })

  test('takes operators and odd text as words', async () => {
    const { url } = await filled()
    for (const text of ['"', 'a AND (', "x' OR 1=1 --", '*', 'NEAR(', '  ', '日本', '\ufffd'])
      expect((await cli(['search', text, '--url', url])).code, text).toBe(0)
  })

  test('shows the best part of a long message', async () => {
    const url = join(await freshFolder(), 'm.db')
    const long = `${'padding words here '.repeat(500)}the needle in it ${'and more after it '.repeat(500)}`
    await looking(url, (memory) => memory.messages.append('c', { role: 'user', content: long }, { userId: 'u' }))
    const { stdout } = await cli(['search', 'needle', '--url', url])
    expect(stdout).toMatch(/… .*needle.* …/)
    expect(stdout.length).toBeLessThan(400)
  })

  test('refuses wrong options', async () => {
    const { url } = await filled()
    expect(await cli(['search', 'x', '--url', url, '--limit', '0'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--limit must be a whole number from 1 to 1000'),
    })
    expect(await cli(['search', 'x', '--url', url, '--kind', 'session'])).toMatchObject({ code: 2 })
    expect(await cli(['search', '--url', url])).toMatchObject({ code: 2 })
  })
})

describe('the commands that only read', () => {
  test('make no file, and say which one they looked for', async () => {
    const folder = await freshFolder()
    const url = join(folder, 'none.db')
    for (const args of [['search', 'x'], ['stats'], ['export', join(folder, 'x')], ['doctor']]) {
      const { code, stderr, stdout } = await cli([...args, '--url', url])
      expect([code, stderr + stdout], args[0]).toEqual([1, expect.stringContaining(url)])
    }
    expect(await readdir(folder)).toEqual([])
  })

  test('take the database from the option, then from the environment', async () => {
    const { url } = await filled()
    const by = async (args: string[], env: Record<string, string>) => (await cli(['stats', ...args], { env })).code
    expect(await by([], { BRUNO_MEMORY_URL: `sqlite:${url}`, DATABASE_URL: 'x:y' })).toBe(0)
    expect(await by([], { DATABASE_URL: `file:${url}` })).toBe(0)
    expect(await by(['--url', url], { BRUNO_MEMORY_URL: '/nowhere/x.db' })).toBe(0)
    expect((await cli(['stats'])).stderr).toContain('using ./memory.db')
  })

  test('count exactly, for a tenant and a user', async () => {
    const { url } = await filled()
    const { stdout } = await cli(['stats', '--url', url])
    expect(stdout).toMatch(/messages +242/)
    const one = await json<{ messages: number; documents: null }>(['stats', '--url', url, '--user', 'ada'])
    const two = await json<{ messages: number }>(['stats', '--url', url, '--user', 'bruno'])
    expect([one.messages + two.messages, one.documents]).toEqual([242, null])
  })

  test('open a store in the language that it was indexed in', async () => {
    const { createBackend } = await import('../../src/backend.js')
    const path = join(await freshFolder(), 'm.db')
    const memory = createBackend('sqlite', { databasePath: path, language: 'german' })
    await memory.messages.append('c', { role: 'user', content: 'die schönsten Häuser' }, { userId: 'u' })
    await memory.close()
    expect((await cli(['search', 'Haus', '--url', path], { tty: true })).stdout).toContain('\u001b[1mHäuser\u001b[22m')
    expect((await cli(['stats', '--url', path, '--language', 'english'])).code).toBe(2)
  })
})

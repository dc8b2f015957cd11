import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chain } from '../import/exported.js'
import { fileOf, jsonLines } from '../import/support.js'
import { cli, contentOf, freshFolder, json, looking, root } from './support.js'

const sample = ['conversations.json', 'messages.jsonl'].map((name) => join(root, 'examples/sample', name))
const line = (id: string, more: object = {}) => ({
  conversationId: 'a',
  id,
  role: 'user',
  content: `words of ${id}`,
  ...more,
})

interface Summary {
  readonly counts: Record<string, Record<string, number>>
  readonly findings: { field: string; place: { line?: number } }[]
  readonly error: { code: string; message: string } | null
  readonly interrupted: boolean
  readonly skipped: Record<string, number>
}

describe('bruno-memory import', () => {
  test('brings the sample conversations in, and again changes nothing', async () => {
    const url = join(await freshFolder(), 'memory.db')
    const first = await cli(['import', ...sample, '--url', url, '--user', 'ada'])
    expect(first.code).toBe(0)
    expect(first.stderr).toBe('')
    expect(first.stdout).toMatch(/conversations +14 +14/)
    expect(first.stdout).toMatch(/done\n$/)
    const before = await contentOf(url)
    const second = await cli(['import', ...sample, '--url', url, '--user', 'ada'])
    expect(second.code).toBe(0)
    expect(second.stdout).toContain('nothing changed: all of it was there already')
    expect(await contentOf(url)).toEqual(before)
    await looking(url, async (memory) => {
      expect(await memory.statistics()).toMatchObject({ users: 2, conversations: 14 })
      // The branch of the Azores trip is kept beside it.
      const branches = []
      for await (const c of memory.conversations.each()) if (c.metadata.branch) branches.push(c.metadata.branch)
      expect(branches).toMatchObject([{ root: '11ac3009-18c6-4556-90ff-5d156931872a' }])
      const call = await memory.messages.get(
        'dede7e53-bfd5-466a-bd01-9d6756397456',
        '328dd289-6865-4066-a162-f0b867bf6de1',
      )
      expect(call).toMatchObject({ role: 'tool', name: 'python', toolCallId: '56164022-86db-46c4-87e6-caeb155604fa' })
    })
  })

  test('says what was refused on the terminal, at most twenty, all of it in the report, and exits with 1', async () => {
    const folder = await freshFolder()
    const url = join(folder, 'memory.db')
    const lines = Array.from({ length: 30 }, (_, i) => line(`m${i}`, { rolle: 'secret word' }))
    const path = await fileOf(folder, jsonLines(line('good'), ...lines), 'm.jsonl')
    const report = join(folder, 'report.jsonl')
    const { code, stdout, stderr } = await cli(['import', path, '--url', url, '--report', report])
    expect(code).toBe(1)
    expect(
      stderr.match(/^refused: .*m\.jsonl line \d+: message rolle is not a known field, did you mean "role"\?$/gm),
    ).toHaveLength(20)
    expect(stderr).toContain(`… and 10 more in ${report}`)
    expect(stdout).toContain('done, but not all: 30 refused, 0 in conflict, 0 adjusted')
    const written = (await readFile(report, 'utf8'))
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l) as { line: number })
    expect(written.map((f) => f.line)).toEqual(lines.map((_, i) => i + 2))
    expect(stderr + stdout + JSON.stringify(written)).not.toContain('secret')
  })

  test('--json prints one document and nothing else', async () => {
    const folder = await freshFolder()
    const path = await fileOf(folder, [chain('c1', 3)], 'c.json')
    const summary = await json<Summary>(['import', path, '--url', join(folder, 'm.db')])
    expect(summary).toMatchObject({
      code: 0,
      error: null,
      interrupted: false,
      counts: { message: { read: 3, imported: 3 } },
    })
    const broken = await fileOf(folder, `${JSON.stringify([chain('c1', 3)]).slice(0, -1)},{"x"`, 'broken.json')
    expect(await json<Summary>(['import', broken, '--url', join(folder, 'm.db')])).toMatchObject({
      code: 1,
      counts: { conversation: { read: 2, unchanged: 1, refused: 1 } },
      findings: [{ field: 'file' }],
    })
  })

  test('--dry-run makes no file', async () => {
    const folder = await freshFolder()
    const path = await fileOf(folder, [chain('c1', 3)], 'c.json')
    const { code, stdout } = await cli(['import', path, '--url', join(folder, 'm.db'), '--dry-run'])
    expect([code, existsSync(join(folder, 'm.db'))]).toEqual([0, false])
    expect(stdout).toMatch(/checked, nothing written[\s\S]*messages +3 +3[\s\S]*all of it can be imported/)
  })

  test('finds out what a file is, and says what it is not', async () => {
    const folder = await freshFolder()
    const url = join(folder, 'm.db')
    const wrong: [string | Buffer, string][] = [
      ['', 'is empty'],
      ['PK\u0003\u0004…', 'is a ZIP file: unpack it'],
      ['SQLite format 3\0…', 'is no SQLite file'],
      [Buffer.from('\ufeff[]', 'utf16le'), 'is UTF-16 text'],
      ['<html>', 'is HTML or XML'],
      ['hello', 'is neither a JSON array, nor JSON Lines, nor an archive, nor an SQLite file'],
    ]
    for (const [content, message] of wrong) {
      const path = await fileOf(folder, content, 'wrong')
      const { code, stderr } = await cli(['import', path, '--url', url])
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${path} ${message}`)])
    }
    expect(existsSync(url)).toBe(false)
    expect((await cli(['import', folder, '--url', url])).stderr).toContain('is a folder')
    expect((await cli(['import', join(folder, 'none'), '--url', url])).stderr).toContain('there is no such file')
    // One file that cannot be read, and none is imported.
    const good = await fileOf(folder, [chain('c', 1)], 'good.json')
    expect((await cli(['import', good, join(folder, 'none'), '--url', url])).code).toBe(1)
    expect(existsSync(url)).toBe(false)
  })

  test('an archive goes into the tenant that is named, and a damaged one not at all', async () => {
    const folder = await freshFolder()
    const [a, b, archive] = [join(folder, 'a.db'), join(folder, 'b.db'), join(folder, 'x.bma')]
    await cli(['import', ...sample, '--url', a])
    expect((await cli(['export', archive, '--url', a])).code).toBe(0)
    expect((await cli(['import', archive, '--url', b, '--tenant', 'acme'])).code).toBe(0)
    expect(await json(['stats', '--url', b, '--tenant', 'acme'])).toMatchObject({ conversations: 14 })
    expect(await json(['stats', '--url', b])).toMatchObject({ conversations: 0 })
    const bytes = await readFile(archive)
    await writeFile(archive, bytes.subarray(0, bytes.length - 100))
    const cut = await cli(['import', archive, '--url', join(folder, 'c.db')])
    expect([cut.code, cut.stdout]).toEqual([
      1,
      expect.stringContaining('not finished: the archive is damaged or incomplete'),
    ])
    expect(await json(['stats', '--url', join(folder, 'c.db')])).toMatchObject({ users: 0, conversations: 0 })
  })

  test('wrong usage exits with 2 and says what is wrong', async () => {
    const wrong: [string[], string][] = [
      [['import'], 'missing required argument'],
      [['import', 'x', '--formt', 'jsonl'], "unknown option '--formt'"],
      [['import', 'x', '--format', 'csv'], 'Allowed choices are chatgpt, openai-agents, jsonl, archive'],
      [['import', sample[0] as string, '--user', ''], '--user: must not be empty'],
      [['import', sample[0] as string, '--url', 'mysql://user:pass@host/db'], 'backend "mysql" is not known'],
      [['import', sample[0] as string, '--url', ':memory:'], 'name a file'],
      [['imprt'], "unknown command 'imprt'"],
    ]
    for (const [args, message] of wrong) {
      const { code, stderr } = await cli(args)
      expect([code, stderr], args.join(' ')).toEqual([2, expect.stringContaining(message)])
      expect(stderr).not.toContain('pass@')
    }
  })

  test('explains itself', async () => {
    for (const command of ['import', 'export', 'search', 'stats', 'doctor']) {
      const { code, stdout } = await cli([command, '--help'])
      expect(code).toBe(0)
      expect(stdout).toContain('--json')
      expect(stdout.split('\n').every((l) => l.length <= 130)).toBe(true)
    }
  })
})

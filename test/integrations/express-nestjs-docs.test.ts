import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { compile, type Format, programsOf, start } from './support/documented.js'
import { client } from './support/served.js'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const GUIDES = ['docs/express.md', 'docs/nestjs.md'] as const
const FORMATS: readonly Format[] = ['commonjs', 'module']
const cases = GUIDES.flatMap((guide) => FORMATS.map((format) => [guide, format] as const))

// As built and installed: `npm run build` comes before.
describe.each(cases)('the programs of %s as %s', (guide, format) => {
  test('are correct in their types', () => {
    const programs = programsOf(guide)
    expect(programs.length).toBeGreaterThan(0)
    for (const program of programs) {
      const { folder, wrong } = compile(program, format)
      folders.push(folder)
      expect(wrong).toEqual([])
    }
  })

  test('the first one runs, keeps tenants apart, and ends at a signal', async () => {
    const { folder } = compile(programsOf(guide)[0] as string, format)
    folders.push(folder)
    const { url, end } = await start(folder)
    const { say, heard, call } = client(url)
    try {
      expect(await say('a', 'one')).toMatchObject({ status: 201, json: { stored: true } })
      expect([await heard('a'), await heard('a', 'other')]).toEqual([['one'], []])
      expect(await call('/chats/a', { tenant: '../acme' })).toMatchObject({ status: 400, json: { field: 'tenant' } })
      const again = [await say('a', 'two', '', { key: 'k' }), await say('a', 'two', '', { key: 'k' })]
      expect(again.map(({ status, text }) => [status, text])).toEqual([
        [201, '{"stored":true}'],
        [201, '{"stored":true}'],
      ])
      expect(await heard('a')).toEqual(['one', 'two'])
    } finally {
      const [code, signal] = await end()
      // Nest ends itself by the signal that it was sent.
      expect([code === 0 || signal === 'SIGTERM', code]).toEqual([true, signal ? null : 0])
    }
  })
})

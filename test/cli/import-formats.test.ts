import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { databaseOf, sample } from '../import/foreign.js'
import { cli, contentOf, freshFolder, json } from './support.js'

interface Summary {
  readonly files: { format: string }[]
  readonly skipped: Record<string, number>
  readonly error: { code: string; message: string } | null
}

describe('bruno-memory import of files that other memories made', () => {
  test('says what was refused, by table and id, and exits with 1', async () => {
    const url = join(await freshFolder(), 'memory.db')
    const { code, stdout, stderr } = await cli(['import', sample('mastra.sqlite'), '--url', url])
    expect(code).toBe(1)
    expect(stdout).toMatch(/conversations +3 +3/)
    expect(stderr).toContain('mastra_messages id gone-1: message thread_id names no thread of this file')
  })

  test('names what was passed over, changes nothing the second time, and exits with 0', async () => {
    const url = join(await freshFolder(), 'memory.db')
    const files = [sample('langgraph.sqlite'), sample('mem0.sqlite')]
    const first = await cli(['import', ...files, '--user', 'ada', '--url', url])
    expect([first.code, first.stderr]).toEqual([0, ''])
    expect(first.stdout).toContain('skipped: 10 earlier checkpoints\n')
    expect(first.stdout).toContain('skipped: 2 earlier events of memory_history\n')
    const before = await contentOf(url)
    const second = await cli(['import', ...files, '--user', 'ada', '--url', url])
    expect(second.stdout).toContain('nothing changed: all of it was there already')
    expect(await contentOf(url)).toEqual(before)
  })

  test('takes the formats that --format names, and says in --json what it took', async () => {
    const url = join(await freshFolder(), 'memory.db')
    const args = ['import', sample('trip.json'), '--format', 'openai-agents', '--dry-run', '--url', url]
    const summary = await json<Summary>(args)
    expect(summary).toMatchObject({ code: 0, files: [{ format: 'openai-agents' }], skipped: {}, error: null })
  })

  test('exits with 2 for an SQLite file of something else, before a memory is made', async () => {
    const folder = await freshFolder()
    const url = join(folder, 'memory.db')
    const other = await databaseOf(folder, 'CREATE TABLE notes (id TEXT)')
    const { code, stderr } = await cli(['import', other, '--url', url])
    expect([code, stderr]).toEqual([2, expect.stringContaining('is an SQLite file of something else; expected')])
    expect((await cli(['import', other, '--format', 'mem0', '--url', url])).stderr).toContain('it holds notes')
  })
})

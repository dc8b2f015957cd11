import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import type { Context, LlmMessage } from '../../src/contract/context.js'
import { cli, freshFolder, json } from './support.js'

describe('bruno-memory context', () => {
  let url = ''
  beforeAll(async () => {
    url = join(await freshFolder(), 'memory.db')
    const memory = createBackend('sqlite', { databasePath: url })
    await memory.messages.append(
      'c',
      [
        { role: 'system', content: 'be kind' },
        { role: 'user', content: 'an old question' },
        { role: 'assistant', content: 'an old answer' },
        { role: 'user', content: 'how is \u001b[31mthe flat?' },
      ],
      { userId: 'ada' },
    )
    await memory.memories.add({ userId: 'ada', content: 'rents a flat in Lisbon' })
    await memory.close()
  })

  test('shows what would go into a prompt', async () => {
    const { code, stdout, stderr } = await cli(['context', '--url', url, '--user', 'ada', '--conversation', 'c'])
    expect(code).toBe(0)
    expect(
      stdout
        .replace(/\n {2}/g, ' ')
        .trim()
        .split('\n'),
    ).toEqual([
      'system: be kind',
      'system: What is known about the user: - rents a flat in Lisbon',
      'user: an old question',
      'assistant: an old answer',
      'user: how is \ufffd[31mthe flat?',
    ])
    expect(stderr).toMatch(/\d+ tokens: 4 messages, 1 memories, 0 documents/)
  })

  test('prints one JSON document', async () => {
    const made = await json<Context & { llm: LlmMessage[] }>([
      ...['context', '--url', url, '--user', 'ada', '--conversation', 'c'],
      ...['--strategy', 'recent', '--max-messages', '2', '--text', 'flat'],
    ])
    expect(made).toMatchObject({ code: 0, truncated: true, degraded: false, memories: [], user: { id: 'ada' } })
    expect(made.llm.map(({ role }) => role)).toEqual(['system', 'user'])
    expect(made.messages).toHaveLength(2)
  })

  test('refuses what is wrong, and misses what is not there', async () => {
    const run = (...args: string[]) => cli(['context', '--url', url, ...args])
    expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining('--user') })
    expect(await run('--user', 'ada', '--max-tokens', 'many')).toMatchObject({ code: 2 })
    expect(await run('--user', 'ada', '--max-tokens', '0')).toMatchObject({ code: 2 })
    expect(await run('--user', 'ada', '--strategy', 'best')).toMatchObject({ code: 2 })
    expect(await run('--user', '')).toMatchObject({ code: 2, stderr: expect.stringContaining('--user') })
    expect(await run('--user', 'bruno')).toMatchObject({ code: 1, stderr: expect.stringContaining('no such user') })
    expect(await run('--user', 'ada', '--conversation', 'unknown')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no such conversation'),
    })
    expect((await run('--help')).stdout).toContain('Example:')
  })
})

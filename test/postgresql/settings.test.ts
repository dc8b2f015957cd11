import { inspect } from 'node:util'
import postgres from 'postgres'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { parseInstant } from '../../src/backends/postgresql/instants.js'
import type { Memory } from '../../src/contract/memory.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'

const SECRET = 'walnut-content-9173'
let url: string
const opened: Memory[] = []
const open = (): Memory => {
  const memory = createBackend('postgresql', { connectionString: url, poolSize: 4 })
  opened.push(memory)
  return memory
}
const nameOf = (database: string): string => new URL(database).pathname.slice(1)

beforeEach(async () => {
  url = await freshDatabase()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((memory) => memory.close()))
  await returnDatabases()
})
afterAll(leaveServer)

async function asAdministrator(text: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql.unsafe(text)
  await sql.end()
}

describe('a database with settings of its own', () => {
  test.each([
    "timezone = 'Asia/Kathmandu'",
    "datestyle = 'German, DMY'",
    'standard_conforming_strings = off',
    "bytea_output = 'escape'",
    'extra_float_digits = 0',
    "intervalstyle = 'iso_8601'",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
  ])('%s gives back what it was given', async (setting) => {
    await asAdministrator(`alter database ${nameOf(url)} set ${setting}`)
    try {
      const memory = open()
      const [stored] = await memory.messages.append(
        'c',
        {
          role: 'user',
          content: `it's a \\ test "quoted" {with,braces} ünï`,
          metadata: { small: 5e-324, zero: -0, third: 1 / 3, text: `'\\"` },
          parts: [{ type: 'x', y: '\\"' }],
          createdAt: new Date('0099-03-01T12:34:56.007Z'),
        },
        { userId: `a'b\\` },
      )
      expect(await memory.messages.get('c', stored?.id ?? '')).toEqual(stored)
      expect(await memory.search({ text: 'quoted', from: new Date('0099-03-01T12:34:56.007Z') })).toHaveLength(1)
      const memo = { userId: 'u', content: 'x', confidence: 0.1, expiresAt: new Date('9999-12-31T23:59:59.999Z') }
      const { id } = await memory.memories.add(memo)
      expect(await memory.memories.get(id)).toMatchObject(memo)
    } finally {
      await asAdministrator(`alter database ${nameOf(url)} reset ${setting.split(' ')[0]}`)
    }
  })

  test('a search_path without our schema is said at once', async () => {
    await asAdministrator(`alter database ${nameOf(url)} set search_path = 'elsewhere'`)
    try {
      await expect(open().connect()).rejects.toMatchObject({
        code: 'configuration',
        message: expect.stringContaining('search_path'),
      })
    } finally {
      await asAdministrator(`alter database ${nameOf(url)} reset search_path`)
    }
  })
})

describe('an instant in the form of the server', () => {
  test.each([
    ['2026-01-31 12:00:00.123+00', '2026-01-31T12:00:00.123Z'],
    ['2026-01-31 12:00:00.1+00', '2026-01-31T12:00:00.100Z'],
    ['2026-01-31 12:00:00+00', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31 12:00:00.12+05:45', '2026-01-31T06:15:00.120Z'],
    ['0099-03-01 18:16:12.007+05:41:16', '0099-03-01T12:34:56.007Z'],
    ['0001-01-01 00:00:00+00', '0001-01-01T00:00:00.000Z'],
    ['1899-12-31 19:03:58-04:56:02', '1900-01-01T00:00:00.000Z'],
    ['9999-12-31 23:59:59.999+00', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, expected) => {
    expect((parseInstant(text) as Date).toISOString()).toBe(expected)
    // The same text again, and a copy of its own.
    expect(parseInstant(text)).toEqual(new Date(expected))
    expect(parseInstant(text)).not.toBe(parseInstant(text))
  })

  test('what is none stays text', () => {
    for (const text of ['infinity', '-infinity', '0044-03-15 12:00:00+00 BC', '']) expect(parseInstant(text)).toBe(text)
  })
})

describe('a stored value that another program spoiled', () => {
  test.each([
    ['metadata that is no object', `update bruno_conversations set metadata = '"${SECRET}"'`],
    ['tags that are no texts', `update bruno_conversations set tags = '[1]'`],
    ['tags that are an object', `update bruno_conversations set tags = '{"a": "${SECRET}"}'`],
  ])('%s is an error of its own, and no crash', async (_, change) => {
    const memory = open()
    await memory.conversations.create({ id: 'c', userId: 'ada' })
    await asAdministrator(change)
    const error = await memory.conversations.get('c').catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'storage', message: expect.stringContaining('cannot be read') })
    expect(inspect(error, { depth: 6 })).not.toContain(SECRET)
  })
})

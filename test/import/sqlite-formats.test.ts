import { copyFile, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, StorageError } from '../../src/errors.js'
import { openSource } from '../../src/import/source.js'
import type { ImportFormat } from '../../src/import/types.js'
import { freshFolder } from '../cli/support.js'
import { databaseOf, sample } from './foreign.js'
import { brief, fileOf, freshMemory, importInto } from './support.js'

const folder = await freshFolder()

const refusal = async (path: string, format?: ImportFormat): Promise<Error> =>
  openSource(path, format).then(
    () => new Error('it was taken'),
    (error: Error) => error,
  )

describe('an SQLite file', () => {
  test.each([
    ['mastra', 'mastra.sqlite'],
    ['mastra', 'mastra-0.9.sqlite'],
    ['langgraph', 'langgraph.sqlite'],
    ['mem0', 'mem0.sqlite'],
    ['mem0', 'mem0-vectors.sqlite'],
  ] as const)('is taken for %s by its tables: %s', async (format, name) => {
    expect((await openSource(sample(name))).format).toBe(format)
    expect((await openSource(sample(name), format)).format).toBe(format)
  })

  test('of something else is refused with what was expected', async () => {
    const path = await databaseOf(folder, 'CREATE TABLE history (url TEXT); CREATE TABLE store (id TEXT)')
    const error = await refusal(path)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(`${path} is an SQLite file of something else; expected the file of a Mastra`)
    for (const table of ['mastra_threads', 'checkpoints', 'memory_history']) expect(error.message).toContain(table)
    const asked = await refusal(path, 'mastra')
    expect(asked).toBeInstanceOf(ConfigurationError)
    expect(asked.message).toContain('expected a table mastra_threads (@mastra/libsql); it holds history, store')
  })

  test('in a layout without a column that is read is refused, and the column named', async () => {
    const path = await databaseOf(folder, 'ALTER TABLE mastra_threads DROP COLUMN title', 'mastra-0.9.sqlite')
    const error = await refusal(path)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain('table mastra_threads has no column title')
  })

  test('without a table that is needed is refused, and the table named', async () => {
    for (const [name, table] of [
      ['mastra.sqlite', 'mastra_messages'],
      ['langgraph.sqlite', 'checkpoints'],
    ] as const) {
      const error = await refusal(await databaseOf(folder, `DROP TABLE ${table}`, name), name.split('.')[0] as 'mastra')
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error.message).toContain(table)
    }
  })

  test('that holds two is imported with --format for each', async () => {
    const both = await databaseOf(
      folder,
      `ATTACH '${sample('mem0.sqlite')}' AS m; CREATE TABLE memory_history AS SELECT * FROM m.memory_history; DETACH m`,
      'langgraph.sqlite',
    )
    expect((await refusal(both)).message).toContain('holds langgraph and mem0: import it with --format for each')
    expect(brief(await importInto(freshMemory(), [both], { format: 'mem0' })).memory).toMatchObject({ imported: 4 })
  })

  test('that is a memory itself, is compressed or is no SQLite file is refused with what to do', async () => {
    const memory = await databaseOf(folder, 'CREATE TABLE bruno_conversations (id TEXT)')
    expect((await refusal(memory)).message).toContain('is a memory itself')
    const zipped = await fileOf(folder, gzipSync(await readFile(sample('mem0.sqlite'))))
    expect((await refusal(zipped)).message).toContain('is a compressed SQLite file: decompress it first')
    const text = await fileOf(folder, 'words')
    expect((await refusal(text, 'langgraph')).message).toContain('is no SQLite file')
    expect((await refusal(sample('mem0.sqlite'), 'jsonl')).message).toContain('is an SQLite file, not one of jsonl')
  })

  test('that is damaged ends the import with an error that says so', async () => {
    const whole = await readFile(sample('mastra.sqlite'))
    const broken = Buffer.from(whole)
    // Behind the schema, which begins on the first page.
    broken.fill(0xaa, 60_000)
    const path = await fileOf(folder, broken)
    const outcome = await importInto(freshMemory(), [path]).catch((error: unknown) => ({ error }))
    expect(outcome.error).toBeInstanceOf(StorageError)
    expect(String(outcome.error)).toContain(`${path} is a damaged SQLite file (SQLITE_CORRUPT`)
  })

  test('is only read, also where its owner writes to it meanwhile', async () => {
    const path = join(folder, 'used.db')
    await copyFile(sample('mem0.sqlite'), path)
    const before = await readFile(path)
    await importInto(freshMemory(), [path])
    expect((await readFile(path)).equals(before)).toBe(true)
    const owner = new Database(path)
    owner.pragma('journal_mode = WAL')
    owner.exec("INSERT INTO memory_history (memory_id, new_value, action) VALUES ('late', 'is in the log', 'ADD')")
    expect((await stat(`${path}-wal`)).size).toBeGreaterThan(0)
    const report = await importInto(freshMemory(), [path])
    expect(brief(report).memory).toMatchObject({ imported: 5 })
    owner.close()
  })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { reindexSqlite } from '../../src/backends/sqlite/reindex.js'
import type { SqliteOptions } from '../../src/contract/options.js'

let folder = ''
let databasePath = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bruno-memory-reindex-'))
  databasePath = join(folder, 'memory.db')
})
afterEach(() => rm(folder, { recursive: true }))

async function withMemory<T>(
  options: Partial<SqliteOptions>,
  work: (memory: ReturnType<typeof createBackend>) => Promise<T>,
) {
  const memory = createBackend('sqlite', { databasePath, ...options })
  try {
    await memory.connect()
    return await work(memory)
  } finally {
    await memory.close()
  }
}

const fill = (options: Partial<SqliteOptions> = {}): Promise<void> =>
  withMemory(options, async (memory) => {
    const contents = Array.from({ length: 1200 }, (_, i) => `Die Häuser Nummer ${i}`)
    await memory.messages.append(
      'c',
      contents.map((content) => ({ role: 'user', content })),
      { userId: 'u' },
    )
    await memory.memories.add({ userId: 'u', content: 'Die Häuser sind alt' })
    await memory.documents.upsert({ namespace: 'n', id: 'd', content: 'Häuser und Gärten' })
  })
const found = (text: string, options: Partial<SqliteOptions>): Promise<number> =>
  withMemory(options, async (memory) => (await memory.search({ text, limit: 1000 })).length)
const reindex = (language?: string | null) => reindexSqlite({ databasePath, language, clock: Date.now })

function integrity(): void {
  const client = new Database(databasePath)
  for (const table of ['messages', 'memories', 'documents'])
    client.exec(`insert into bruno_${table}_search (bruno_${table}_search, rank) values ('integrity-check', 1)`)
  client.close()
}

describe('a store of another analyzer', () => {
  it('is refused with the way out, and opens in its own language', async () => {
    await fill()
    const refused = withMemory({ language: 'german' }, async () => {})
    await expect(refused).rejects.toMatchObject({ code: 'configuration' })
    await expect(refused).rejects.toThrow(/language: 'english'.*bruno-memory reindex --language german/)
    expect(await found('Nummer', {})).toBe(1000)
  })

  it('is found by the words of its new language once it has been indexed again', async () => {
    await fill()
    expect(await found('Haus', {})).toBe(0)
    const progress: number[] = []
    const report = await reindexSqlite({
      databasePath,
      language: 'german',
      clock: Date.now,
      onProgress: ({ done }) => progress.push(done),
    })
    expect(report).toEqual({ language: 'german', rows: 1202 })
    expect(progress).toEqual([500, 1000, 1200, 1201, 1202])
    integrity()
    expect(await found('Haus', { language: 'german' })).toBe(1000)
    await expect(withMemory({}, async () => {})).rejects.toThrow(/language: 'german'/)
  })

  it('is indexed when full-text search is switched on, and emptied when it is switched off', async () => {
    await fill({ enableFts: false })
    await expect(found('Nummer', { enableFts: false })).rejects.toMatchObject({
      code: 'unsupported',
      capability: 'textSearch',
    })
    await expect(withMemory({}, async () => {})).rejects.toThrow(/enableFts: false/)
    await reindex('english')
    integrity()
    expect(await found('Nummer', {})).toBe(1000)
    await reindex(null)
    integrity()
    await withMemory({ enableFts: false }, async (memory) => {
      expect(await memory.messages.clear('c')).toBe(1200)
    })
    integrity()
  })

  it('opens for nobody while it is half-way, and for everybody when that was run again', async () => {
    await fill()
    const client = new Database(databasePath)
    client.exec("update bruno_analyzers set stemmer_version = 'unfinished'")
    client.close()
    await expect(withMemory({}, async () => {})).rejects.toThrow(/index it again with `bruno-memory reindex`/)
    await expect(reindex('klingon')).rejects.toMatchObject({ code: 'configuration' })
    await reindex()
    expect(await found('Nummer', {})).toBe(1000)
  })
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { migrations } from '../../src/migrate/bundled/sqlite.js'
import { transfer } from '../../src/run-transfer.js'
import { type End, type EndName, freshEnd } from './support/ends.js'

async function end(name: EndName): Promise<End> {
  const made = await freshEnd(name, inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

function fileIn(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'bruno-memory-versions-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}

/** A database as an earlier version left it, with one record of each kind. */
function asOf(count: number): string {
  const path = fileIn('memory.db')
  const client = new Sqlite(path)
  client.exec('create table bruno_migrations (id integer primary key, hash text not null, created_at numeric)')
  const done = client.prepare('insert into bruno_migrations (hash, created_at) values (?, ?)')
  for (const { statements, hash, when } of migrations.slice(0, count)) {
    for (const statement of statements) client.exec(statement)
    done.run(hash, when)
  }
  const stamps = '1700000000123, 1700000000456, 3, 7'
  client.exec(`
    insert into bruno_users (tenant_id, id, name, preferences, profile, metadata, created_at, updated_at, version, revision)
      values ('acme', 'ada', 'Ada', '{"theme":"dark"}', '{}', '{}', ${stamps});
    insert into bruno_conversations (tenant_id, id, user_id, title, tags, metadata, message_count, last_position, created_at, updated_at, version, revision)
      values ('acme', 'c1', 'ada', 'first', '["a"]', '{}', 1, 4, ${stamps});
    insert into bruno_messages (tenant_id, conversation_id, id, position, role, type, content, status, metadata, search_text, created_at, updated_at, version, revision)
      values ('acme', 'c1', 'm1', 4, 'user', 'text', 'walnuts in Lisbon', 'complete', '{"n":1}', 'another analyzer', ${stamps});
    insert into bruno_memories (tenant_id, id, user_id, type, content, tags, confidence, importance, access_count, related_ids, metadata, search_text, created_at, updated_at, version, revision)
      values ('acme', 'e1', 'ada', 'fact', 'lives in Lisbon', '[]', 1, 0.5, 0, '[]', '{}', '', ${stamps})`)
  client.close()
  return path
}

describe.each(['sqlite', 'postgresql'] as const)('into %s', (name) => {
  test.each(migrations.map(({ tag }, i) => [tag, i + 1] as const))(
    'a database of %s is read as it is, and not changed',
    async (tag, count) => {
      const path = asOf(count)
      const before = readFileSync(path)
      const target = await end(name)
      const report = await transfer({ from: { url: `sqlite:${path}` }, to: target })
      expect(report.plan.from.schema).toBe(tag)
      expect(report.verified).toMatchObject({ equal: true })
      expect(report.copied).toEqual({ user: 1, conversation: 1, message: 1, memory: 1 })
      expect(readFileSync(path).equals(before)).toBe(true)
      await using memory = createBackend(target.url)
      const acme = memory.forTenant('acme')
      expect(await acme.messages.get('c1', 'm1')).toMatchObject({
        position: 4,
        content: 'walnuts in Lisbon',
        createdAt: new Date(1_700_000_000_123),
        updatedAt: new Date(1_700_000_000_456),
        version: 3,
      })
      // What another analyzer had indexed is indexed anew.
      expect((await acme.search({ text: 'walnut', mode: 'text' })).map((hit) => hit.record.id)).toEqual(['m1'])
      const [next] = await acme.messages.append('c1', { role: 'user', content: 'next' })
      expect(next?.position).toBe(5)
    },
  )

  test('the file of version 0.1.0, as it was released, is read to the last vector', async () => {
    const sample = new URL('samples/schema-0008.db.gz', import.meta.url)
    const path = fileIn('sample.db')
    writeFileSync(path, gunzipSync(readFileSync(sample)))
    const target = await end(name)
    const report = await transfer({ from: { url: `sqlite:${path}` }, to: target })
    expect(report.plan.from).toMatchObject({ schema: '0008_outbox_by_key', space: { dimensions: 8 } })
    expect(report.plan.vectors).toBe('carried')
    expect(report.copied).toEqual({ user: 2, conversation: 6, message: 30, session: 2, memory: 12, document: 24 })
    expect(report.verified).toMatchObject({ equal: true, different: 0 })
  })
})

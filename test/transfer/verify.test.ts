import Sqlite from 'better-sqlite3'
import { expect, inject, onTestFinished, test } from 'vitest'
import { transfer } from '../../src/run-transfer.js'
import { pick, seeded } from '../support/random.js'
import { type End, freshEnd } from './support/ends.js'
import { fillSqlite } from './support/fixture.js'

async function end(): Promise<End> {
  const made = await freshEnd('sqlite', inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

interface Key {
  readonly kind: string
  readonly tenantId: string
  readonly scope: string
  readonly id: string
}
const text = ({ kind, tenantId, scope, id }: Key): string => JSON.stringify([kind, tenantId, scope, id])

/** Ways to damage one message of a copy behind our back. */
const DAMAGES: readonly ((client: Sqlite.Database, seq: number) => void)[] = [
  (client, seq) => client.prepare(`update bruno_messages set content = content || '.' where seq = ?`).run(seq),
  (client, seq) =>
    client.prepare(`update bruno_messages set content = 'S' || substr(content, 2) where seq = ?`).run(seq),
  (client, seq) => client.prepare('update bruno_messages set created_at = created_at + 1 where seq = ?').run(seq),
  (client, seq) => client.prepare(`update bruno_messages set metadata = '{"n":-1}' where seq = ?`).run(seq),
  (client, seq) => client.prepare(`update bruno_messages set role = 'tool' where seq = ?`).run(seq),
  (client, seq) => client.prepare('update bruno_messages set version = version + 1 where seq = ?').run(seq),
  (client, seq) => client.prepare('update bruno_messages set parent_id = null, name = id where seq = ?').run(seq),
  (client, seq) =>
    client
      .prepare(
        `update bruno_embeddings set vector = zeroblob(length(vector)) || x'' where kind = 'message'
         and (tenant_id, scope, record_id) = (select tenant_id, conversation_id, id from bruno_messages where seq = ?)`,
      )
      .run(seq),
  (client, seq) => client.prepare('delete from bruno_messages where seq = ?').run(seq),
]

test('1,000 damages of a copy are all found, and their keys named', { timeout: 120_000 }, async () => {
  const [source, target] = [await end(), await end()]
  await fillSqlite(source.url, 400)
  await transfer({ from: source, to: target })
  const client = new Sqlite(target.url.replace(/^sqlite:/, ''))
  const seqs = client.prepare('select seq from bruno_messages').pluck().all() as number[]
  const random = seeded(42)
  const chosen = new Set<number>()
  while (chosen.size < 1000) chosen.add(pick(random, seqs))
  const keyOf = client.prepare('select tenant_id, conversation_id, id from bruno_messages where seq = ?').raw()
  const damaged: string[] = []
  client.exec('begin')
  for (const seq of chosen) {
    const [tenantId, scope, id] = keyOf.get(seq) as [string, string, string]
    damaged.push(text({ kind: 'message', tenantId, scope, id }))
    pick(random, DAMAGES)(client, seq)
  }
  client.exec('commit')
  client.close()
  const { verified } = await transfer({ from: source, to: target, verifyOnly: true })
  expect(verified?.equal).toBe(false)
  expect(verified?.differences.map(text).sort()).toEqual(damaged.sort())
  expect(JSON.stringify(verified)).not.toContain('secret')
})

test('rows that changed places, and one that should not be there, are found by their fields', async () => {
  const [source, target] = [await end(), await end()]
  await fillSqlite(source.url, 10)
  await transfer({ from: source, to: target })
  const client = new Sqlite(target.url.replace(/^sqlite:/, ''))
  const contentOf = client.prepare(`select content from bruno_memories where tenant_id = 'acme' and id = ?`).pluck()
  const write = client.prepare(`update bruno_memories set content = ? where tenant_id = 'acme' and id = ?`)
  const [one, other] = [contentOf.get('e1'), contentOf.get('e3')]
  write.run(other, 'e1')
  write.run(one, 'e3')
  client.exec(`
    insert into bruno_users (tenant_id, id, preferences, profile, metadata, created_at, updated_at, version, revision)
      values ('acme', 'eve', '{}', '{}', '{}', 0, 0, 1, 1);
    update bruno_documents set metadata = '{"page":99}' where tenant_id = 'default' and namespace = 'handbook' and id = 'd2'`)
  client.close()
  const { verified } = await transfer({ from: source, to: target, verifyOnly: true })
  expect(verified?.differences.map(({ what, kind, id, fields }) => [what, kind, id, ...fields]).sort()).toEqual([
    ['different', 'document', 'd2', 'metadata'],
    ['different', 'memory', 'e1', 'content', 'vector'],
    ['different', 'memory', 'e3', 'content', 'vector'],
    ['extra', 'user', 'eve'],
  ])
})

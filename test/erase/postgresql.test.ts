import { createHash } from 'node:crypto'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { encodeVector } from '../../src/embeddings/vector.js'
import { dataOf, ownPostgresql } from '../ground/postgresql.js'
import type { Server } from '../ground/types.js'
import { canaryVector, everything, foundIn, plant, seedOf } from './canaries.js'

let server: Server
let admin: postgres.Sql
beforeAll(async () => {
  server = await ownPostgresql()
  admin = postgres(server.url, { max: 2, onnotice: () => {} })
})
afterAll(async () => {
  await admin.end()
  await server.stop()
})

const base = (): string => join(dataOf(server), 'base')

/** As a memory of several backends keeps them: this server cannot compare any by itself. */
async function keepVectors(who: string): Promise<void> {
  for (let n = 1; n <= 4; n++)
    await admin`insert into bruno_embeddings (tenant_id, space, kind, scope, record_id, user_id, record_seq, part, content_hash, vector, created_at, updated_at, version, revision)
      select tenant_id, ${`space ${n}`}, 'message', conversation_id, id, ${who}, seq, 1, ${createHash('sha256').update('x').digest()},
        ${encodeVector(canaryVector(seedOf(who, n)))}, now(), now(), 1, 1
      from bruno_messages where tenant_id = 'acme' and id = ${`m-${who}`} and conversation_id = ${`c-${who}`}`
}

describe('erase on PostgreSQL', () => {
  test('leaves no byte of a user in the data folder, samples of the planner included', async () => {
    const memory = createBackend('postgresql', { connectionString: server.url })
    const acme = memory.forTenant('acme')
    for (const who of ['ada', 'bob']) {
      await plant(acme, who, { vectors: false })
      await keepVectors(who)
    }
    await admin`analyze`
    await admin`checkpoint`
    const before = await everything(acme, 'bob')
    expect(foundIn([base()], 'ada').length).toBeGreaterThan(20)
    const report = await memory.erase({ tenantId: 'acme', userId: 'ada' })
    expect(report.stores).toMatchObject([{ error: null, waiting: [] }])
    expect(report).toMatchObject({ erased: true, scrubbed: true, complete: true })
    await admin`checkpoint`
    expect(foundIn([base()], 'ada')).toEqual([])
    expect(await everything(acme, 'bob')).toEqual(before)
    await memory.close()
  })

  test('says so where an open transaction still sees what was deleted', async () => {
    const memory = createBackend('postgresql', { connectionString: server.url })
    await plant(memory.forTenant('acme'), 'eve', { vectors: false })
    let seen = 0
    await admin.begin('isolation level repeatable read', async (sql) => {
      await sql`select count(*) from bruno_messages`
      const report = await memory.erase({ tenantId: 'acme', userId: 'eve' }, { deadline: 500 })
      expect(report).toMatchObject({ erased: true, scrubbed: false, complete: false })
      seen = (await sql`select 1 from bruno_users where id = 'eve'`).length
    })
    expect(seen).toBe(1)
    const again = await memory.erase({ tenantId: 'acme', userId: 'eve' })
    expect(again).toMatchObject({ erased: true, scrubbed: true })
    await admin`checkpoint`
    expect(foundIn([base()], 'eve')).toEqual([])
    await memory.close()
  })
})

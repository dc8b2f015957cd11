import postgres from 'postgres'
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { addFollower, type FollowedStore } from '../support/followed-store.js'
import { followersAreTold } from '../support/followers.js'
import { freshDatabase, leaveServer, returnDatabases } from './support/databases.js'
import { dropRole, securedDatabase } from './support/secured.js'

afterAll(async () => {
  await leaveServer()
  await dropRole(inject('servers').POSTGRESQL_URL)
})

/** @param database Its URLs; who follows sees all of it. */
async function opened(database: {
  readonly connectionString: string
  readonly maintenanceConnectionString?: string
}): Promise<FollowedStore> {
  const { connectionString, maintenanceConnectionString } = database
  const rowLevelSecurity = maintenanceConnectionString !== undefined
  const memory = createBackend('postgresql', { ...database, rowLevelSecurity, poolSize: 4 })
  const sql = postgres(maintenanceConnectionString ?? connectionString, { max: 1, onnotice: () => {} })
  onTestFinished(async () => {
    await memory.close()
    await sql.end()
    await returnDatabases()
  })
  await memory.connect()
  const run = async (text: string): Promise<Record<string, unknown>[]> => [...(await sql.unsafe(text))]
  return { memory, instant: 'now()', run }
}

const open = async (): Promise<FollowedStore> => opened({ connectionString: await freshDatabase() })

describe('followers are told', () => {
  followersAreTold(open)
})

describe('followers are told under row-level security', () => {
  followersAreTold(async () => opened(await securedDatabase()))
})

// Where two transactions write the same entries in different orders, each would wait for the other.
test('the entries of a statement are written in the order of their keys', async () => {
  const store = await open()
  const { memory, run } = store
  await addFollower(store, 'b', { kind: 'semantic' })
  await addFollower(store, 'a', { kind: 'cache' })
  const names = ['c', 'B', 'é', 'a', 'Z', '10', '9']
  for (const name of names) {
    await memory.messages.append(name, { role: 'user', content: name }, { userId: 'ada' })
    await memory.documents.upsert({ namespace: 'n', id: name, content: name })
  }
  // Bytewise, whatever the database's own order is.
  const sorted = names.map((name) => Buffer.from(name)).sort(Buffer.compare)
  const expected = ['a', 'b'].flatMap((follower) => sorted.map((name) => `${follower} ${name}`))
  const writes = {
    documents: { write: "update bruno_documents set metadata = '{}', revision = revision + 1", key: 'record_id' },
    messages: { write: 'delete from bruno_messages', key: 'scope' },
  }
  for (const { write, key } of Object.values(writes)) {
    await run('truncate bruno_outbox')
    await run(write)
    const rows = await run(`select follower, ${key} as name from bruno_outbox order by ctid`)
    expect(rows.map(({ follower, name }) => `${follower} ${name}`)).toEqual(expected)
  }
})

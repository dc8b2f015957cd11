import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { reindexSqlite } from '../../src/backends/sqlite/reindex.js'
import { addFollower, type FollowedStore, told } from '../support/followed-store.js'
import { followersAreTold } from '../support/followers.js'
import { freshStore, type Rest } from './support/store.js'

async function open(options?: Rest): Promise<FollowedStore & { readonly path: string }> {
  const store = freshStore()
  const memory = await store.open(options)
  const client = new Database(store.path, { timeout: 5000 })
  onTestFinished(async () => {
    client.close()
    await store[Symbol.asyncDispose]()
  })
  const run = async (text: string): Promise<Record<string, unknown>[]> => {
    const statement = client.prepare<[], Record<string, unknown>>(text)
    if (statement.reader) return statement.all()
    statement.run()
    return []
  }
  return { memory, instant: '0', run, path: store.path }
}

describe('followers are told', () => {
  followersAreTold(open)
})

const message = { role: 'user', content: 'the houses' } as const

test('followers are told where no text is indexed', async () => {
  const store = await open({ enableFts: false })
  await addFollower(store, 'cache', { kinds: ['message'] })
  await addFollower(store, 'semantic', { kinds: ['message'] })
  await store.memory.messages.append('c', [message, message], { userId: 'ada' })
  const { entries } = await told(store)
  expect([entries.cache, entries.semantic?.length]).toEqual([['message c '], 2])
})

test('followers are not told that texts were analysed again, which changes no record', async () => {
  const store = await open()
  await addFollower(store, 'cache', { kinds: ['message', 'conversation'] })
  await addFollower(store, 'semantic', { kinds: ['message'] })
  await store.memory.messages.append('c', [message, message], { userId: 'ada' })
  await told(store)
  await store.memory.close()
  await reindexSqlite({ databasePath: store.path, language: 'german', clock: Date.now })
  expect((await told(store)).entries).toEqual({})
})

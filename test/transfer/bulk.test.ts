import Sqlite from 'better-sqlite3'
import postgres from 'postgres'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { transfer } from '../../src/run-transfer.js'
import { type End, type EndName, freshEnd } from './support/ends.js'
import { fillSqlite } from './support/fixture.js'

async function end(name: EndName): Promise<End> {
  const made = await freshEnd(name, inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

function tamper(source: End, text: string): void {
  const client = new Sqlite(source.url.replace(/^sqlite:/, ''))
  client.exec(text)
  client.close()
}

async function ask(target: End, text: string): Promise<unknown[][]> {
  const sql = postgres(target.url, { max: 1 })
  try {
    return (await sql.unsafe(text).values()) as unknown as unknown[][]
  } finally {
    await sql.end()
  }
}

const OWNERS = `select kind, count(*)::int, count(user_id)::int from bruno_embeddings group by kind order by kind`

describe('a load of empty tables', () => {
  test('keeps whose each vector is: searches of one user meet them by it', async () => {
    const [source, target] = [await end('sqlite'), await end('postgresql')]
    await fillSqlite(source.url, 10)
    await transfer({ from: source, to: target })
    // Documents belong to no user.
    expect(await ask(target, OWNERS)).toEqual([
      ['document', 40, 0],
      ['memory', 20, 20],
      ['message', 54, 54],
    ])
    const wrong = `select count(*)::int from bruno_embeddings e join bruno_messages m on m.tenant_id = e.tenant_id and m.conversation_id = e.scope and m.id = e.record_id
      join bruno_conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id where e.user_id <> c.user_id or e.record_seq <> m.seq`
    expect(await ask(target, wrong)).toEqual([[0]])
  })

  test('sets apart what names nobody, and ends', async () => {
    const [source, target] = [await end('sqlite'), await end('postgresql')]
    await fillSqlite(source.url, 6)
    // One conversation is no record, and a session is left over of a user who is gone.
    tamper(
      source,
      `pragma foreign_keys = off;
       update bruno_conversations set metadata = 'x' where tenant_id = 'acme' and id = 'chat 1';
       update bruno_sessions set user_id = 'nobody' where tenant_id = 'default'`,
    )
    const report = await transfer({ from: source, to: target, quarantineLimit: 10 })
    const apart = report.quarantined.map(({ kind, id, reason }) => `${kind} ${id}: ${reason}`)
    expect(apart.sort()).toEqual([
      'conversation chat 1: metadata: is not JSON',
      ...Array.from({ length: 5 }, (_, n) => `message m${n}: names a user or conversation that is not there`),
      'session s1: names a user or conversation that is not there',
    ])
    await using memory = createBackend(target.url, { embeddingDimensions: 8 })
    const { items } = await memory.forTenant('acme').messages.list('Chat 1', { last: 50 })
    expect(items).toHaveLength(5)
    const [constraints] = await ask(target, `select count(*)::int from pg_constraint where conname like 'bruno_%_fk'`)
    expect(constraints).toEqual([4])
  })

  test('is made kind after kind as well', async () => {
    const [source, target] = [await end('sqlite'), await end('postgresql')]
    await fillSqlite(source.url, 6)
    await transfer({ from: source, to: target, kinds: ['user', 'conversation'] })
    const rest = await transfer({ from: source, to: target, kinds: ['message', 'session', 'memory', 'document'] })
    expect(rest.verified).toMatchObject({ equal: true })
    expect((await transfer({ from: source, to: target, verifyOnly: true })).verified).toMatchObject({ equal: true })
    expect((await ask(target, OWNERS)).at(-1)).toEqual(['message', 30, 30])
  })
})

test('one that adds to what is there is resumed without saying so again', async () => {
  const [source, target] = [await end('sqlite'), await end('sqlite')]
  await fillSqlite(source.url, 10)
  {
    await using memory = createBackend(target.url, { embeddingDimensions: 8 })
    await memory.forTenant('other').memories.add({ userId: 'eve', content: 'was here before' })
  }
  const stop = new AbortController()
  const limits = { records: 5 }
  await transfer({ from: source, to: target, merge: true, limits, signal: stop.signal, onProgress: () => stop.abort() })
  const report = await transfer({ from: source, to: target, resume: true })
  expect(report.verified).toMatchObject({ equal: true, different: 0 })
})

test('one that is stopped while it compares has moved everything, and says so', async () => {
  const [source, target] = [await end('sqlite'), await end('sqlite')]
  await fillSqlite(source.url, 10)
  const stop = new AbortController()
  const onProgress = ({ phase }: { phase: string }) => {
    if (phase === 'verify') stop.abort()
  }
  const report = await transfer({ from: source, to: target, signal: stop.signal, onProgress })
  expect(report).toMatchObject({ interrupted: true, complete: true, verified: null })
  expect((await transfer({ from: source, to: target, verifyOnly: true })).verified).toMatchObject({ equal: true })
})

test('vectors are not left out where nobody is there to make them anew', async () => {
  const [source, target] = [await end('sqlite'), await end('sqlite')]
  await fillSqlite(source.url, 3)
  await expect(transfer({ from: source, to: target, reembed: true })).rejects.toThrow(/--embeddings/)
})

test('kinds that were named, and of which there are none, do not hinder a resumed run', async () => {
  const [source, target] = [await end('sqlite'), await end('redis')]
  {
    await using memory = createBackend(source.url)
    for (const n of [1, 2, 3]) await memory.memories.add({ id: `e${n}`, userId: 'ada', content: `number ${n}` })
  }
  const stop = new AbortController()
  const wishes = {
    kinds: ['user', 'memory', 'document'] as const,
    jobs: source.url.replace(/^sqlite:(.*)\/.*$/, '$1/jobs'),
  }
  const limits = { records: 1 }
  await transfer({ from: source, to: target, ...wishes, limits, signal: stop.signal, onProgress: () => stop.abort() })
  const report = await transfer({ from: source, to: target, ...wishes, resume: true })
  expect(report).toMatchObject({ resumed: true, verified: { equal: true } })
})

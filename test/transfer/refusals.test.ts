import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend.js'
import { abandonTransfer, openSource, openTarget, transfer } from '../../src/run-transfer.js'
import { runTransfer } from '../../src/transfer/run.js'
import { type End, type EndName, freshEnd } from './support/ends.js'
import { fillSqlite } from './support/fixture.js'

async function end(name: EndName): Promise<End> {
  const made = await freshEnd(name, inject('servers'))
  onTestFinished(() => made.remove())
  return made
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bruno-memory-quarantine-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const pathOf = ({ url }: End): string => url.replace(/^sqlite:/, '')

/** Changes a file behind our back. */
function tamper(target: End, work: (client: Sqlite.Database) => void): void {
  const client = new Sqlite(pathOf(target))
  work(client)
  client.close()
}

const SQL = ['sqlite', 'postgresql'] as const

describe.each(SQL)('a transfer into %s', (name) => {
  test('is refused where the target holds records, and adds to them with merge', async () => {
    const [source, target] = [await end('sqlite'), await end(name)]
    await fillSqlite(source.url, 8)
    {
      await using memory = createBackend(target.url, { embeddingDimensions: 8 })
      const acme = memory.forTenant('acme')
      await acme.users.create({ id: 'ada', name: 'another Ada' })
      await acme.memories.add({ id: 'own', userId: 'ada', content: 'was here before' })
      await acme.messages.append('chat 1', { id: 'taken', role: 'user', content: 'first' }, { userId: 'ada' })
    }
    await expect(transfer({ from: source, to: target })).rejects.toMatchObject({ code: 'conflict' })
    const report = await transfer({ from: source, to: target, merge: true, quarantineLimit: 1 })
    // Position 1 of the conversation has another message; user and conversation stay as they were.
    expect(report.quarantined).toEqual([
      {
        kind: 'message',
        tenantId: 'acme',
        scope: 'chat 1',
        id: 'm0',
        reason: expect.stringMatching(/^position: is taken/),
      },
    ])
    expect(report.present).toBe(2)
    const differing = report.verified?.differences.map(({ kind, id, what }) => `${what} ${kind} ${id}`)
    expect(differing?.sort()).toEqual(['different conversation chat 1', 'different user ada', 'missing message m0'])
    await using memory = createBackend(target.url, { embeddingDimensions: 8 })
    expect(await memory.forTenant('acme').memories.get('own')).toMatchObject({ content: 'was here before' })
    const { items } = await memory.forTenant('acme').messages.list('chat 1', { last: 50 })
    expect(items.map(({ id }) => id)).toEqual(['taken', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'])
    const [appended] = await memory.forTenant('acme').messages.append('chat 1', { role: 'user', content: 'next' })
    expect(appended?.position).toBeGreaterThan(items.at(-1)?.position ?? 0)
    expect((await memory.forTenant('acme').conversations.get('chat 1'))?.messageCount).toBe(8)
  })

  test('sets apart what is no record, names it, and writes it only where its owner can read it', async () => {
    const [source, target] = [await end('sqlite'), await end(name)]
    await fillSqlite(source.url, 8)
    tamper(source, (client) => {
      client.exec(`update bruno_memories set metadata = '{"a":' where tenant_id = 'acme' and id = 'E2'`)
      client.exec(
        `update bruno_memories set content = 'secret' || char(0) || 'tail' where tenant_id = 'acme' and id = 'E4'`,
      )
      client.exec(
        `update bruno_messages set created_at = 9e18 where tenant_id = 'acme' and conversation_id = 'Chat 1' and id = 'm3'`,
      )
    })
    await expect(transfer({ from: source, to: target })).rejects.toThrow(/cannot be moved.*"m3"/)
    await expect(transfer({ from: source, to: target })).rejects.toThrow(/--resume/)
    const quarantineFile = join(folder(), 'apart.jsonl')
    const report = await transfer({ from: source, to: target, resume: true, quarantineLimit: 3, quarantineFile })
    expect(report.quarantined.map(({ id, reason }) => `${id} ${reason}`).sort()).toEqual([
      'E2 metadata: is not JSON',
      'E4 content: must not contain NUL',
      'm3 createdAt: must be an instant of the years 1 to 9999',
    ])
    expect(JSON.stringify(report)).not.toContain('secret')
    expect(statSync(quarantineFile).mode & 0o777).toBe(0o600)
    expect(readFileSync(quarantineFile, 'utf8').trim().split('\n')).toHaveLength(3)
    expect(report.verified).toMatchObject({ equal: true, unreadable: 3 })
  })

  test('of two runs on one job the second is refused, and the first is fenced where it is forced', async () => {
    const [from, to] = [await end('sqlite'), await end(name)]
    await fillSqlite(from.url, 20)
    const means = (owner: string) => ({ clock: Date.now, newId: () => 'job', owner })
    const open = async () => {
      const [source, target] = [await openSource(from), await openTarget(to)]
      onTestFinished(async () => {
        await target.close()
        await source.close()
      })
      return { source: source.end, target: target.end, targetSource: async () => (await openSource(to)).end }
    }
    const [one, other] = [await open(), await open()]
    let second: Promise<unknown> | null = null
    let third: Promise<unknown> | null = null
    const limits = { records: 5 }
    let met = false
    const first = runTransfer(
      one,
      {
        limits,
        onProgress: ({ phase }) => {
          if (phase !== 'copy' || met) return
          met = true
          second = runTransfer(other, { limits, resume: true }, means('second')).catch((error: unknown) => error)
          third = second.then(() => runTransfer(other, { limits, resume: true, force: true }, means('third')))
        },
      },
      means('first'),
    ).catch((error: unknown) => error)
    // Slow enough to be met by the others: each batch waits for them.
    const outcome = await first
    expect(await second).toMatchObject({ code: 'conflict' })
    const report = await third
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'conflict' })
    expect(report).toMatchObject({ verified: { equal: true } })
  })

  test('that was stopped goes on; given up, it leaves a store that works', async () => {
    const [source, target] = [await end('sqlite'), await end(name)]
    await fillSqlite(source.url, 20)
    const stop = new AbortController()
    const stopped = await transfer({
      from: source,
      to: target,
      limits: { records: 5 },
      signal: stop.signal,
      onProgress: ({ records }) => {
        if (records > 30) stop.abort()
      },
    })
    expect(stopped).toMatchObject({ interrupted: true, verified: null })
    await abandonTransfer(target)
    await using memory = createBackend(target.url, { embeddingDimensions: 8 })
    await memory.memories.add({ userId: 'new', content: 'written afterwards' })
    expect((await memory.search({ text: 'written afterwards', mode: 'text' })).length).toBe(1)
    await expect(transfer({ from: source, to: target })).rejects.toMatchObject({ code: 'conflict' })
  })
})

test('a store that is being loaded is opened by nobody else', async () => {
  const [source, target] = [await end('sqlite'), await end('postgresql')]
  await fillSqlite(source.url, 20)
  const stop = new AbortController()
  const wishes = { limits: { records: 5 }, signal: stop.signal, onProgress: () => stop.abort() }
  await transfer({ from: source, to: target, ...wishes })
  const memory = createBackend(target.url)
  onTestFinished(() => memory.close())
  await expect(memory.connect()).rejects.toThrow(/transfer into this store is not through/)
  await transfer({ from: source, to: target, resume: true })
  await using after = createBackend(target.url, { embeddingDimensions: 8 })
  expect(await after.forTenant('acme').users.get('ada')).toMatchObject({ name: 'Ada' })
})

test('a source that is written to meanwhile is noticed, and a resumed run refuses it', async () => {
  const [source, target] = [await end('sqlite'), await end('sqlite')]
  await fillSqlite(source.url, 20)
  const stop = new AbortController()
  const limits = { records: 5 }
  await transfer({ from: source, to: target, limits, signal: stop.signal, onProgress: () => stop.abort() })
  {
    await using memory = createBackend(source.url, { embeddingDimensions: 8 })
    await memory.memories.add({ userId: 'ada', content: 'one more' })
  }
  await expect(transfer({ from: source, to: target, resume: true })).rejects.toThrow(/written to since/)
  const other = await end('sqlite')
  let wrote = false
  const report = await transfer({
    from: source,
    to: other,
    limits,
    onProgress: () => {
      if (wrote) return
      wrote = true
      tamper(source, (client) => client.exec('update bruno_revision set value = value + 1'))
    },
  })
  expect(report.sourceChanged).toBe(true)
})

test('a source that cannot be read, is newer or is no memory is refused by name', async () => {
  const [source, target] = [await end('sqlite'), await end('sqlite')]
  await fillSqlite(source.url, 2)
  tamper(source, (client) =>
    client.exec(`insert into bruno_migrations (hash, created_at) values ('x', 99999999999999)`),
  )
  await expect(transfer({ from: source, to: target })).rejects.toMatchObject({ code: 'migration' })
  const none = await end('sqlite')
  await expect(transfer({ from: none, to: target })).rejects.toThrow(/no memory/)
  await expect(transfer({ from: source, to: source })).rejects.toMatchObject({ name: expect.stringMatching(/Error/) })
})

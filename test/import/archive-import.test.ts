import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { writeWholeFile } from '../../src/archive/file.js'
import type { ArchiveEntry } from '../../src/archive/record.js'
import { recordsOf } from '../../src/archive/source.js'
import { type WriteReport, writeArchive } from '../../src/archive/write.js'
import type { Memory } from '../../src/contract/memory.js'
import { freshFolder } from '../cli/support.js'
import { brief, freshMemory, importInto, messagesOf } from './support.js'

const header = { createdAt: '2026-01-01T00:00:00.000Z', tenants: ['default'] }
const exportTo = (memory: Memory, path: string): Promise<WriteReport> =>
  writeWholeFile(path, true, (into) => writeArchive(recordsOf(memory), into, { header }))

/** One of everything, with values that are easily lost. */
async function fill(memory: Memory): Promise<void> {
  const at = new Date('2024-02-29T23:59:59.999Z')
  await memory.users.create({
    id: 'ada',
    name: 'Ada 🦊',
    preferences: { z: 1, a: [1.5, null] },
    profile: { deep: { er: true } },
    lastActiveAt: at,
    createdAt: at,
  })
  await memory.conversations.create({
    id: 'c:1',
    userId: 'ada',
    title: '',
    summary: 'längst',
    tags: ['a', 'B'],
    metadata: { __proto__x: 1 },
    createdAt: at,
    expiresAt: new Date('9999-12-31T23:59:59.999Z'),
  })
  await memory.messages.append('c:1', [
    { id: 'm1', role: 'user', content: ' spaces kept \n', createdAt: at, updatedAt: new Date(at.getTime() + 1) },
    {
      id: 'm2',
      role: 'assistant',
      content: '',
      parts: [{ type: 'tool-call', n: 1.5e-7, s: '\u2028' }],
      parentId: 'm1',
      name: 'x',
      toolCallId: 'y',
      status: 'draft',
      type: 'action',
      createdAt: at,
      metadata: { 'a.b': [{}] },
    },
  ])
  await memory.sessions.create({
    id: 's1',
    userId: 'ada',
    conversationId: 'c:1',
    state: { step: 2 },
    metadata: { m: 1 },
    startedAt: at,
    createdAt: at,
  })
  await memory.sessions.create({ id: 's2', userId: 'ada', startedAt: at, createdAt: at })
  await memory.sessions.end('s2')
  await memory.memories.add({
    id: 'e1',
    userId: 'ada',
    conversationId: 'c:1',
    type: 'fact',
    content: 'lives in Lisbon',
    source: 'chat',
    category: 'home',
    tags: ['t'],
    confidence: 0.1,
    importance: 1,
    accessCount: 3,
    relatedIds: ['e2'],
    metadata: { k: 'v' },
    lastAccessedAt: at,
    createdAt: at,
  })
  await memory.memories.add({ id: 'e2', userId: 'bob', content: 'x', createdAt: at })
  await memory.documents.upsert([
    { namespace: 'hand/book', id: 'g#1', content: 'chunk', metadata: { page: 3 }, createdAt: at },
    { namespace: 'other', id: 'g#1', content: 'chunk 2', createdAt: at },
  ])
}

describe('an archive of a memory', () => {
  test('imported into an empty one holds the same content, and exported again has equal digests', async () => {
    const folder = await freshFolder()
    const [first, second] = [freshMemory(), freshMemory()]
    await fill(first)
    const one = await exportTo(first, join(folder, 'one.bma'))
    expect(one.manifest.counts).toEqual({ user: 2, conversation: 1, message: 2, session: 2, memory: 2, document: 2 })
    const report = await importInto(second, [join(folder, 'one.bma')])
    expect(report.error).toBeNull()
    expect(report.findings).toEqual([])
    const two = await exportTo(second, join(folder, 'two.bma'))
    expect(two.manifest.contentDigests).toEqual(one.manifest.contentDigests)
    expect(two.manifest.digests).toMatchObject({
      message: one.manifest.digests.message,
      memory: one.manifest.digests.memory,
      document: one.manifest.digests.document,
    })
    expect(await messagesOf(second, 'c:1')).toEqual(await messagesOf(first, 'c:1'))
    expect(await second.memories.get('e1')).toEqual(await first.memories.get('e1'))
    expect(await second.users.get('ada')).toEqual(await first.users.get('ada'))
    const again = await importInto(second, [join(folder, 'one.bma')])
    for (const { read, unchanged } of Object.values(again.counts)) expect(unchanged).toBe(read)
    const back = await importInto(first, [join(folder, 'two.bma')])
    for (const { read, unchanged } of Object.values(back.counts)) expect(unchanged).toBe(read)
    await Promise.all([first.close(), second.close()])
  })

  test('keeps tenants apart, or puts all of them into the one that is named', async () => {
    const folder = await freshFolder()
    const memory = freshMemory()
    const path = join(folder, 'tenants.bma')
    for (const tenant of ['acme', 'b:2'])
      await memory.forTenant(tenant).messages.append('c', { id: 'm', role: 'user', content: tenant }, { userId: 'u' })
    await writeWholeFile(path, false, (into) =>
      writeArchive(
        (async function* () {
          for (const tenant of ['acme', 'b:2']) yield* recordsOf(memory.forTenant(tenant))
        })(),
        into,
        { header: { ...header, tenants: ['acme', 'b:2'] } },
      ),
    )
    const target = freshMemory()
    await importInto(target, [path])
    expect((await target.forTenant('acme').messages.get('c', 'm'))?.content).toBe('acme')
    expect((await target.forTenant('b:2').messages.get('c', 'm'))?.content).toBe('b:2')
    expect(await target.statistics()).toMatchObject({ messages: 0 })
    const merged = await importInto(target, [path], { tenant: 'one' })
    expect(brief(merged).message).toEqual({ read: 2, imported: 1, conflict: 1 })
    await Promise.all([memory.close(), target.close()])
  })

  test('of which a single byte was changed is refused before anything is written', async () => {
    const folder = await freshFolder()
    const [memory, target] = [freshMemory(), freshMemory()]
    await fill(memory)
    const path = join(folder, 'damaged.bma')
    await exportTo(memory, path)
    const plain = gunzipSync(await readFile(path)).toString()
    await writeFile(path, gzipSync(plain.replace('lives in Lisbon', 'lives in London')))
    const report = await importInto(target, [path])
    expect(String(report.error)).toMatch(/the archive is damaged.*kind memory/)
    expect(await target.statistics()).toMatchObject({ users: 0, memories: 0, documents: 0 })
    await writeFile(path, (await readFile(path)).subarray(0, 300))
    expect(String((await importInto(target, [path])).error)).toMatch(/the archive is damaged/)
    await Promise.all([memory.close(), target.close()])
  })

  test('leaves out what has expired, unless it is asked for; an import passes over it', async () => {
    const folder = await freshFolder()
    const memory = freshMemory()
    await memory.conversations.create({ id: 'gone', userId: 'u', expiresAt: new Date(Date.now() + 150) })
    await memory.messages.append('gone', { id: 'm', role: 'user', content: 'x' })
    await memory.memories.add({ id: 'e', userId: 'u', content: 'x', expiresAt: new Date(Date.now() + 150) })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await exportTo(memory, join(folder, 'a'))).manifest.counts).toMatchObject({
      conversation: 0,
      message: 0,
      memory: 0,
    })
    const path = join(folder, 'b')
    await writeWholeFile(path, false, (into) =>
      writeArchive(recordsOf(memory, { includeExpired: true }), into, { header }),
    )
    const target = freshMemory()
    const report = await importInto(target, [path])
    expect(brief(report)).toMatchObject({
      conversation: { read: 1, skipped: 1 },
      message: { read: 1, skipped: 1 },
      memory: { read: 1, skipped: 1 },
    })
    expect(report.skipped).toEqual({ expired: 3 })
    await Promise.all([memory.close(), target.close()])
  })

  test('names each record that the store refuses or holds otherwise, and takes the others', async () => {
    const folder = await freshFolder()
    const [memory, target] = [freshMemory(), freshMemory()]
    await fill(memory)
    const spoiled = (async function* (): AsyncGenerator<ArchiveEntry> {
      for await (const entry of recordsOf(memory)) {
        if (entry.kind === 'memory' && entry.record.id === 'e2')
          yield { ...entry, record: { ...entry.record, importance: 7 } }
        else if (entry.kind === 'document' && entry.record.namespace === 'other')
          yield { ...entry, record: { ...entry.record, content: ' ' } }
        else if (entry.kind === 'session' && entry.record.id === 's1')
          yield { ...entry, record: { ...entry.record, userId: '' } }
        else yield entry
      }
    })()
    const path = join(folder, 'spoiled')
    await writeWholeFile(path, false, (into) => writeArchive(spoiled, into, { header }))
    await target.memories.add({ id: 'e1', userId: 'ada', content: 'lives in Porto', tags: ['t'] })
    await target.documents.upsert({ namespace: 'hand/book', id: 'g#1', content: 'older chunk' })
    const report = await importInto(target, [path])
    expect(report.error).toBeNull()
    const found = report.findings.map((f) => `${f.outcome} ${f.kind} ${f.place.id} ${f.field}`)
    expect(found.sort()).toEqual([
      'conflict document g#1 content',
      'conflict memory e1 conversationId',
      'conflict user ada name',
      'refused document g#1 content',
      'refused memory e2 importance',
      'refused session s1 userId',
    ])
    const overwritten = await importInto(target, [path], { overwrite: true })
    expect(brief(overwritten)).toMatchObject({
      user: { overwritten: 1 },
      memory: { overwritten: 1, refused: 1 },
      document: { overwritten: 1, refused: 1 },
    })
    expect((await target.memories.get('e1'))?.content).toBe('lives in Lisbon')
    expect((await target.documents.get('hand/book', 'g#1'))?.metadata).toEqual({ page: 3 })
    expect(brief(await importInto(target, [path]))).toMatchObject({
      user: { read: 2, unchanged: 2 },
      memory: { unchanged: 1, refused: 1 },
      document: { unchanged: 1, refused: 1 },
    })
    await Promise.all([memory.close(), target.close()])
  })

  test('of one user holds that user alone', async () => {
    const folder = await freshFolder()
    const memory = freshMemory()
    await fill(memory)
    const report = await writeWholeFile(join(folder, 'bob'), false, (into) =>
      writeArchive(recordsOf(memory, { userId: 'bob' }), into, { header }),
    )
    expect(report.manifest.counts).toEqual({ user: 1, conversation: 0, message: 0, session: 0, memory: 1, document: 0 })
    await memory.close()
  })
})

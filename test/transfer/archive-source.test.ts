import { readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { ArchiveEntry } from '../../src/archive/record.js'
import { archiveSource } from '../../src/archive/transfer-source.js'
import type { Carried } from '../../src/contract/transfer.js'
import { ConnectionError, StorageError } from '../../src/errors.js'
import { RECORD_KINDS } from '../../src/model/records.js'
import { ALL, createdAt, freshPath, readAll, sample, vectorOf, writeSample } from '../archive/carried.js'
import { archiveOf } from '../archive/support.js'
import { VERSION_1, VERSION_1_SHA256 } from '../archive/version-1.js'

const message = sample.find(({ kind }) => kind === 'message') as Extract<Carried, { kind: 'message' }>

/** Each compressed piece. */
function membersOf(bytes: Buffer): Buffer[] {
  const beginning = Buffer.from([0x1f, 0x8b, 8])
  const members = []
  for (let at = 0; at < bytes.length; ) {
    const next = bytes.indexOf(beginning, at + 1)
    members.push(bytes.subarray(at, next < 0 ? bytes.length : next))
    at = next < 0 ? bytes.length : next
  }
  return members
}

describe('an archive as the source of a transfer', () => {
  test('is read on from any cursor, and a range alone', async () => {
    const path = await freshPath()
    await writeSample(path)
    const source = archiveSource(path)
    const limits = { records: 2, bytes: 1e9 }
    const ranges = await source.ranges(ALL, 10)
    expect(ranges.map(({ kind }) => kind)).toEqual(
      RECORD_KINDS.filter((kind) => sample.some((each) => each.kind === kind)).flatMap((kind) => [kind, kind, kind]),
    )
    expect(ranges.reduce((sum, { records }) => sum + records, 0)).toBe(sample.length)
    const all: Carried[][] = []
    // From the last to the first: none begins where another has ended.
    for (const range of [...ranges].reverse()) {
      const batches = []
      for await (const batch of source.read(range, { after: null, limits })) batches.push(batch)
      const records = batches.flatMap((batch) => batch.records)
      all.unshift(records)
      for (const [i, { cursor }] of batches.entries()) {
        const again: Carried[] = []
        // Another source, as a later run has it.
        for await (const batch of source.read(range, { after: cursor, limits })) again.push(...batch.records)
        expect(again).toEqual(records.slice((i + 1) * 2))
      }
    }
    expect(all.flat()).toEqual(sample)
    await source.close()
  })

  test('gives one tenant and some kinds', async () => {
    const path = await freshPath()
    await writeSample(path)
    const source = archiveSource(path)
    const scope = { kinds: ['memory', 'user'] as const, tenantId: 'Default' }
    const wanted = sample.filter(({ kind, record }) => record.tenantId === 'Default' && /memory|user/.test(kind))
    for (const parts of [1, 5, 100]) {
      expect(await readAll(source, { scope, parts })).toEqual(wanted)
      const ranges = await source.ranges(scope, parts)
      expect(ranges.reduce((sum, { records }) => sum + records, 0)).toBe(wanted.length)
    }
    expect(await source.ranges({ kinds: ['user'], tenantId: 'none' }, 5)).toEqual([])
    await source.close()
  })

  test('that an export made is given kind by kind, with the holders of messages where they are asked for', async () => {
    const plain = sample.map(({ kind, record }) => ({ kind, record }) as ArchiveEntry)
    const conversations = plain.filter(({ kind }) => kind === 'conversation')
    const entries = [
      ...plain.filter(({ kind }) => kind === 'user'),
      ...conversations.flatMap((conversation) => [
        conversation,
        ...plain.filter(
          ({ kind, record }) =>
            kind === 'message' &&
            record.id === conversation.record.id &&
            record.tenantId === conversation.record.tenantId,
        ),
      ]),
      ...plain.filter(({ kind }) => kind === 'memory'),
    ]
    const { bytes, report } = await archiveOf(entries)
    for (const content of [bytes, gunzipSync(bytes)]) {
      const path = await freshPath()
      await writeFile(path, content)
      const source = archiveSource(path)
      const carried = plain.map((entry) => ({ ...entry, vector: null }))
      expect(await readAll(source)).toEqual(carried)
      const held = sample.map(({ kind, record, holder }) => ({ kind, record, vector: null, ...(holder && { holder }) }))
      expect(await readAll(source, { holders: true })).toEqual(held)
      expect(await source.fingerprint(ALL)).toBe(report.manifest.sha256)
      expect((await source.describe()).space).toBeNull()
      await source.close()
    }
  })

  test('of version 1 is read as it was written', async () => {
    const path = await freshPath()
    await writeFile(path, VERSION_1)
    const source = archiveSource(path)
    expect(await source.describe()).toMatchObject({ schema: '0008', space: null })
    expect(await source.fingerprint(ALL)).toBe(VERSION_1_SHA256)
    const found = await readAll(source, { holders: true })
    expect(found.map(({ kind, record, holder }) => [kind, record.id, holder])).toEqual([
      ['user', 'ada', undefined],
      ['conversation', 'c1', undefined],
      ['conversation', 'c2', undefined],
      ['message', 'm', 'ada'],
      ['message', 'm', 'ada'],
    ])
    expect(found[1]?.record).toMatchObject({ language: null, tags: ['a'], createdAt })
    await source.close()
  })

  test('that is cut or changed anywhere is refused before the first record', async () => {
    const path = await freshPath()
    // Small: it is read as a whole many times.
    await writeSample(
      path,
      sample.filter(({ kind }) => kind === 'memory'),
    )
    const bytes = await readFile(path)
    const damaged: Buffer[] = []
    for (let at = 0; at < bytes.length; at += 97) damaged.push(bytes.subarray(0, at))
    for (let at = 10; at < bytes.length; at += 97) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] as number) ^ 0x10
      damaged.push(changed)
    }
    // Every member whole, but one is missing, or stands twice.
    const members = membersOf(bytes)
    expect(members.length).toBeGreaterThan(5)
    damaged.push(Buffer.concat([...members.slice(0, 2), ...members.slice(3)]))
    damaged.push(Buffer.concat([...members.slice(0, 3), ...members.slice(2)]))
    const found: string[] = []
    for (const content of damaged) {
      await writeFile(path, content)
      const source = archiveSource(path)
      const planned = await source.ranges(ALL, 5).catch((error: unknown) => error)
      const answer = planned instanceof Error ? planned : await readAll(source)
      // A bit of a gzip header, such as its date, changes nothing.
      if (answer instanceof StorageError) found.push(answer.message)
      else expect(answer).toEqual(sample.filter(({ kind }) => kind === 'memory'))
      await source.close()
    }
    expect(found.length).toBeGreaterThan(damaged.length * 0.9)
  })

  test('is refused where a record or vector cannot be read, though the manifest fits, and where it changes meanwhile', async () => {
    const path = await freshPath()
    await writeSample(path)
    const source = archiveSource(path)
    const [range] = await source.ranges(ALL, 5)
    const limits = { records: 1, bytes: 1 }
    const reading = source.read(range as never, { after: null, limits })[Symbol.asyncIterator]()
    expect((await reading.next()).value.records).toHaveLength(1)
    await writeFile(path, await readFile(path))
    await expect(reading.next()).rejects.toThrow(/was changed while it was read/)
    await source.close()
    await expect(archiveSource(`${path}.none`).describe()).rejects.toThrow(ConnectionError)
    await expect(archiveSource(dirname(path)).describe()).rejects.toThrow(/not a regular file/)
    const { bytes } = await archiveOf([{ ...(message as ArchiveEntry), vector: vectorOf(1) } as ArchiveEntry])
    await writeFile(path, bytes)
    await expect(archiveSource(path).describe()).rejects.toThrow(/vector: is not of the space/)
  })

  test('shows what is no record of its kind as a fault', async () => {
    const path = await freshPath()
    const record = { ...message.record, metadata: [] as never }
    const { bytes } = await archiveOf([{ kind: 'message', record }])
    await writeFile(path, bytes)
    const source = archiveSource(path)
    expect((await readAll(source)).map(({ fault }) => fault)).toEqual(['metadata: must be an object'])
    await source.close()
  })
})

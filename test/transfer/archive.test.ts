import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { archiveSink } from '../../src/archive/transfer-sink.js'
import { archiveSource } from '../../src/archive/transfer-source.js'
import type { Carried } from '../../src/contract/transfer.js'
import { ConfigurationError } from '../../src/errors.js'
import { RECORD_KINDS } from '../../src/model/records.js'
import { ALL, bitsOf, createdAt, freshPath, readAll, SPACE, sample, vectorOf, writeSample } from '../archive/carried.js'
import { read } from '../archive/support.js'

const message = sample.find(({ kind }) => kind === 'message') as Extract<Carried, { kind: 'message' }>

describe('an archive as the target of a transfer', () => {
  test('gives back every record, vectors bit for bit, whatever the parts and batches', async () => {
    const path = await freshPath()
    await writeSample(path)
    for (const [parts, records, bytes] of [
      [5, 3, 1e9],
      [1, 1, 1],
      [1000, 1000, 1e9],
      [7, 1000, 1],
    ] as const) {
      const source = archiveSource(path)
      const found = await readAll(source, { parts, limits: { records, bytes } })
      expect(found).toEqual(sample)
      expect(found.map(bitsOf)).toEqual(sample.map(bitsOf))
      expect(found.map(({ vector }) => vector && Buffer.from(vector.hash))).toEqual(
        sample.map(({ vector }) => vector && Buffer.from(vector.hash)),
      )
      await source.close()
    }
    expect(bitsOf(sample.find(({ vector }) => vector) as Carried)).toMatch(/00000080|01000000/)
  })

  test('is for its owner alone, says what it is, and is read whatever the pieces it comes in', async () => {
    const path = await freshPath()
    await writeSample(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(dirname(path))).toEqual(['memory.bma'])
    const source = archiveSource(path)
    expect(await source.describe()).toEqual({
      backend: 'archive',
      place: path,
      schema: null,
      kinds: RECORD_KINDS,
      positions: 'counter',
      space: SPACE,
    })
    const bytes = await readFile(path)
    for (const size of [1, 7, 100_000]) expect(await read(bytes, size)).toHaveLength(sample.length)
    await source.close()
  })

  test('counts what it has, of a scope, before and after it is whole', async () => {
    const path = await freshPath()
    const sink = archiveSink(path, { createdAt, space: SPACE })
    expect(await sink.count(ALL)).toBe(0)
    await sink.open(null)
    await sink.write(sample)
    for (const finish of [async () => {}, () => sink.finish()]) {
      await finish()
      expect(await sink.count(ALL)).toBe(sample.length)
      expect(await sink.count({ kinds: ['message', 'user'], tenantId: 'Default' })).toBe(24)
    }
    await sink.close()
  })

  test('says which records it cannot hold, by field and rule, and takes the others', async () => {
    const path = await freshPath()
    const sink = archiveSink(path, { createdAt, space: SPACE })
    await sink.open(null)
    const { record } = message
    const short = { vector: new Float32Array(3), hash: new Uint8Array() }
    const bad: Carried[] = [
      { ...message, fault: 'role: is unknown' },
      { ...message, record: { ...record, createdAt: new Date(Number.NaN) } },
      { ...message, record: { ...record, content: 'a\ud800' } },
      { ...message, record: { ...record, metadata: { a: [{ b: 'x\0' }] } } },
      { ...message, record: { ...record, position: 2 ** 53 } },
      { ...message, vector: short },
    ]
    const outcome = await sink.write([bad[0] as Carried, message, ...bad.slice(1)])
    expect(outcome.written).toBe(1)
    expect(outcome.refused).toEqual([
      { index: 0, reason: 'role: is unknown' },
      { index: 2, reason: 'createdAt: must be an instant in the years 1 to 9999' },
      { index: 3, reason: 'content: must be well-formed Unicode (it has a lone surrogate)' },
      { index: 4, reason: 'metadata: must not contain the NUL character' },
      { index: 5, reason: 'position: must be a safe integer' },
      { index: 6, reason: 'vector: must have 4 numbers' },
    ])
    await sink.finish()
    const source = archiveSource(path)
    expect(await readAll(source)).toEqual([message])
    await source.close()
    await sink.close()
  })

  test('has what a transfer made for others once, though a later run brings it again', async () => {
    const path = await freshPath()
    const made = sample.filter((each) => each.made)
    expect(made).toHaveLength(2)
    const first = archiveSink(path, { createdAt, space: SPACE })
    await first.open(null)
    expect(await first.write([...made, message, ...made])).toMatchObject({ written: 3, present: 2 })
    const { state } = await first.write(made)
    await first.close()
    const second = archiveSink(path, { createdAt, space: SPACE })
    await second.open(state ?? null)
    expect(await second.write(made)).toMatchObject({ written: 0, present: 2, refused: [] })
    await second.finish()
    const source = archiveSource(path)
    expect(await readAll(source)).toEqual([...made, message])
    await source.close()
  })

  test('takes the space of the vectors that come, and no vectors without one', async () => {
    const path = await freshPath()
    const sink = archiveSink(path, { createdAt })
    await sink.open(null)
    await expect(sink.write([{ ...message, vector: vectorOf(0) }])).rejects.toThrow(ConfigurationError)
    sink.adopt(SPACE)
    await sink.open(null)
    await sink.write([{ ...message, vector: vectorOf(0) }])
    await sink.finish()
    const source = archiveSource(path)
    expect((await source.describe()).space).toEqual(SPACE)
    await source.close()
  })

  test('does not replace another file, nor what an export is writing', async () => {
    const path = await freshPath()
    await writeSample(path)
    const before = await readFile(path)
    const sink = archiveSink(path, { createdAt })
    await expect(sink.open(null)).rejects.toThrow(/exists already: name another file/)
    await expect(sink.open({ bytes: 10, sha256: 'x' })).rejects.toThrow(/is not of this job: move it away/)
    expect(await readFile(path)).toEqual(before)
    const other = await freshPath()
    await writeFile(
      `${other}.partial`,
      gzipSync('{"format":"bruno-memory-archive","version":1,"createdAt":"","tenants":[]}\n'),
    )
    await expect(archiveSink(other, { createdAt }).open(null)).rejects.toThrow(/an export writes it/)
    expect(await readdir(dirname(other))).toEqual(['memory.bma.partial'])
  })

  test('is not put over a file that was made meanwhile, and can be finished once that is gone', async () => {
    const path = await freshPath()
    const sink = archiveSink(path, { createdAt, space: SPACE })
    await sink.open(null)
    await sink.write(sample)
    await writeFile(path, 'theirs')
    await expect(sink.finish()).rejects.toThrow(/was made by something else: move it away/)
    expect(await readFile(path, 'utf8')).toBe('theirs')
    await rm(path)
    await sink.finish()
    await sink.finish()
    const source = archiveSource(path)
    expect(await readAll(source)).toEqual(sample)
    await source.close()
  })
})

import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readArchive } from '../../src/archive/read.js'
import { StorageError, UnsupportedError } from '../../src/errors.js'
import { anyEntry } from './records.js'
import { archiveOf, entriesOf, inPieces, read } from './support.js'

const sample = fc.sample(anyEntry, { seed: 11, numRuns: 60 })
const rezip = (bytes: Buffer, edit: (text: string) => string): Buffer =>
  gzipSync(Buffer.from(edit(gunzipSync(bytes).toString())))

describe('an archive', () => {
  test('gives back every record as it was, whatever the pieces it arrives in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEntry, { maxLength: 20 }),
        fc.integer({ min: 1, max: 300 }),
        async (entries, size) => {
          const { bytes, report } = await archiveOf(entries)
          expect(entriesOf(await read(bytes, size))).toEqual(entries)
          expect(Object.values(report.manifest.counts).reduce((a, b) => a + b)).toBe(entries.length)
          expect(report.bytes).toBe(bytes.length)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('can be read after it was decompressed or compressed again', async () => {
    const { bytes } = await archiveOf(sample)
    expect(entriesOf(await read(gunzipSync(bytes)))).toEqual(sample)
    expect(entriesOf(await read(rezip(bytes, (text) => text)))).toEqual(sample)
  })

  test('that is cut anywhere is refused', async () => {
    const { bytes } = await archiveOf(sample)
    const plain = gunzipSync(bytes)
    for (let at = 0; at < bytes.length; at += 101)
      await expect(read(bytes.subarray(0, at))).rejects.toThrow(StorageError)
    for (let at = 0; at < plain.length; at += 607)
      await expect(read(plain.subarray(0, at))).rejects.toThrow(StorageError)
    await expect(read(plain.subarray(0, -1))).rejects.toThrow('its last line is cut')
  })

  test('with a changed byte is refused, wherever the byte is, unless it changes nothing', async () => {
    const { bytes } = await archiveOf(sample)
    await fc.assert(
      // The ten bytes of a gzip header hold a date and the name of a system, which no checksum covers.
      fc.asyncProperty(
        fc.integer({ min: 10, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = Buffer.from(bytes)
          changed[at] = (changed[at] as number) ^ flip
          // A few bits of compressed data mean nothing (padding, codes that are not used): then all is as it was.
          const found = await read(changed).catch((error: unknown) => error)
          if (found instanceof Error) expect(found).toBeInstanceOf(StorageError)
          else expect(entriesOf(found as never)).toEqual(sample)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('with a changed byte is refused without compression too, unless it changes nothing', async () => {
    const plain = gunzipSync((await archiveOf(sample)).bytes)
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: plain.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = Buffer.from(plain)
          changed[at] = (changed[at] as number) ^ flip
          // A digit beyond what a number holds, or `E` for `e`, spells the same number: then all is as it was.
          const found = await read(changed).catch((error: unknown) => error)
          if (found instanceof Error) expect(found.message).toMatch(/damaged|reads up to/)
          else expect(entriesOf(found as never)).toEqual(sample)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('with a dropped, doubled, swapped or added line is refused', async () => {
    const { bytes } = await archiveOf(sample)
    const edits: ((lines: string[]) => void)[] = [
      (lines) => lines.splice(7, 1),
      (lines) => lines.splice(7, 0, lines[7] as string),
      (lines) => lines.splice(7, 2, lines[8] as string, lines[7] as string),
      (lines) => lines.splice(-1, 0, lines[3] as string),
      (lines) => lines.splice(7, 0, ''),
    ]
    for (const edit of edits) {
      const changed = rezip(bytes, (text) => {
        const lines = text.split('\n')
        edit(lines)
        return lines.join('\n')
      })
      await expect(read(changed)).rejects.toThrow(/damaged/)
    }
    await expect(read(Buffer.concat([bytes, Buffer.from('x')]))).rejects.toThrow(/damaged/)
    await expect(read(Buffer.concat([bytes, bytes]))).rejects.toThrow(/line 63 follows the manifest/)
  })

  test('of a newer version is refused with what to do', async () => {
    const { bytes } = await archiveOf([])
    const newer = rezip(bytes, (text) => text.replace('"version":1', '"version":3'))
    await expect(read(newer)).rejects.toThrow(UnsupportedError)
    await expect(read(newer)).rejects.toThrow(/update bruno-memory/)
  })

  test('names the line and the field of a record that it cannot read', async () => {
    const { bytes } = await archiveOf(sample)
    const plain = gunzipSync(bytes).toString().split('\n')
    const spoil = async (line: string) => {
      const lines = [...plain]
      lines[5] = line
      const problems: string[] = []
      // The manifest no longer fits, which is found at the end; the lines are answered before.
      try {
        for await (const item of readArchive(inPieces(Buffer.from(lines.join('\n')))))
          if ('refused' in item) problems.push(`${item.line} ${item.refused.message}`)
      } catch (error) {
        problems.push((error as Error).name)
      }
      return problems
    }
    expect(await spoil('not json {secret}')).toEqual(['6 line: is not JSON', 'StorageError'])
    expect(await spoil('[]')).toEqual(['6 line: must be a JSON object', 'StorageError'])
    expect(await spoil('{"kind":"usr","tenant":"a","record":{}}')).toContain(
      '6 kind: must be one of user, conversation, message, session, memory, document',
    )
    expect(await spoil('{"kind":"user","tenant":"a","record":{"nam":1}}')).toContain(
      '6 record.nam: is not a known field, did you mean "name"?',
    )
    expect(await spoil('{"kind":"user","tenant":"a","record":{"id":1}}')).toContain('6 record.id: must be a string')
    const stamps = '"createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z","version":1'
    const user = (metadata: string) =>
      `{"kind":"user","tenant":"a","record":{"id":"u","name":null,"preferences":{},"profile":{},"metadata":${metadata},"lastActiveAt":null,${stamps}}}`
    expect(await spoil(user(`${'['.repeat(100_000)}${']'.repeat(100_000)}`))).toContain(
      '6 record: is nested too deeply or holds a number too large',
    )
    expect(await spoil(user('{"a":1e999}'))).toContain('6 record: is nested too deeply or holds a number too large')
  })

  test('has digests that do not depend on the order of records, and differ with any field', async () => {
    const one = (await archiveOf(sample)).report.manifest
    const other = (await archiveOf([...sample].reverse())).report.manifest
    expect(other.digests).toEqual(one.digests)
    expect(other.sha256).not.toBe(one.sha256)
  })
})

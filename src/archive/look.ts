import { createReadStream } from 'node:fs'
import type { TransferScope } from '../contract/transfer.js'
import { StorageError, UnsupportedError } from '../errors.js'
import type { RecordKind } from '../model/records.js'
import { type ArchiveHeader, type ArchiveManifest, isObject, MAX_LINE_BYTES, parseHeader } from './format.js'
import { splitLines } from './lines.js'
import { decompressed, readArchive } from './read.js'

const chunksOf = (path: string): AsyncIterable<Buffer> =>
  createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>

/** Null for what is no archive, no whole one, or one of a newer version. */
async function unlessBroken<T>(look: () => Promise<T | null>): Promise<T | null> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof StorageError || error instanceof UnsupportedError || error instanceof SyntaxError) return null
    throw error
  }
}

/** How a file begins, where it is an archive or the beginning of one. */
export const headerAt = (path: string): Promise<ArchiveHeader | null> =>
  unlessBroken(async () => {
    for await (const { bytes } of splitLines(decompressed(chunksOf(path)), MAX_LINE_BYTES))
      return bytes && parseHeader(JSON.parse(bytes.toString()))
    return null
  })

/** What a whole archive says of itself; all of it is read. */
export const manifestAt = (path: string): Promise<ArchiveManifest | null> =>
  unlessBroken(async () => {
    let found: ArchiveManifest | null = null
    const onManifest = (manifest: ArchiveManifest): void => {
      found = manifest
    }
    for await (const _ of readArchive(chunksOf(path), { onManifest }));
    return found
  })

/** How many records of a scope there are in an archive, or in the beginning of one. */
export async function countIn(from: string | AsyncIterable<Buffer>, scope: TransferScope): Promise<number> {
  const { kinds, tenantId } = scope
  const chunks = typeof from === 'string' ? chunksOf(from) : from
  let count = 0
  for await (const { bytes, number } of splitLines(decompressed(chunks), MAX_LINE_BYTES)) {
    if (number === 1 || bytes === null) continue
    const value: unknown = JSON.parse(bytes.toString())
    if (!isObject(value) || !kinds.includes(value.kind as RecordKind)) continue
    if (tenantId === undefined || value.tenant === tenantId) count++
  }
  return count
}

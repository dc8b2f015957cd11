import { Writable } from 'node:stream'
import { type ArchiveItem, readArchive } from '../../src/archive/read.js'
import type { ArchiveEntry } from '../../src/archive/record.js'
import { type WriteReport, writeArchive } from '../../src/archive/write.js'

export async function archiveOf(entries: readonly ArchiveEntry[]): Promise<{ bytes: Buffer; report: WriteReport }> {
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk)
      done()
    },
  })
  const from = (async function* () {
    yield* entries
  })()
  const header = { createdAt: '2026-01-01T00:00:00.000Z', tenants: ['default'] }
  const report = await writeArchive(from, sink, { header })
  return { bytes: Buffer.concat(chunks), report }
}

/** The bytes in pieces of a given size, as a file or a socket hands them out. */
export async function* inPieces(bytes: Buffer, size = 64 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export async function read(bytes: Buffer, size?: number): Promise<ArchiveItem[]> {
  const items: ArchiveItem[] = []
  for await (const item of readArchive(inPieces(bytes, size))) items.push(item)
  return items
}

export const entriesOf = (items: readonly ArchiveItem[]): ArchiveEntry[] =>
  items.flatMap((item) => ('entry' in item ? [item.entry] : []))

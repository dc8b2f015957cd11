import { type FileHandle, open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type {
  Carried,
  ReadOptions,
  TransferBatch,
  TransferRange,
  TransferScope,
  TransferSide,
  TransferSource,
} from '../contract/transfer.js'
import { ConnectionError, StorageError } from '../errors.js'
import { RECORD_KINDS, type RecordKind } from '../model/records.js'
import { faultOf } from './fault.js'
import { bytesUpTo, codeOf } from './file.js'
import { type ArchiveHeader, type ArchiveManifest, damaged } from './format.js'
import { type Passed, passOf } from './pass.js'
import { readArchive } from './read.js'
import type { ArchiveEntry } from './record.js'

/** Reads an archive of any version, once all of it has been held against its manifest. */
export const archiveSource = (path: string): TransferSource => new FileSource(resolve(path))

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
}

interface Verified {
  readonly file: FileHandle
  readonly header: ArchiveHeader
  readonly manifest: ArchiveManifest
  /** Of each kind by tenant. */
  readonly counts: ReadonlyMap<RecordKind, ReadonlyMap<string, number>>
  /** When and how large the file was, to notice a change. */
  readonly seen: string
}

/** A pass that has stopped at the end of a range, where the next one begins. */
interface Parked {
  readonly key: string
  readonly pass: AsyncGenerator<Passed>
}

class FileSource implements TransferSource {
  #verified: Promise<Verified> | null = null
  #parked: Parked | null = null

  constructor(readonly path: string) {}

  async describe(): Promise<TransferSide> {
    const { header } = await this.#whole()
    return {
      backend: 'archive',
      place: this.path,
      schema: header.schema || null,
      kinds: RECORD_KINDS,
      positions: 'counter',
      space: header.space ?? null,
    }
  }

  async fingerprint(_scope: TransferScope): Promise<string> {
    return (await this.#whole()).manifest.sha256
  }

  async ranges({ kinds, tenantId }: TransferScope, records: number): Promise<readonly TransferRange[]> {
    const { counts, manifest } = await this.#whole()
    return RECORD_KINDS.filter((kind) => kinds.includes(kind)).flatMap((kind) => {
      const all = manifest.counts[kind]
      const wanted = tenantId === undefined ? all : (counts.get(kind)?.get(tenantId) ?? 0)
      return wanted === 0 ? [] : parts(kind, all, wanted, records)
    })
  }

  async *read(range: TransferRange, options: ReadOptions): AsyncGenerator<TransferBatch> {
    const verified = await this.#whole()
    const { limits, tenantId } = options
    const end = range.to === null ? Number.POSITIVE_INFINITY : Number(range.to)
    let at = Number(options.after ?? range.from ?? 0)
    const holders = options.holders === true
    const keyAt = (number: number): string => `${range.kind} ${holders} ${number}`
    const pass = this.#passAt(verified, keyAt(at), { kind: range.kind, skip: at, holders })
    let records: Carried[] = []
    let bytes = 0
    try {
      while (at < end) {
        const { value, done } = await pass.next()
        if (done && at < Math.min(end, verified.manifest.counts[range.kind])) throw damaged('records are missing')
        if (done) break
        at = value.number
        if (tenantId !== undefined && value.entry.record.tenantId !== tenantId) continue
        records.push(carried(value.entry))
        bytes += value.bytes
        if (records.length < limits.records && bytes < limits.bytes) continue
        yield await unchanged(verified, { records, bytes, cursor: String(at) })
        records = []
        bytes = 0
      }
      if (records.length > 0) yield await unchanged(verified, { records, bytes, cursor: String(at) })
    } finally {
      await this.#leave(pass, at === end ? keyAt(end) : null)
    }
  }

  #passAt({ file }: Verified, key: string, options: Parameters<typeof passOf>[1]): AsyncGenerator<Passed> {
    const parked = this.#parked
    if (parked?.key !== key) return passOf(bytesUpTo(file), options)
    this.#parked = null
    return parked.pass
  }

  /** Ranges are read one after the other: the next one goes on where this one ends, and does not begin anew. */
  async #leave(pass: AsyncGenerator<Passed>, key: string | null): Promise<void> {
    const parked = key === null ? null : { key, pass }
    const before = parked ? this.#parked : { pass }
    if (parked) this.#parked = parked
    await before?.pass.return(undefined)
  }

  #whole(): Promise<Verified> {
    this.#verified ??= verify(this.path)
    return this.#verified
  }

  async close(): Promise<void> {
    const [verified, parked] = [this.#verified, this.#parked]
    this.#verified = this.#parked = null
    await parked?.pass.return(undefined)
    await (await verified?.catch(() => null))?.file.close()
  }
}

/** Parts of a kind by number. Those of one tenant lie anywhere among the others: their numbers are estimates. */
function parts(kind: RecordKind, all: number, wanted: number, records: number): TransferRange[] {
  const count = wanted <= records ? 1 : Math.ceil(all / records)
  return Array.from({ length: count }, (_, i) => ({
    kind,
    from: i === 0 ? null : String(i * records),
    to: i === count - 1 ? null : String((i + 1) * records),
    records:
      wanted === all
        ? Math.min(records, all - i * records)
        : Math.floor((wanted * (i + 1)) / count) - Math.floor((wanted * i) / count),
  }))
}

async function seenOf(file: FileHandle): Promise<string> {
  const { size, mtimeNs } = await file.stat({ bigint: true })
  return `${size} ${mtimeNs}`
}

/** Nothing is handed out of a file that was written over after it was verified. */
async function unchanged({ file, seen }: Verified, batch: TransferBatch): Promise<TransferBatch> {
  if ((await seenOf(file)) !== seen) throw new StorageError('the archive was changed while it was read: begin anew')
  return batch
}

function carried(entry: ArchiveEntry): Carried {
  const fault = faultOf(entry)
  return { ...entry, vector: entry.vector ?? null, ...(fault !== null && { fault }) } as Carried
}

async function verify(path: string): Promise<Verified> {
  const file = await opened(path)
  try {
    return await verifyOpen(file)
  } catch (error) {
    await file.close()
    throw error
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    // Opening a pipe would wait for somebody who writes into it.
    if ((await stat(path)).isFile()) return await open(path)
    throw new ConnectionError(`cannot read ${path}: it is not a regular file`)
  } catch (error) {
    const reason = REASONS[codeOf(error) ?? '']
    throw reason ? new ConnectionError(`cannot read ${path}: ${reason}`, { cause: error }) : error
  }
}

async function verifyOpen(file: FileHandle): Promise<Verified> {
  const seen = await seenOf(file)
  const found: { header?: ArchiveHeader; manifest?: ArchiveManifest } = {}
  const options = {
    onHeader: (header: ArchiveHeader) => {
      found.header = header
    },
    onManifest: (manifest: ArchiveManifest) => {
      found.manifest = manifest
    },
  }
  const counts = new Map(RECORD_KINDS.map((kind) => [kind, new Map<string, number>()]))
  let refused: string | null = null
  for await (const item of readArchive(bytesUpTo(file), options)) {
    const fault = 'refused' in item ? item.refused.message : vectorFault(item.entry, found.header)
    if (fault !== null) refused ??= `line ${item.line}: ${fault}`
    if ('refused' in item) continue
    const tenants = counts.get(item.entry.kind)
    const { tenantId } = item.entry.record
    tenants?.set(tenantId, (tenants.get(tenantId) ?? 0) + 1)
  }
  if (refused !== null) throw damaged(`${refused} (import takes the other records)`)
  if (!found.header || !found.manifest) throw damaged('it has no header or no manifest')
  return { file, header: found.header, manifest: found.manifest, counts, seen }
}

/** Vectors of another length than the space says would be compared with nothing. */
function vectorFault({ vector }: ArchiveEntry, header: ArchiveHeader | undefined): string | null {
  if (!vector) return null
  const dimensions = header?.space?.dimensions
  return vector.vector.length === dimensions ? null : 'vector: is not of the space that the header names'
}

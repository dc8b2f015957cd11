import { homedir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import { prepare } from './backend.js'
import type { Backend } from './contract/backend.js'
import type { EmbeddingSpace } from './contract/embedder.js'
import type { TransferSink, TransferSource, TransferTarget } from './contract/transfer.js'
import type { TransferEnd, TransferOptions, TransferReport } from './contract/transfer-plan.js'
import { UnsupportedError } from './errors.js'
import { parseOptions } from './model/parse.js'
import { isDead, newOwner } from './owner.js'
import { findKind } from './registry.js'
import type { Ends } from './transfer/run.js'

/** An end, and how it is closed. */
export interface Opened<T> {
  readonly end: T
  close(): Promise<void>
}

async function openBackend({ url, options = {} }: TransferEnd): Promise<Backend> {
  const backend = await prepare(url, options).load({ loads: true })
  try {
    await backend.open()
    return backend
  } catch (error) {
    await backend.close().catch(() => undefined)
    throw error
  }
}

const ARCHIVE = /^archive:(?:\/\/)?(.+)$/s
const archivePath = (url: string): string | null => ARCHIVE.exec(url)?.[1] ?? null

/** What is read as it is need not be told how its vectors are made. */
function sourceOptions({ url, options = {} }: TransferEnd): object {
  const { kind, options: ofUrl } = findKind(url)
  const spelled = kind.spelled ?? ((given: object) => given)
  return parseOptions(kind.schema, spelled({ ...options, ...ofUrl }))
}

/** Jobs of targets that keep none themselves are kept for this user. */
async function withJobs(sink: TransferSink, folder: string | undefined): Promise<TransferTarget> {
  const { JobFile } = await import('./transfer/job-file.js')
  const { sinkTarget } = await import('./transfer/sink-target.js')
  const state = process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state')
  return sinkTarget(sink, new JobFile(folder ?? join(state, 'bruno-memory', 'transfers'), { clock: Date.now, isDead }))
}

const cannot = (url: string, what: string): UnsupportedError =>
  new UnsupportedError('transfer', `${findKind(url).name} cannot be moved ${what}`)

/** Opens what is read from. */
export async function openSource(end: TransferEnd): Promise<Opened<TransferSource>> {
  const archive = archivePath(end.url)
  if (archive !== null) {
    const source = (await import('./archive/transfer-source.js')).archiveSource(archive)
    return { end: source, close: () => source.close() }
  }
  const { kind } = findKind(end.url)
  if (kind.transferSource) {
    const source = await kind.transferSource(sourceOptions(end))
    return { end: source, close: () => source.close() }
  }
  const backend = await openBackend(end)
  const source = backend.transferring?.source?.()
  if (source) return { end: source, close: () => source.close().finally(() => backend.close()) }
  await backend.close()
  throw cannot(end.url, 'from')
}

/** Where the target cannot know of which kind its vectors will be, it is told by the source. */
function targetOptions({ url, options = {} }: TransferEnd, space: EmbeddingSpace | null): TransferEnd {
  if (archivePath(url) !== null) return { url, options }
  const { kind } = findKind(url)
  if (!kind.index || !space || options.embeddingFunction !== undefined || options.embeddingDimensions !== undefined)
    return { url, options }
  const { dimensions, metric, model, provider } = space
  // Who makes vectors of this kind is for the caller to say.
  if (provider !== 'records') return { url, options }
  return {
    url,
    options: { ...options, embeddingModel: model, embeddingDimensions: dimensions, distanceMetric: metric },
  }
}

/** Opens what is written to. */
export async function openTarget(end: TransferEnd, jobs?: string): Promise<Opened<TransferTarget>> {
  const archive = archivePath(end.url)
  if (archive !== null) {
    const { archiveSink } = await import('./archive/transfer-sink.js')
    const target = await withJobs(archiveSink(archive, { createdAt: new Date() }), jobs)
    return { end: target, close: () => target.close() }
  }
  const backend = await openBackend(end)
  const sink = backend.transferring?.sink?.()
  const target = sink ? await withJobs(sink, jobs) : await backend.transferring?.target?.()
  if (target) return { end: target, close: () => target.close().finally(() => backend.close()) }
  await backend.close()
  throw cannot(end.url, 'to')
}

/**
 * Moves everything from one store to another that can hold it, and compares both. The source is not changed; a run that
 * was stopped goes on with `resume`.
 *
 * @throws ConflictError where another run is at work, one was left, or the target holds records and `merge` is not given.
 */
export async function transfer(options: TransferOptions): Promise<TransferReport> {
  const { from, to, jobs, ...wishes } = options
  const { runTransfer } = await import('./transfer/run.js')
  const source = await openSource(from)
  try {
    const { space } = await source.end.describe()
    const target = await openTarget(targetOptions(to, space), jobs)
    try {
      const ends: Ends = {
        source: source.end,
        target: target.end,
        targetSource: async () => {
          const opened = await openSource(to)
          return { ...bound(opened.end), close: opened.close }
        },
      }
      return await runTransfer(ends, wishes, { clock: Date.now, newId: () => v7(), owner: newOwner() })
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

const bound = (source: TransferSource): Omit<TransferSource, 'close'> => ({
  describe: () => source.describe(),
  fingerprint: (...args) => source.fingerprint(...args),
  ranges: (...args) => source.ranges(...args),
  read: (...args) => source.read(...args),
})

/** Gives up a transfer that was stopped. What it wrote stays; indexes that it left to its end are made. */
export async function abandonTransfer(to: TransferEnd, jobs?: string): Promise<void> {
  const target = await openTarget(to, jobs)
  try {
    await target.end.abandon()
  } finally {
    await target.close()
  }
}

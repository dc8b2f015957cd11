import { decompressed, readArchive } from '../archive/read.js'
import type { TenantMemory } from '../contract/memory.js'
import type { Checks } from '../model/check.js'
import { readChatGpt } from './chatgpt/reader.js'
import { readArchiveItems } from './from-archive.js'
import { readJsonLines } from './jsonl.js'
import { readLangGraph } from './langgraph/reader.js'
import { readMastra } from './mastra/reader.js'
import { readMem0 } from './mem0/reader.js'
import { readAgents } from './openai-agents/reader.js'
import { chunksOf, type Source } from './source.js'
import { isSqliteFormat } from './sqlite-formats.js'
import type { CountsByKind, Finding } from './tally.js'
import type { ImportItem } from './types.js'
import { ImportWriter } from './writer/writer.js'

export interface ImportProgress {
  readonly phase: 'verify' | 'import'
  readonly file: string
  /** Of all files together, compressed bytes where they are compressed. */
  readonly bytes: number
  readonly totalBytes: number
  readonly records: number
}

export interface ImportOptions {
  readonly sources: readonly Source[]
  /** The memory of a tenant (null: the one the import is for); null in a dry run where there is no store yet. */
  readonly memory: (tenant: string | null) => TenantMemory | null
  /** The tenant for all records of an archive; default: the tenants that it names. */
  readonly tenant?: string | undefined
  /** For records that name no user. */
  readonly userId: string
  readonly checks: Checks
  /** What has expired by then is not imported. */
  readonly now: Date
  readonly overwrite?: boolean | undefined
  readonly dryRun?: boolean | undefined
  /** Also import ChatGPT's system prompts and custom instructions. */
  readonly includeHidden?: boolean | undefined
  /** Stops after the batch under way; what is committed stays. */
  readonly signal?: AbortSignal | undefined
  readonly onFinding?: ((finding: Finding) => void) | undefined
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined
}

export interface ImportReport {
  readonly counts: CountsByKind
  /** Why records were skipped, and how many. */
  readonly skipped: Readonly<Record<string, number>>
  /** Records imported without something that could not be kept. */
  readonly adjusted: number
  readonly refused: number
  readonly conflicts: number
  readonly interrupted: boolean
  /** What ended the import before the end of the files; what the counts say is committed all the same. */
  readonly error: unknown
}

/**
 * Imports files, one after the other. It never throws for what a file holds: records that cannot be taken are reported
 * one by one, and an error of the store or of a whole file ends the import and stands in the report.
 */
export async function runImport(options: ImportOptions): Promise<ImportReport> {
  const run = new ImportRun(options)
  let error: unknown = null
  try {
    await run.run()
  } catch (caught) {
    error = caught
  }
  const { tally } = run.writer
  return {
    counts: tally.counts(),
    skipped: Object.fromEntries(tally.skips),
    adjusted: tally.adjusted,
    refused: tally.total('refused'),
    conflicts: tally.total('conflict'),
    interrupted: run.interrupted,
    error,
  }
}

class ImportRun {
  readonly writer: ImportWriter
  interrupted = false
  #bytes = 0
  readonly #totalBytes: number

  constructor(readonly options: ImportOptions) {
    const { sources, memory, checks, overwrite = false, dryRun = false, onFinding = () => {}, signal } = options
    this.writer = new ImportWriter({ memory, checks, overwrite, dryRun, onFinding, signal })
    // An archive is read twice: once to see that it is whole.
    this.#totalBytes = sources.reduce((sum, s) => sum + s.bytes * (s.format === 'archive' ? 2 : 1), 0)
  }

  async run(): Promise<void> {
    for (const source of this.options.sources) {
      if (source.format === 'archive' && !(await this.#verify(source))) return
      for await (const items of this.#items(source)) {
        await this.writer.add(items)
        this.#report('import', source)
        if (this.#stopped()) return
      }
      await this.writer.flush()
      if (isSqliteFormat(source.format)) this.#bytes += source.bytes
      this.#report('import', source)
    }
  }

  #stopped(): boolean {
    if (this.options.signal?.aborted) this.interrupted = true
    return this.interrupted
  }

  /** Nothing of an archive is written before all of it was held against its manifest; false: it was interrupted. */
  async #verify(source: Source): Promise<boolean> {
    for await (const _ of readArchive(this.#chunks(source))) {
      this.#report('verify', source)
      if (this.#stopped()) return false
    }
    return true
  }

  #chunks(source: Source): AsyncIterable<Buffer> {
    return chunksOf(source.path, (n) => {
      this.#bytes += n
    })
  }

  #items(source: Source): AsyncIterable<ImportItem[]> {
    const { userId, tenant, now, includeHidden } = this.options
    const file = source.path
    if (source.format === 'mastra') return readMastra(file, userId)
    if (source.format === 'langgraph') return readLangGraph(file, { userId, now })
    if (source.format === 'mem0') return readMem0(file, { userId, now })
    const chunks = this.#chunks(source)
    if (source.format === 'archive') return readArchiveItems(chunks, { file, tenant, now })
    if (source.format === 'jsonl') return readJsonLines(decompressed(chunks), { file, userId })
    if (source.format === 'openai-agents') return readAgents(decompressed(chunks), { file, userId })
    return readChatGpt(decompressed(chunks), { file, userId, includeHidden })
  }

  #report(phase: ImportProgress['phase'], source: Source): void {
    const { tally } = this.writer
    const records = tally.total('read')
    this.options.onProgress?.({ phase, file: source.path, bytes: this.#bytes, totalBytes: this.#totalBytes, records })
  }
}

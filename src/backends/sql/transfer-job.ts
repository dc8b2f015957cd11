import type { Present } from '../../contract/online.js'
import type { Carried, Checkpoint, JobRequest, Refusal, TransferJob, WriteOutcome } from '../../contract/transfer.js'
import { StorageError } from '../../errors.js'
import { RECORD_KINDS, type RecordKind } from '../../model/records.js'
import type { SqlSession } from './engine.js'
import { SCOPED, tableKey } from './transfer-find.js'
import { type Ownership, releaseJob, removeJob, type StoredJob, saveCheckpoint, setState } from './transfer-jobs.js'
import { LAYOUTS, OPERATIONS } from './transfer-layout.js'
import type { SqlTargetParts } from './transfer-parts.js'
import { prepareRows } from './transfer-prepare.js'
import { targetStatements } from './transfer-statements.js'
import { storeVectors } from './transfer-vectors.js'

/** A job in the tables of the store that it fills. */
export class SqlJob implements TransferJob {
  readonly checkpoint: Checkpoint | null
  readonly epoch: number
  readonly #ownership: Ownership
  readonly #bulk: boolean
  #rebuild: string | null
  /** The checkpoint behind the last batch. */
  #last: string | null

  constructor(
    readonly parts: SqlTargetParts,
    readonly request: JobRequest,
    job: StoredJob,
  ) {
    this.checkpoint = job.checkpoint === null ? null : parseCheckpoint(job.checkpoint)
    this.epoch = job.epoch
    this.#ownership = { id: job.id, epoch: job.epoch, lease: request.lease }
    this.#bulk = job.state === 'loading'
    this.#rebuild = job.rebuild
    this.#last = job.checkpoint
  }

  async write(
    records: readonly Carried[],
    checkpoint: (outcome: WriteOutcome) => Checkpoint,
    sent?: () => void,
  ): Promise<WriteOutcome> {
    const { store, loader } = this.parts
    if (!loader.tells) sent?.()
    return loader.write(async (session) => {
      const outcome = await this.#load(session, records, sent)
      const last = JSON.stringify(checkpoint(outcome))
      await saveCheckpoint(store, session, this.#ownership, last)
      this.#last = last
      return outcome
    })
  }

  async #load(session: SqlSession, records: readonly Carried[], sent?: () => void): Promise<WriteOutcome> {
    let written = 0
    let present = 0
    const refused: Refusal[] = []
    for (const { kind, from, to } of runsOf(records)) {
      const some = records.slice(from, to)
      const rows = await prepareRows(this.parts, session, kind, some, this.request.texts)
      const loaded = await this.parts.loader.load(session, LAYOUTS[kind], rows, this.#bulk, sent)
      for (const [i, result] of loaded.entries())
        if (result === 'new') written++
        else if (result === 'present') present++
        else refused.push({ index: from + i, reason: result.reason })
      const added = some.filter((_, i) => loaded[i] === 'new')
      await storeVectors(this.parts, session, added, this.#bulk)
    }
    return { written, present, refused }
  }

  async apply({ records, operations, gone }: Present): Promise<void> {
    const { store, loader } = this.parts
    await loader.write(async (session) => {
      const fence = await loader.unfence?.(session)
      for (const kind of [...RECORD_KINDS].reverse()) {
        const keys = gone.filter((key) => key.kind === kind)
        if (keys.length === 0) continue
        const scoped = SCOPED.has(kind)
        await loader.remove?.(
          session,
          LAYOUTS[kind],
          keys.map((key) => tableKey(key, scoped)),
        )
      }
      for (const { kind, from, to } of runsOf(records)) {
        const some = records.slice(from, to)
        const rows = await prepareRows(this.parts, session, kind, some, this.request.texts)
        await loader.replace?.(session, LAYOUTS[kind], rows)
        await storeVectors(this.parts, session, some, false)
      }
      if (operations.length > 0) await loader.replace?.(session, OPERATIONS, operations)
      await saveCheckpoint(store, session, this.#ownership, this.#last)
      await fence?.()
    })
  }

  async finish(): Promise<void> {
    const { store, loader } = this.parts
    await loader.write(async (session) => {
      if (this.#rebuild === null) await session.run(targetStatements(store.engine).recount)
      else await loader.restore?.(session, this.#rebuild)
      await loader.settle(session)
      await setState(store, session, this.#ownership, { state: 'running', rebuild: null })
    })
    this.#rebuild = null
  }

  async complete(): Promise<void> {
    const { store, loader } = this.parts
    await loader.write((session) => removeJob(store, session, this.#ownership))
  }

  async release(): Promise<void> {
    const { store, loader } = this.parts
    await loader.write((session) => releaseJob(store, session, this.#ownership))
  }
}

function parseCheckpoint(text: string): Checkpoint {
  try {
    return JSON.parse(text) as Checkpoint
  } catch {
    throw new StorageError('the stored checkpoint of this transfer cannot be read')
  }
}

interface Run {
  readonly kind: RecordKind
  readonly from: number
  readonly to: number
}

/** Neighbours of one kind. */
function runsOf(records: readonly Carried[]): Run[] {
  const runs: Run[] = []
  let from = 0
  for (let i = 1; i <= records.length; i++) {
    const kind = records[from]?.kind
    if (kind === undefined || records[i]?.kind === kind) continue
    runs.push({ kind, from, to: i })
    from = i
  }
  return runs
}

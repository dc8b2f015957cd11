import type { RecordOf } from '../model/fields.js'
import type { RecordKind } from '../model/records.js'
import type { EmbeddingSpace } from './embedder.js'
import type { JobStore } from './transfer-jobs.js'

/** A vector on its way, bit for bit as it was given or made. */
export interface CarriedVector {
  readonly vector: Float32Array
  /** SHA-256 of the text that it was made of; empty where it came with its record. */
  readonly hash: Uint8Array
}

/** A record on its way, with all that it has. Kinds without vectors carry null. */
export type Carried = {
  readonly [K in RecordKind]: {
    readonly kind: K
    readonly record: RecordOf[K]
    readonly vector: CarriedVector | null
    /** Of a message, whose conversation it is in: stores without conversations find their messages by it. */
    readonly holder?: string | undefined
  }
}[RecordKind]

/** What one end of a transfer is. Never holds a secret. */
export interface TransferSide {
  /** The backend's name, or `archive`. */
  readonly backend: string
  /** Where it is, for people and to be known again: host, port, database, collection or path. */
  readonly place: string
  /** The newest migration that it has; null where it has none. */
  readonly schema: string | null
  /** Kinds that it can hold, each after those that it needs. */
  readonly kinds: readonly RecordKind[]
  readonly positions: 'counter' | 'clock'
  /** Null where it holds no vectors. */
  readonly space: EmbeddingSpace | null
  /**
   * `unit`: of a space whose lengths do not count, vectors are kept at length 1; one that comes at another length is
   * written, and read back, as `unitVector` makes it. Absent: as they were given, bit for bit.
   */
  readonly vectors?: 'unit' | undefined
}

export interface TransferScope {
  readonly kinds: readonly RecordKind[]
  /** Only this tenant; all where it is absent. */
  readonly tenantId?: string | undefined
}

/** A part of a source that is read in its own order. Planned once: a resumed run reads the same parts. */
export interface TransferRange {
  readonly kind: RecordKind
  /** Where it begins, exclusive, in the source's own words; null: at the start. */
  readonly from: string | null
  /** Where it ends, inclusive; null: at the end. */
  readonly to: string | null
  /** About how many records it holds, for progress and cost. */
  readonly records: number
}

export interface TransferBatch {
  readonly records: readonly Carried[]
  /** Behind the last record, to go on after it. */
  readonly cursor: string
  /** About so many bytes, for rates and bounds. */
  readonly bytes: number
}

export interface BatchLimits {
  readonly records: number
  readonly bytes: number
}

/** What is read from. Reading does not disturb those who use it. */
export interface TransferSource {
  describe(): Promise<TransferSide>
  /** Differs after any write to what is in scope, as far as the engine can tell cheaply. */
  fingerprint(scope: TransferScope): Promise<string>
  /** Parts of at most about `records` each, kinds in the order of `RECORD_KINDS`; of one conversation in the order of positions. */
  ranges(scope: TransferScope, records: number): Promise<readonly TransferRange[]>
  /**
   * The records of a range behind a cursor, expired ones too. Memory is bounded by the limits: the next batch is read when
   * it is asked for, at most one ahead.
   *
   * @param after A cursor of this range, or null.
   */
  read(
    range: TransferRange,
    options: { readonly after: string | null; readonly limits: BatchLimits; readonly tenantId?: string | undefined },
  ): AsyncIterable<TransferBatch>
  close(): Promise<void>
}

/** How far a job is: which range, and where in it. */
export interface Checkpoint {
  /** The index of the range in the plan. */
  readonly range: number
  /** In that range; null: nothing of it is written. */
  readonly cursor: string | null
  /** Whether the range is through. */
  readonly done: boolean
  /** Sums of what was written so far, by kind. */
  readonly counts: Readonly<Record<string, number>>
  /** Anything else that the engine keeps with it. */
  readonly state: Readonly<Record<string, unknown>>
}

/** A record that a target did not take. */
export interface Refusal {
  /** Its place in the batch. */
  readonly index: number
  /** Names a field and a rule, never content. */
  readonly reason: string
}

/** What became of a batch. */
export interface WriteOutcome {
  /** Records that are new in the target. */
  readonly written: number
  /** Records that were there already under their key; whether they are equal is found by verification. */
  readonly present: number
  readonly refused: readonly Refusal[]
}

/** A job in a target. One owner at a time: a later one fences the one before, whose next write is a ConflictError. */
export interface TransferJob {
  /** Where an earlier run of the same job ended; null for a new one. */
  readonly checkpoint: Checkpoint | null
  /** Counts up with every owner. */
  readonly epoch: number
  /**
   * Writes a batch and its checkpoint: in one transaction where the target has them, else the records first, which may be
   * written again by a resumed run without being doubled.
   *
   * @throws ConflictError where another run owns the job by now.
   */
  write(records: readonly Carried[], checkpoint: Checkpoint): Promise<WriteOutcome>
  /** Keeps a checkpoint without records. */
  save(checkpoint: Checkpoint): Promise<void>
  /** Makes what a load leaves to the end: indexes, counters, statistics. May be called again. */
  finish(): Promise<void>
  /** The job is through: its record of ranges is kept for a verification, its owner leaves. */
  complete(): Promise<void>
  /** Lets another run go on at once. */
  release(): Promise<void>
}

export interface JobRequest {
  /** Of the plan: the same plan, the same job. */
  readonly id: string
  /** The plan as JSON; a job of the same id with another text is refused. */
  readonly plan: string
  /** Who runs it; see `newOwner`. */
  readonly owner: string
  /** Milliseconds after which an owner that says nothing is gone; renewed by every write. */
  readonly lease: number
  /** Take the job from an owner that seems alive. */
  readonly force?: boolean | undefined
}

/** What is written to. */
export interface TransferTarget {
  describe(): Promise<TransferSide>
  /** How many records it holds already in scope. */
  count(scope: TransferScope): Promise<number>
  /** @throws ConflictError where another run owns the job, or its plan is another one. */
  begin(request: JobRequest): Promise<TransferJob>
  /** The plan of the job that is there and not complete, to be resumed; null where there is none. */
  unfinished(): Promise<{ readonly id: string; readonly plan: string } | null>
  close(): Promise<void>
}

/** What a backend offers to be moved from and to. */
export interface Transferring {
  source(): TransferSource
  /** @param jobs For targets that keep no jobs themselves; others pass it over. */
  target(jobs?: JobStore): TransferTarget
}

/** Decided once, stored with the job, never changed. */
export interface TransferPlan {
  readonly id: string
  readonly version: 1
  readonly from: TransferSide
  readonly to: TransferSide
  readonly scope: TransferScope
  readonly ranges: readonly TransferRange[]
  /** Of the source when it was planned. */
  readonly fingerprint: string
  /** Kinds that the source holds and the target cannot, left out because it was asked for, with how many they are. */
  readonly omitted: Readonly<Record<string, number>>
  /** Whether vectors are carried, or made anew by the target's model, or left out, and why. */
  readonly vectors: 'carried' | 'remade' | 'none'
  readonly limits: BatchLimits
}

/** What a plan will cost, told with it. */
export interface TransferOutlook {
  /** Records that the target holds already in scope. */
  readonly present: number
  /** Records whose text the target's model has to embed, and about how many tokens these are; 0 where vectors are carried. */
  readonly toEmbed: number
  readonly tokens: number
}

export type TransferPhase = 'plan' | 'copy' | 'finish' | 'verify'

export interface TransferProgress {
  readonly phase: TransferPhase
  readonly records: number
  readonly total: number
  readonly bytes: number
}

/** A record that was not copied, by its key and a reason, never by content. */
export interface Quarantined {
  readonly kind: RecordKind
  readonly tenantId: string
  readonly key: string
  readonly reason: string
}

/** A record that differs between both sides. */
export interface Difference {
  readonly kind: RecordKind
  readonly tenantId: string
  /** The conversation of a message, the namespace of a document, empty for others. */
  readonly scope: string
  readonly id: string
  readonly what: 'missing' | 'extra' | 'different'
  /** Names of fields that differ, without what they hold. */
  readonly fields: readonly string[]
}

export interface VerifyReport {
  readonly equal: boolean
  /** By kind: how many on each side. */
  readonly counts: Readonly<Record<string, { readonly source: number; readonly target: number }>>
  /** By kind: the sum of the records' digests on each side. */
  readonly digests: Readonly<Record<string, { readonly source: string; readonly target: string }>>
  readonly differences: readonly Difference[]
  /** More were found than are listed. */
  readonly more: number
}

export interface TransferReport {
  readonly plan: TransferPlan
  /** By kind. */
  readonly copied: Readonly<Record<string, number>>
  readonly present: number
  readonly quarantined: readonly Quarantined[]
  readonly interrupted: boolean
  readonly resumed: boolean
  /** The source was written to while it was copied. */
  readonly sourceChanged: boolean
  readonly verified: VerifyReport | null
  readonly seconds: number
}

/** One end: a backend's URL with its options, or `archive:FILE`. */
export interface TransferEnd {
  readonly url: string
  readonly options?: Readonly<Record<string, unknown>> | undefined
}

export interface TransferOptions {
  readonly from: TransferEnd
  readonly to: TransferEnd
  readonly kinds?: readonly RecordKind[] | undefined
  /** Leave out kinds that the target cannot hold. */
  readonly allowOmit?: boolean | undefined
  readonly tenantId?: string | undefined
  /** Only the plan. */
  readonly dryRun?: boolean | undefined
  /** Only the comparison. */
  readonly verifyOnly?: boolean | undefined
  /** Default true. */
  readonly verify?: boolean | undefined
  /** Go on with the job that is there; without it such a job is an error that says so. */
  readonly resume?: boolean | undefined
  readonly force?: boolean | undefined
  /** Records that may be quarantined before the run ends. Default 0. */
  readonly quarantineLimit?: number | undefined
  /** Where what is quarantined is written, readable by its owner alone; content is written nowhere else. */
  readonly quarantineFile?: string | undefined
  /** Make vectors anew by the target's model where the spaces differ. */
  readonly reembed?: boolean | undefined
  readonly limits?: Partial<BatchLimits> | undefined
  /** Stops after the batch under way, at a checkpoint. */
  readonly signal?: AbortSignal | undefined
  /** Told before anything is written. */
  readonly onPlan?: ((plan: TransferPlan, outlook?: TransferOutlook) => void) | undefined
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined
}

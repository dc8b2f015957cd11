import type { RecordOf } from '../model/fields.js'
import type { RecordKind } from '../model/records.js'
import type { EmbeddingSpace } from './embedder.js'
import type { ChangedKey, Present, TransferCapture } from './online.js'

/** A vector on its way, bit for bit as it was given or made. */
export interface CarriedVector {
  readonly vector: Float32Array
  /** SHA-256 of the text that it was made of; empty where it came with its record. */
  readonly hash: Uint8Array
}

/** A record on its way, with all that it has. */
export type Carried = {
  readonly [K in RecordKind]: {
    readonly kind: K
    readonly record: RecordOf[K]
    /** Null where it has none, and for kinds that have none. */
    readonly vector: CarriedVector | null
    /** Of a message, whose conversation it is in, where the source knows: stores without conversations keep it with each. */
    readonly holder?: string | undefined
    /** Made by the transfer, not read: a conversation whose `messageCount` and `lastPosition` the target counts at the end. */
    readonly made?: true | undefined
    /** Of stores with the same tables: the columns as they are stored, in their order. */
    readonly row?: readonly unknown[] | undefined
    /** Why it cannot be carried, naming a field and a rule: what is stored is no record of this kind. */
    readonly fault?: string | undefined
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
   * `unit`: vectors of a space whose lengths do not count are kept at length 1, and read back so. Absent: as they were
   * given, bit for bit.
   */
  readonly vectors?: 'unit' | undefined
  /** Without a space it takes that of the vectors that come. */
  readonly adopts?: true | undefined
  /** How the tables' search text is made; absent where there are no tables. Records of such stores have rows. */
  readonly tables?: string | undefined
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
  /** A batch ends with the record that reaches it: one record may be larger. */
  readonly bytes: number
}

export interface ReadOptions {
  /** A cursor of this range, or null: its beginning. */
  readonly after: string | null
  readonly limits: BatchLimits
  readonly tenantId?: string | undefined
  /** Whether `holder` is asked for, where it has to be looked up. */
  readonly holders?: boolean | undefined
}

/** What is read from. Reading does not disturb those who use it, and changes nothing. */
export interface TransferSource {
  describe(): Promise<TransferSide>
  /** Differs after any write to what is in scope, as far as the engine can tell cheaply. */
  fingerprint(scope: TransferScope): Promise<string>
  /** Parts of at most about `records` each, kinds in the order of `RECORD_KINDS`. Together they are all that is in scope. */
  ranges(scope: TransferScope, records: number): Promise<readonly TransferRange[]>
  /** What these records are now, as they are kept; absent where one cannot be found by its key. */
  find?(keys: readonly ChangedKey[]): Promise<readonly Carried[]>
  /** The records of a range behind a cursor, expired ones too. The next batch is read when it is asked for. */
  read(range: TransferRange, options: ReadOptions): AsyncIterable<TransferBatch>
  close(): Promise<void>
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
  /** Records that were there already under their key, and stay as they are; whether they are equal is found by verification. */
  readonly present: number
  readonly refused: readonly Refusal[]
  /** What the sink wants to be opened with by a run that goes on behind this batch. */
  readonly state?: Readonly<Record<string, unknown>> | undefined
}

/** What is written to where batches and checkpoints have no transaction in common: a batch may come twice, and is not doubled. */
export interface TransferSink {
  describe(): Promise<TransferSide>
  /** How many records it holds already in scope. */
  count(scope: TransferScope): Promise<number>
  /** @param state Of the last batch that is known to be written; null for a new run. */
  open(state: Readonly<Record<string, unknown>> | null): Promise<void>
  /** Acknowledged means that it is stored, as durably as this store does. */
  write(records: readonly Carried[]): Promise<WriteOutcome>
  /** Makes what a load leaves to the end. May be called again. */
  finish(): Promise<void>
  close(): Promise<void>
}

/** How far a job is: which range, and where in it. */
export interface Checkpoint {
  /** The index of the range in the plan. */
  readonly range: number
  /** In that range; null: nothing of it is written. */
  readonly cursor: string | null
  /** Sums of what was written so far, by kind. */
  readonly counts: Readonly<Record<string, number>>
  /** Of these, records that the target had already. */
  readonly present: number
  readonly quarantined: number
  /** See `WriteOutcome.state`. */
  readonly state: Readonly<Record<string, unknown>> | null
}

/** A job in a target. One owner at a time: a later one fences the one before, whose next write is a ConflictError. */
export interface TransferJob {
  /** Where an earlier run of the same job ended; null for a new one. */
  readonly checkpoint: Checkpoint | null
  /** Counts up with every owner. */
  readonly epoch: number
  /**
   * Writes a batch and the checkpoint behind it: in one transaction where the target has them, else the records first,
   * which may be written again by a resumed run without being doubled.
   *
   * @param sent Called when this process has done its part, and the store is at work: the next batch is read meanwhile.
   * @throws ConflictError where another run owns the job by now.
   */
  write(
    records: readonly Carried[],
    checkpoint: (outcome: WriteOutcome) => Checkpoint,
    sent?: () => void,
  ): Promise<WriteOutcome>
  /** Makes records what they are elsewhere, and removes what is gone there, in one transaction. Absent where it cannot. */
  apply?(present: Present): Promise<void>
  /** Makes what a load leaves to the end: indexes, counters, statistics. May be called again. */
  finish(): Promise<void>
  /** The job is through. */
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
  /** Nothing is there, and rows come from the same tables: what is dear to keep up while loading is made at the end. */
  readonly bulk: boolean
  /** Rows come with search text that was made as this store makes it. */
  readonly texts: boolean
  /** Of the vectors that will come; null for none. A target without a space takes it. */
  readonly space: EmbeddingSpace | null
}

/** The plan of a job that is there and not complete. */
export interface UnfinishedJob {
  readonly id: string
  readonly plan: string
}

/** What is written to. */
export interface TransferTarget {
  /** Whether its jobs can `apply`: it can be kept up with a store in use. */
  readonly isKeptUp?: true | undefined
  describe(): Promise<TransferSide>
  /** How many records it holds already in scope. */
  count(scope: TransferScope): Promise<number>
  /** @throws ConflictError where another run owns the job, or another one is unfinished. */
  begin(request: JobRequest): Promise<TransferJob>
  unfinished(): Promise<UnfinishedJob | null>
  /** Forgets an unfinished job. What it wrote stays. */
  abandon(): Promise<void>
  close(): Promise<void>
}

/** What an open backend offers to be moved from and to. */
export interface Transferring {
  /** Absent where the kind of backend has a source of its own, which needs no open store. */
  readonly source?: (() => TransferSource) | undefined
  /** Of stores whose checkpoints commit with their batches. */
  readonly target?: (() => Promise<TransferTarget>) | undefined
  /** Of stores that can be moved while they are in use. */
  readonly capture?: (() => Promise<TransferCapture>) | undefined
  /** Of all others. */
  readonly sink?: (() => TransferSink) | undefined
}

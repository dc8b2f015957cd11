import type { RecordKind } from '../model/records.js'
import type { BatchLimits, TransferRange, TransferScope, TransferSide } from './transfer.js'

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
  /** Kinds that the source holds and that are left out, because it was asked for, with how many they are. */
  readonly omitted: Readonly<Record<string, number>>
  /** Whether vectors are carried, or made anew by the target's model, or left out. */
  readonly vectors: 'carried' | 'remade' | 'none'
  readonly limits: BatchLimits
  /** Records that the target held when it was planned; they stay. */
  readonly present: number
  readonly bulk: boolean
  /** Kinds that are made for others that need them: the source has none. */
  readonly made: readonly RecordKind[]
}

/** What a plan will cost, told with it. */
export interface TransferOutlook {
  readonly records: number
  /** Records whose text the target's model has to embed; 0 where vectors are carried. */
  readonly toEmbed: number
}

/** The last four are those of a move of a store that is in use. */
export type TransferPhase = 'plan' | 'copy' | 'finish' | 'verify' | 'catch-up' | 'probe' | 'switch' | 'soak'

export interface TransferProgress {
  readonly phase: TransferPhase
  readonly records: number
  readonly total: number
  readonly bytes: number
}

/** A record that was not copied, by its key and a reason, never by content. */
export interface Quarantined extends RecordKey {
  readonly reason: string
}

export interface RecordKey {
  readonly kind: RecordKind
  readonly tenantId: string
  /** The conversation of a message, the namespace of a document, empty for others. */
  readonly scope: string
  readonly id: string
}

/** A record that differs between both sides. */
export interface TransferDifference extends RecordKey {
  readonly what: 'missing' | 'extra' | 'different'
  /** Names of fields that differ, without what they hold. */
  readonly fields: readonly string[]
}

export interface TransferVerification {
  readonly equal: boolean
  /** By kind: how many on each side. */
  readonly counts: Readonly<Record<string, { readonly source: number; readonly target: number }>>
  /** By kind: the sum of the records' digests on each side. */
  readonly digests: Readonly<Record<string, { readonly source: string; readonly target: string }>>
  /** The first of them, by key. */
  readonly differences: readonly TransferDifference[]
  /** How many there are. */
  readonly different: number
  /** Records of the source that cannot be carried: they are compared with nothing. */
  readonly unreadable: number
}

export interface TransferReport {
  readonly plan: TransferPlan
  /** By kind, those that were there already included. */
  readonly copied: Readonly<Record<string, number>>
  readonly present: number
  /** The first thousand. */
  readonly quarantined: readonly Quarantined[]
  readonly quarantinedCount: number
  readonly interrupted: boolean
  /** Everything is there: what was interrupted was at most the comparison. */
  readonly complete: boolean
  readonly resumed: boolean
  /** The source was written to while it was copied. */
  readonly sourceChanged: boolean
  readonly verified: TransferVerification | null
  /** Batches that were written again after the target had been away. */
  readonly recovered: number
  readonly seconds: number
}

/** What is asked of a transfer between two open ends. */
export interface TransferWishes {
  readonly kinds?: readonly RecordKind[] | undefined
  /** Leave out kinds that the target cannot hold. */
  readonly allowOmit?: boolean | undefined
  readonly tenantId?: string | undefined
  /** The target may hold other records, which stay. Without it a target that is not empty is refused. */
  readonly merge?: boolean | undefined
  /** Only the plan. */
  readonly dryRun?: boolean | undefined
  /** Only the comparison. */
  readonly verifyOnly?: boolean | undefined
  /** Default true. */
  readonly verify?: boolean | undefined
  /** Go on with the job that is there; without it such a job is an error that says so. */
  readonly resume?: boolean | undefined
  /** Take the job from a run that seems alive. */
  readonly force?: boolean | undefined
  /** Records that may be quarantined before the run ends. Default 0. */
  readonly quarantineLimit?: number | undefined
  /** Where what is quarantined is written, readable by its owner alone; content is written nowhere else. */
  readonly quarantineFile?: string | undefined
  /** The source is in use, and what is written to it is noted. */
  readonly online?: boolean | undefined
  /** Make vectors anew by the target's model. */
  readonly reembed?: boolean | undefined
  readonly limits?: Partial<BatchLimits> | undefined
  /** Milliseconds after which a silent run is taken for dead. Default 30,000. */
  readonly lease?: number | undefined
  /** Stops after the batch under way, at a checkpoint. */
  readonly signal?: AbortSignal | undefined
  /** Told before anything is written. */
  readonly onPlan?: ((plan: TransferPlan, outlook: TransferOutlook) => void) | undefined
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined
}

/** One end: a backend's URL with its options, or `archive:FILE`. */
export interface TransferEnd {
  readonly url: string
  readonly options?: Readonly<Record<string, unknown>> | undefined
}

export interface TransferOptions extends TransferWishes {
  readonly from: TransferEnd
  readonly to: TransferEnd
  /** Where jobs are kept of targets that keep none themselves. Default: a folder beside the user's other state. */
  readonly jobs?: string | undefined
}

/** What is asked of a move of a store that is in use: all of it is moved, and compared. */
export interface OnlineWishes
  extends Pick<
    TransferWishes,
    'dryRun' | 'resume' | 'force' | 'limits' | 'lease' | 'signal' | 'onPlan' | 'onProgress'
  > {
  /** Milliseconds for which the old store is kept up with the new one after the switch. Default 0: not at all. */
  readonly soak?: number | undefined
}

export interface OnlineOptions extends OnlineWishes {
  readonly from: TransferEnd
  readonly to: TransferEnd
}

export interface OnlineReport extends TransferReport {
  readonly online: {
    /** Records that were written while it was copied, and brought over. */
    readonly applied: number
    /** Milliseconds that writers waited. */
    readonly pause: number
    /** How often the switch was tried. */
    readonly attempts: number
    /** Questions that both sides answered alike. */
    readonly probes: number
    /** Whether the target has taken the source's place. */
    readonly moved: boolean
    /** Records that were brought back to the old store. */
    readonly soaked: number
  }
}

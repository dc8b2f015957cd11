/** `outage`: the store stands in for another one. `closing`: the last entries are being handed back, writes wait. */
export type JournalPhase = 'idle' | 'outage' | 'closing'

/** Known to every process that uses the store. `epoch` rises with every outage that begins or ends. */
export interface JournalState {
  readonly epoch: number
  readonly phase: JournalPhase
}

/**
 * `waiting` to be handed back; `done`, its records are still to be removed here; `parked`, it was refused for good;
 * `kept`: parked, and its records are removed.
 */
export type EntryState = 'waiting' | 'done' | 'parked' | 'kept'

/** One write, or one unit of several. */
export interface JournalEntry {
  readonly id: string
  readonly tenantId: string
  readonly epoch: number
  /** When it was written, by the memory's clock. */
  readonly createdAt: Date
  /** What it did: text that only the writer reads. */
  readonly what: string
}

export interface StoredEntry extends JournalEntry {
  /** Entries that touch the same record are in this order. */
  readonly seq: number
  readonly state: EntryState
  /** Why it is parked. */
  readonly reason: string | null
}

/** A unit that had entered was refused at its end: the state has changed, and nothing of it was written. */
export class JournalMoved extends Error {}

/** The journal inside a unit. */
export interface UnitJournal {
  /**
   * Whether the store is in this state; if it is, it stays so until the unit has ended, or the unit is refused at its end
   * by `JournalMoved` and leaves nothing.
   */
  enter(state: JournalState): Promise<boolean>
  /** Adds an entry that stands or falls with the unit. Called last in it, so that it lies behind what it depends on. */
  add(entry: JournalEntry): Promise<void>
}

export interface JournalCounts {
  readonly waiting: number
  /** `parked` and `kept`. */
  readonly parked: number
}

/** What was written to a store while it stood in for another one. Every method is atomic by itself. */
export interface Journal {
  /** Epoch 0, idle, where there never was an outage. */
  state(): Promise<JournalState>
  /**
   * Compares and sets; waits for units that have entered. With `drained`, only where nothing is waiting. Answers
   * whether it was done.
   */
  change(from: JournalState, to: JournalState, options?: { readonly drained?: boolean }): Promise<boolean>
  /** Takes or renews the lease for some milliseconds. Answers whether it is the owner's now. */
  lease(owner: string, milliseconds: number): Promise<boolean>
  /** Gives the lease back, where it is the owner's. */
  release(owner: string): Promise<void>
  /** Entries in one of these states, the oldest first. */
  read(states: readonly EntryState[], limit: number): Promise<StoredEntry[]>
  mark(entries: readonly StoredEntry[], state: EntryState, reason?: string): Promise<void>
  remove(entries: readonly StoredEntry[]): Promise<void>
  counts(): Promise<JournalCounts>
}

import type { RecordKind } from '../model/records.js'
import type { EmbeddingSpace } from './embedder.js'
import type { Carried } from './transfer.js'

/** A record that was written, and a number that another write of it changes. */
export interface Change {
  /** `operation`: what keeps an operation from running twice. */
  readonly kind: RecordKind | 'operation'
  readonly tenantId: string
  /** The conversation of a message, the namespace of a document, empty for others. */
  readonly scope: string
  readonly recordId: string
  readonly revision: number
}

export type ChangedKey = Omit<Change, 'revision'>

/** What changed records are now, all at one moment, with the users and conversations that they name. */
export interface Present {
  readonly records: readonly Carried[]
  /** Rows of operations in the order of their columns. */
  readonly operations: readonly (readonly unknown[])[]
  readonly gone: readonly ChangedKey[]
}

/**
 * How far a move is. `following`: what is written is noted; `closing`: it is about to move, whoever reads looks first;
 * `moved`: nothing is written here any more.
 */
export type MovePhase = 'following' | 'closing' | 'moved'

/** Milliseconds between two looks of those who use a store that is moved. A switch is announced for three of them. */
export const LOOK = 200

export interface Move {
  readonly phase: MovePhase
  /** Where it goes or went, without secrets. */
  readonly place: string
}

/** Notes what is written to a store while it is in use, and closes it. */
export interface TransferCapture {
  /** Null where it is not being moved. */
  move(): Promise<Move | null>
  /**
   * From when it answers on, every write of any process is noted. May be called again.
   *
   * @throws ConflictError where it is being moved to another place.
   */
  begin(place: string): Promise<void>
  /** Notes these too, whether they were written or not. */
  note(keys: readonly ChangedKey[]): Promise<void>
  /** Notes what keeps operations from running twice, all that there is. */
  noteOperations(): Promise<void>
  /** The oldest of what was noted. */
  changes(limit: number): Promise<readonly Change[]>
  present(changes: readonly ChangedKey[]): Promise<Present>
  /** Forgets what was noted, but for what was written again since. */
  done(changes: readonly Change[]): Promise<void>
  /** Forgets all that was noted. */
  clear(): Promise<void>
  /** The space of the vectors that are kept now. */
  space(): Promise<EmbeddingSpace | null>
  /** Tells those who read how far it is. */
  phase(phase: 'following' | 'closing'): Promise<void>
  /**
   * Keeps all writers out while the work is done; what was begun before has ended.
   *
   * @throws TimeoutError, retryable, where somebody kept it from beginning for too long; nobody waits any more.
   */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Inside `alone`: whoever writes from now on is told that it has moved. */
  moved(): Promise<void>
  /** Nothing is noted any more, and writers may write. */
  end(): Promise<void>
  close(): Promise<void>
}

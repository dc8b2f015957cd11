import type { TransferSide } from '../../contract/transfer.js'
import type { RecordKind } from '../../model/records.js'
import type { SqlStoreContext } from './context.js'
import type { SqlRunner, SqlSession } from './engine.js'
import type { Layout } from './transfer-layout.js'

/** What became of a row: `new`, there `present`ly already, or why the table did not take it. */
export type Loaded = 'new' | 'present' | { readonly reason: string }

/** How an engine takes rows. */
export interface TableLoader {
  write<T>(work: (session: SqlSession) => Promise<T>): Promise<T>
  /** Keeps other runs from the jobs until the transaction ends, where writers do not wait for one another anyway. */
  lockJobs?(session: SqlSession): Promise<void>
  /** Adds rows that are not there; revisions are drawn, but for a bulk load, which takes those of the rows. */
  load(
    session: SqlSession,
    layout: Layout,
    rows: readonly (readonly unknown[])[],
    bulk: boolean,
    sent?: () => void,
  ): Promise<Loaded[]>
  /** Whether `load` tells when rows were sent; where it does not, reading need not wait for it. */
  readonly tells?: true
  /** Makes rows what they are elsewhere, whether they are there or not, in place of others at the same position. */
  replace?(session: SqlSession, layout: Layout, rows: readonly (readonly unknown[])[]): Promise<void>
  /** Removes rows by their keys. */
  remove?(session: SqlSession, layout: Layout, keys: readonly (readonly string[])[]): Promise<void>
  /** Lets this transaction write where nobody may any more. Answers what to do at its end. */
  unfence?(session: SqlSession): Promise<() => Promise<void>>
  /** Vectors of a bulk load, whose rows bring their `seq`. Absent: there is no bulk load. */
  loadVectors?(session: SqlSession, rows: readonly BulkVector[]): Promise<void>
  /** Takes away what is dear to keep up while loading; answers what makes it again, or null where a table is not empty. */
  strip?(session: SqlSession): Promise<string | null>
  restore?(session: SqlSession, rebuild: string): Promise<void>
  /** Counters that go on above what was loaded, and what the planner knows. */
  settle(session: SqlSession): Promise<void>
  close(): Promise<void>
}

export interface BulkVector {
  readonly tenantId: string
  readonly space: string
  readonly kind: RecordKind
  readonly scope: string
  readonly recordId: string
  readonly userId: string | null
  readonly recordSeq: number
  readonly vector: Float32Array
  readonly hash: Uint8Array
}

export interface SqlTargetParts {
  readonly store: SqlStoreContext
  readonly runner: SqlRunner
  readonly loader: TableLoader
  readonly side: Pick<TransferSide, 'backend' | 'place' | 'schema'>
}

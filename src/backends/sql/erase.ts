import type {
  EraseMeans,
  EraseTarget,
  ErasureSubject,
  PartCounts,
  ScrubStep,
  VectorsByHash,
  WaitingPart,
} from '../../contract/erase.js'
import { checkShared, HAND_BACK } from '../../repository/erased-traces.js'
import type { SqlContext, SqlStoreContext } from './context.js'
import type { SqlRunner } from './engine.js'
import { RecordEraser } from './erase-records.js'
import { eraseStatements } from './erase-statements.js'
import { eraseJournal, eraseOperations } from './erase-traces.js'
import { FOLLOWER } from './vector-statements.js'

const OPERATIONS = 'bruno_operations'
const RESULTS = 'bruno_operations.result'
const JOURNAL = 'bruno_journal'

/** What differs between the engines. */
export interface SqlEraseParts {
  readonly name: string
  readonly store: SqlStoreContext
  readonly runner: (tenantId: string) => SqlRunner
  /** Around everything that is deleted. */
  readonly deleting?: (work: () => Promise<void>) => Promise<void>
  readonly scrub: (deadline: number) => Promise<readonly ScrubStep[]>
  readonly ages: () => Promise<readonly string[]>
}

/** An SQL store, from which a user or a tenant is erased while others use it. */
export class SqlEraseTarget implements EraseTarget {
  constructor(readonly parts: SqlEraseParts) {}

  get name(): string {
    return this.parts.name
  }
  get vectorsByHash(): VectorsByHash | null {
    const { cache } = this.parts.store.vectors.settings.embedder ?? {}
    return cache?.removeMany ? (cache as VectorsByHash) : null
  }

  #context({ tenantId }: ErasureSubject): SqlContext {
    const { store, runner } = this.parts
    return { ...store, tenantId, runner: runner(tenantId) }
  }

  async look(subject: ErasureSubject, began: number): Promise<PartCounts> {
    const context = this.#context(subject)
    const { userId, tenantId } = subject
    const { runner, engine } = context
    const s = eraseStatements(engine)
    const found: Record<string, number> = {}
    const look = runner.current ?? runner.read
    const { counts } = s.subject[userId === undefined ? 0 : 1] as (typeof s.subject)[number]
    for (const [what, statement] of Object.entries(counts)) {
      const [row] = await look(async (session) => session.all(statement, { tenantId, userId }))
      found[what] = row?.n ?? 0
    }
    if (userId === undefined) {
      for (const [what, statement] of [
        ['bruno_documents', s.countDocuments],
        [OPERATIONS, s.countOperations],
      ] as const)
        found[what] = (await look(async (session) => session.all(statement, { tenantId })))[0]?.n ?? 0
    } else {
      const { rows, results } = await eraseOperations(context, userId, began, false)
      found[OPERATIONS] = rows
      found[RESULTS] = results
    }
    found[JOURNAL] = (await eraseJournal(context, subject, false)).found
    return found
  }

  async erase(subject: ErasureSubject, means: EraseMeans): Promise<PartCounts> {
    const { deleting = (work) => work() } = this.parts
    const context = this.#context(subject)
    const eraser = new RecordEraser(context, subject, means)
    const { counts } = eraser
    const count = (what: string, n: number): void => {
      counts[what] = n
      if (n > 0) means.removed(n)
    }
    await deleting(async () => {
      // First of all: whose an entry is, is known by the records that it names.
      checkShared(await eraseJournal(context, subject, false))
      count(JOURNAL, (await eraseJournal(context, subject, true)).going)
      await eraser.run()
      if (subject.userId === undefined) count(OPERATIONS, await this.#drain(context, means, 'dropAllOperations'))
      else {
        const { rows, results } = await eraseOperations(context, subject.userId, means.began, true)
        count(OPERATIONS, rows)
        count(RESULTS, results)
      }
      count('bruno_outbox', await this.#drain(context, means, 'dropTold'))
    })
    return counts
  }

  async #drain(
    { engine, runner, tenantId }: SqlContext,
    { batch }: EraseMeans,
    name: 'dropAllOperations' | 'dropTold',
  ): Promise<number> {
    const statement = eraseStatements(engine)[name]
    for (let total = 0; ; ) {
      const n = await runner.write(async (session) => session.run(statement, { tenantId, limit: batch }))
      total += n
      if (n < batch) return total
    }
  }

  async waiting(subject: ErasureSubject): Promise<WaitingPart[]> {
    const { runner, engine, tenantId } = this.#context(subject)
    const statement = eraseStatements(engine).waiting[subject.userId === undefined ? 0 : 1]
    if (!statement) return []
    const rows = await (runner.current ?? runner.read)(async (session) => session.all(statement, { tenantId }))
    const { unknown } = await eraseJournal(this.#context(subject), subject, false)
    const entries = unknown > 0 ? [{ follower: HAND_BACK, records: unknown }] : []
    return [...rows.filter(({ follower }) => follower !== FOLLOWER), ...entries]
  }

  scrub(_subject: ErasureSubject, deadline: number): Promise<readonly ScrubStep[]> {
    return this.parts.scrub(deadline)
  }

  ages(): Promise<readonly string[]> {
    return this.parts.ages()
  }
}

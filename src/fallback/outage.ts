import type { BackendScope, UnitScope } from '../contract/backend.js'
import { JournalMoved } from '../contract/journal.js'
import { markDegraded } from '../repository/degraded.js'
import { OutageCursors } from './cursors.js'
import { writeWhat } from './entry.js'
import type { Member } from './member.js'
import { Recorder } from './recorder.js'
import { OutageEnded } from './refusal.js'
import { methodOf, type OutageVerb, verbsOf } from './verbs.js'

export interface OutageMeans {
  readonly clock: () => number
  readonly newId: () => string
}

/** Deletions that are remembered, to tell a record that is gone from one that was never here. */
const MAX_DELETED = 10_000

/** The time in which a backend stands in for the first one. */
export class Outage {
  readonly cursors: OutageCursors
  /** What the store offers. */
  readonly verbs: readonly OutageVerb[]
  readonly #deleted = new Set<string>()

  constructor(
    readonly member: Member,
    readonly epoch: number,
    readonly means: OutageMeans,
  ) {
    this.cursors = new OutageCursors(`f${member.index}`, epoch)
    this.verbs = verbsOf(member.capabilities)
  }

  /** What the store has: a part of what there is. */
  async read(scope: BackendScope | UnitScope, verb: OutageVerb, args: readonly unknown[]): Promise<unknown> {
    const { repository, name, cursors } = verb
    const given = cursors === null ? args : args.map((arg, i) => (i === cursors ? this.cursors.read(arg) : arg))
    const answer = await methodOf(scope, repository, name)(...given)
    return markDegraded(cursors === null ? answer : this.cursors.write(answer))
  }

  /** One verb that writes, as a unit. */
  write(tenantId: string, verb: OutageVerb, args: readonly unknown[], doubtful: boolean): Promise<unknown> {
    return this.#unit(tenantId, (scope, recorder) => recorder.write(scope, verb, args), doubtful)
  }

  /** A unit. `begin` is called when it is sure that the callback will run. */
  unit<T>(tenantId: string, work: (scope: UnitScope) => Promise<T>, begin: () => void): Promise<T> {
    return this.#unit(tenantId, (scope, recorder) => {
      begin()
      return work(recorder.scope(scope))
    })
  }

  async #unit<T>(
    tenantId: string,
    work: (scope: UnitScope, recorder: Recorder) => Promise<T>,
    doubtful = false,
  ): Promise<T> {
    const { member, epoch, means } = this
    let noted = 0
    const written = member.backend.unit(tenantId, async (scope) => {
      const { journal } = scope
      if (!journal || !(await journal.enter({ epoch, phase: 'outage' }))) throw new OutageEnded()
      const recorder = new Recorder(this, tenantId, doubtful)
      const answer = await work(scope, recorder)
      const { what } = recorder
      if (what.acts.length > 0 || what.operation) {
        const entry = { id: means.newId(), tenantId, epoch, createdAt: new Date(means.clock()), what: writeWhat(what) }
        await journal.add(entry)
        noted = 1
      }
      return answer
    })
    // Some stores look only at the end whether the outage still lasts.
    const result = await written.catch((error: unknown) => {
      throw error instanceof JournalMoved ? new OutageEnded() : error
    })
    member.counts = { ...member.counts, waiting: member.counts.waiting + noted }
    return result
  }

  deleted(key: string): void {
    if (this.#deleted.size >= MAX_DELETED) this.#deleted.clear()
    this.#deleted.add(key)
  }

  wasDeleted(key: string): boolean {
    return this.#deleted.has(key)
  }
}

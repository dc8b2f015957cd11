import type { OperationStore, UnitScope } from '../contract/backend.js'
import { ConflictError, NotFoundError } from '../errors.js'
import { markDegraded } from '../repository/degraded.js'
import { type Act, type EntryOperation, type Made, plainArguments, type What } from './entry.js'
import { filled, fillOf } from './fill.js'
import type { Outage } from './outage.js'
import { inAbsentBackend } from './refusal.js'
import { type Prepared, prepareWrite, UNKNOWN_USER } from './stubs.js'
import { KIND_OF, methodOf, type OutageVerb, type RepositoryName } from './verbs.js'

/** Runs what a unit does on the store that stands in, and notes it for the journal. */
export class Recorder {
  readonly #acts: Act[] = []
  readonly #made: Made[] = []
  #operation: EntryOperation | undefined

  constructor(
    readonly outage: Outage,
    readonly tenantId: string,
    /** Whether it is not known what became of the write elsewhere. */
    readonly doubtful: boolean,
  ) {}

  get what(): What {
    return { acts: this.#acts, made: this.#made, operation: this.#operation }
  }

  async write(scope: UnitScope, verb: OutageVerb, given: readonly unknown[]): Promise<unknown> {
    const { repository, name } = verb
    const fill = fillOf(repository, name)
    const plain = plainArguments(given)
    const args = fill ? filled(plain, fill, this.outage.means.newId) : plain
    const prepared = await prepareWrite(scope, this, { repository, name, args })
    try {
      const answer = await this.#perform(scope, verb, prepared)
      this.#acts.push({ repository, name, args: prepared.recorded })
      this.#made.push(...prepared.made)
      if (name === 'delete') this.outage.deleted(this.#key(repository, args))
      return markDegraded(answer)
    } catch (error) {
      if (!(error instanceof NotFoundError) || this.outage.wasDeleted(this.#key(repository, args))) throw error
      throw inAbsentBackend(error.kind, this.doubtful ? 'unknown' : 'none')
    }
  }

  async #perform(scope: UnitScope, { repository, name }: OutageVerb, { args, stub }: Prepared): Promise<unknown> {
    if (stub === undefined) return methodOf(scope, repository, name)(...args)
    return scope.savepoint(async (outer) => {
      try {
        await outer.savepoint(async (inner) => {
          await inner.conversations?.create({ id: stub, userId: UNKNOWN_USER })
        })
      } catch (error) {
        // Another unit has just made it.
        if (!(error instanceof ConflictError)) throw error
      }
      return methodOf(outer, repository, name)(...args)
    })
  }

  #key(repository: RepositoryName, args: readonly unknown[]): string {
    const parts = repository === 'messages' || repository === 'documents' ? args.slice(0, 2) : args.slice(0, 1)
    return JSON.stringify([this.tenantId, KIND_OF[repository], ...parts])
  }

  /** The scope that a unit's callback is given. */
  scope(scope: UnitScope): UnitScope {
    const repositories: Record<string, Record<string, unknown>> = {}
    for (const verb of this.outage.verbs) {
      if (!scope[verb.repository]) continue
      const run = (...args: unknown[]) =>
        verb.writes ? this.write(scope, verb, args) : this.outage.read(scope, verb, args)
      repositories[verb.repository] = { ...repositories[verb.repository], [verb.name]: run }
    }
    const { search, statistics, operations } = scope
    return {
      ...repositories,
      ...(search && { search: async (query) => markDegraded(await search(query)) }),
      ...(statistics && { statistics: async (options) => markDegraded(await statistics(options)) }),
      ...(operations && { operations: this.#operations(operations) }),
      savepoint: (work) => this.#savepoint(scope, work),
    } as UnitScope
  }

  async #savepoint<T>(scope: UnitScope, work: (scope: UnitScope) => Promise<T>): Promise<T> {
    const [acts, made] = [this.#acts.length, this.#made.length]
    try {
      return await scope.savepoint((inner) => work(this.scope(inner)))
    } catch (error) {
      this.#acts.length = acts
      this.#made.length = made
      throw error
    }
  }

  /** The operation is claimed in the first backend too, when the entry is handed back. */
  #operations(operations: OperationStore): OperationStore {
    return {
      claim: async (id, fingerprint) => {
        const stored = await operations.claim(id, fingerprint)
        if (!stored) this.#operation = { id, fingerprint, result: null, records: [] }
        return stored
      },
      finish: async (id, result, records) => {
        await operations.finish(id, result, records)
        if (this.#operation?.id === id) this.#operation = { ...this.#operation, result, records }
      },
    }
  }
}

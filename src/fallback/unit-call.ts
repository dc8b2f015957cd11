import type { Backend, StoredOperation, UnitScope } from '../contract/backend.js'
import { ConnectionError } from '../errors.js'
import { Call } from './call.js'
import type { Outage } from './outage.js'
import { OutageEnded, operationInDoubt } from './refusal.js'

/** Operations of units whose outcome on the first backend is not known. */
export class Doubts {
  readonly #ids = new Set<string>()

  add(tenantId: string, operationId: string): void {
    if (this.#ids.size >= 10_000) this.#ids.clear()
    this.#ids.add(JSON.stringify([tenantId, operationId]))
  }

  check(tenantId: string, operationId: string): void {
    if (this.#ids.size > 0 && this.#ids.has(JSON.stringify([tenantId, operationId]))) throw operationInDoubt()
  }

  delete(tenantId: string, operationId: string): void {
    if (this.#ids.size > 0) this.#ids.delete(JSON.stringify([tenantId, operationId]))
  }
}

/** A unit: once its callback has begun it cannot be run again elsewhere. */
export class UnitCall<T> extends Call<T> {
  #begun = false

  constructor(
    readonly tenantId: string,
    readonly work: (scope: UnitScope) => Promise<T>,
    readonly doubts: Doubts,
  ) {
    super()
  }

  override get begun(): boolean {
    return this.#begun
  }

  async onFirst(backend: Backend): Promise<T> {
    const { attempt, tenantId } = this
    let claimed: string | null = null
    try {
      return await backend.unit(tenantId, (scope) => {
        // It was taken elsewhere while it waited for its turn.
        if (this.attempt !== attempt) throw new OutageEnded()
        this.#begun = true
        return this.work(
          noting(scope, (id) => {
            claimed = id
            this.doubts.delete(tenantId, id)
          }),
        )
      })
    } catch (error) {
      if (claimed !== null && error instanceof ConnectionError && error.outcome === 'unknown')
        this.doubts.add(tenantId, claimed)
      throw error
    }
  }

  inOutage(outage: Outage): Promise<T> {
    const { attempt } = this
    const begin = () => {
      if (this.attempt !== attempt) throw new OutageEnded()
      this.#begun = true
    }
    return outage.unit(
      this.tenantId,
      (scope) => this.work(noting(scope, (id) => this.doubts.check(this.tenantId, id))),
      begin,
    )
  }
}

function noting(scope: UnitScope, note: (operationId: string) => void): UnitScope {
  const { operations } = scope
  if (!operations) return scope
  return {
    ...scope,
    operations: {
      claim: (id, fingerprint): Promise<StoredOperation | null> => {
        note(id)
        return operations.claim(id, fingerprint)
      },
      finish: (id, result, records) => operations.finish(id, result, records),
    },
  }
}

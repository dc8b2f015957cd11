import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import type { Carried } from '../contract/transfer.js'
import type { Quarantined } from '../contract/transfer-plan.js'
import { ConfigurationError, StorageError } from '../errors.js'

const TOLD = 1000

/** Records that were not taken: counted, named, and written whole only to a file that its owner alone can read. */
export class Quarantine {
  readonly told: Quarantined[] = []
  #count: number
  #file: number | null = null

  constructor(
    readonly limit: number,
    readonly path: string | undefined,
    before: number,
  ) {
    this.#count = before
  }

  get count(): number {
    return this.#count
  }

  /** @throws StorageError where they are more than may be: nothing of their batch is stored. */
  check(more: readonly Quarantined[]): void {
    if (this.#count + more.length <= this.limit) return
    const [first] = more
    const named = first
      ? `: ${first.kind} ${JSON.stringify([first.tenantId, first.scope, first.id])}, ${first.reason}`
      : ''
    throw new StorageError(
      `${this.#count + more.length} records cannot be moved, and ${this.limit} may be${named}; mend them, or set them apart with --quarantine-limit and --quarantine`,
    )
  }

  add(more: readonly Quarantined[], records: readonly Carried[]): void {
    if (more.length === 0) return
    this.#count += more.length
    this.told.push(...more.slice(0, TOLD - this.told.length))
    if (this.path === undefined) return
    try {
      // Its mode does not change one that is there already: that one is refused.
      this.#file ??= openSync(this.path, 'ax', 0o600)
      const lines = more.map((each, i) => JSON.stringify({ ...each, record: records[i]?.record, row: records[i]?.row }))
      writeSync(this.#file, `${lines.join('\n')}\n`)
      fsyncSync(this.#file)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
        throw new ConfigurationError(`the quarantine file ${this.path} is there already: name another`, { cause })
      throw new StorageError(`the quarantine file ${this.path} cannot be written`, { cause })
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }
}

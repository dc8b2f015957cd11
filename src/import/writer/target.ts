import type { TenantMemory, UnitOfWork } from '../../contract/memory.js'
import type { Repositories } from '../../contract/repositories.js'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.js'
import type { Checks } from '../../model/check.js'
import type { Tally } from '../tally.js'
import type { RecordItem } from '../types.js'

export interface ApplyOptions {
  /** Bring records that exist with other content to what the file says. */
  readonly overwrite: boolean
  readonly dryRun: boolean
  readonly checks: Checks
}

/** Where one batch goes: a unit, or in a dry run the store as it is, read only. */
export class Target {
  constructor(
    /** For reading; null where there is no store yet. */
    readonly reads: Repositories | null,
    readonly unit: UnitOfWork | null,
    readonly tally: Tally,
    readonly options: ApplyOptions,
  ) {}

  static inUnit = (unit: UnitOfWork, tally: Tally, options: ApplyOptions): Target =>
    new Target(unit, unit, tally, options)
  static dry = (memory: TenantMemory | null, tally: Tally, options: ApplyOptions): Target =>
    new Target(memory, null, tally, options)

  /** Writes between a savepoint and its release: what fails leaves nothing behind, and the batch goes on. */
  async write(work: (unit: UnitOfWork) => Promise<unknown>): Promise<void> {
    if (this.unit) await this.unit.unitOfWork(work)
  }

  refuse(item: RecordItem, field: string, reason: string): void {
    this.tally.find({ outcome: 'refused', kind: item.kind, field, reason, place: item.place })
  }

  conflict(item: RecordItem, field: string, reason: string): void {
    this.tally.find({ outcome: 'conflict', kind: item.kind, field, reason, place: item.place })
  }

  /** What the door would say to this record, or null. */
  problem(item: RecordItem): ValidationError | null {
    const { checks } = this.options
    try {
      if (item.kind === 'user') checks.newUser(item.input)
      else if (item.kind === 'conversation') checks.newConversation(item.input)
      else if (item.kind === 'message') checks.newMessages([item.input])
      else if (item.kind === 'session') checks.newSession(item.input)
      else if (item.kind === 'memory') checks.newMemory(item.input)
      else checks.newDocuments([item.input])
      return null
    } catch (error) {
      if (error instanceof ValidationError) return error
      throw error
    }
  }

  /** Refuses a record for an error that is about the record; any other error ends the import. */
  refuseFor(item: RecordItem, error: unknown): void {
    if (error instanceof ValidationError) this.refuse(item, ownField(error.field), error.problem)
    else if (error instanceof NotFoundError) this.refuse(item, error.kind, 'does not exist, or belongs to another user')
    else if (error instanceof ConflictError) this.conflict(item, 'id', error.message)
    // What is not checked before it is compared: JSON nested some ten thousand levels deep.
    else if (error instanceof RangeError)
      this.refuse(item, 'record', 'is nested too deeply or holds a number too large')
    else throw error
  }
}

/** `content` of `messages[3].content`: the place says which record it was. */
export const ownField = (field: string): string =>
  field.replace(/^(messages|memories|documents)\[\d+\]\.?/, '') || 'record'

/** 3 of `messages[3].content`, or null. */
export const indexOf = (error: ValidationError): number | null => {
  const found = /^(?:messages|memories|documents)\[(\d+)\]/.exec(error.field)?.[1]
  return found === undefined ? null : Number(found)
}

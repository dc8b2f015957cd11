import type { Carried } from '../contract/transfer.js'
import type { Quarantined, TransferPlan } from '../contract/transfer-plan.js'
import { newConversation, unknownUser } from '../repository/new-records.js'
import { keyOf } from './keys.js'

/** Of messages whose user nobody knows. */
const NOBODY = 'unknown'
const REMEMBERED = 100_000

/** A batch as a target takes it, and what it cannot take. */
export interface Normalised {
  readonly records: readonly Carried[]
  readonly faults: readonly Quarantined[]
  /** The records of the faults, for the file of its owner. */
  readonly faulty: readonly Carried[]
}

/** Makes batches fit a target: no record at fault, no vector that is not wanted, nobody named who is not there. */
export class Normaliser {
  readonly #made = new Set<string>()
  constructor(readonly plan: Pick<TransferPlan, 'vectors' | 'made'>) {}

  take(records: readonly Carried[]): Normalised {
    const fine = records.filter((carried) => carried.fault === undefined)
    const faulty = records.filter((carried) => carried.fault !== undefined)
    const wanted = this.plan.vectors === 'carried' ? fine : fine.map(withoutVector)
    const faults = faulty.map((carried) => ({ ...keyOf(carried), reason: carried.fault ?? '' }))
    return { records: [...this.#needed(wanted), ...wanted], faults, faulty }
  }

  /** Users and conversations that a source keeps no records of. */
  #needed(records: readonly Carried[]): Carried[] {
    const { made } = this.plan
    if (made.length === 0) return []
    const users: Carried[] = []
    const conversations: Carried[] = []
    if (this.#made.size > REMEMBERED) this.#made.clear()
    for (const carried of records) {
      const { record } = carried
      const userId =
        carried.kind === 'message' ? (carried.holder ?? NOBODY) : 'userId' in record ? String(record.userId) : null
      if (userId === null) continue
      const making = { tenantId: record.tenantId, clock: () => record.createdAt.getTime(), newId: () => '' }
      if (made.includes('user') && this.#once('user', record.tenantId, userId))
        users.push({ kind: 'user', record: unknownUser(making, userId), vector: null, made: true })
      if (carried.kind !== 'message' || !made.includes('conversation')) continue
      const { conversationId } = carried.record
      if (this.#once('conversation', record.tenantId, conversationId))
        conversations.push({
          kind: 'conversation',
          record: newConversation(making, { id: conversationId, userId }),
          vector: null,
          made: true,
        })
    }
    return [...users, ...conversations]
  }

  #once(kind: string, tenantId: string, id: string): boolean {
    const key = JSON.stringify([kind, tenantId, id])
    if (this.#made.has(key)) return false
    this.#made.add(key)
    return true
  }
}

/** The record is not made for it: rows are moved as they are. */
function withoutVector(carried: Carried): Carried {
  if (carried.vector === null) return carried
  const { kind, holder, made, row } = carried
  return {
    kind,
    get record() {
      return carried.record
    },
    vector: null,
    holder,
    made,
    row,
  } as Carried
}

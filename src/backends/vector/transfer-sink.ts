import type {
  Carried,
  Refusal,
  TransferScope,
  TransferSide,
  TransferSink,
  WriteOutcome,
} from '../../contract/transfer.js'
import { SEARCH_KINDS, type SearchKind } from '../../model/records.js'
import { newRevision } from './context.js'
import { embed } from './embedding.js'
import { type HolderOf, toPoint } from './point.js'
import { countOf, sideOf, type VectorEnd } from './transfer-end.js'
import type { TenantWrite } from './transfer-engine.js'
import { checkRecords, type Taken, takenOf, textOf } from './transfer-records.js'

const keysOf = (items: readonly Taken[]): string[] => items.map(({ key }) => key)

/** Items by a name of theirs. */
function grouped<N extends string>(items: readonly Taken[], nameOf: (item: Taken) => N): Map<N, Taken[]> {
  const groups = new Map<N, Taken[]>()
  for (const item of items) {
    const name = nameOf(item)
    const group = groups.get(name)
    if (group) group.push(item)
    else groups.set(name, [item])
  }
  return groups
}

function writeOf<K extends SearchKind>({ carried, embedded }: Taken): TenantWrite {
  const { record, holder = null } = carried
  const { vector, hash } = embedded as NonNullable<Taken['embedded']>
  const kind = carried.kind as K
  const holding = (kind === 'message' ? holder : null) as HolderOf<K>
  const point = toPoint(kind, record as never, holding, { revision: newRevision(), hash })
  return { tenantId: record.tenantId, write: { point, vector, guard: 'absent' } }
}

/** Writes records where nothing is: what is there stays, so that a batch may come again. */
export class VectorSink implements TransferSink {
  readonly #end: VectorEnd
  constructor(end: VectorEnd) {
    this.#end = end
  }

  async describe(): Promise<TransferSide> {
    return sideOf(this.#end)
  }

  count(scope: TransferScope): Promise<number> {
    return countOf(this.#end, scope)
  }

  /** @throws ConfigurationError where the store is the index of another memory. */
  async open(): Promise<void> {
    checkRecords(await this.#end.engine.sample())
  }

  async write(records: readonly Carried[]): Promise<WriteOutcome> {
    const { space, embedder } = this.#end
    const refused: Refusal[] = []
    const items = new Map<string, Taken>()
    for (const [index, carried] of records.entries()) {
      const taken = takenOf(carried, space, embedder !== null)
      if (typeof taken === 'string') refused.push({ index, reason: taken })
      else if (!items.has(taken.key)) items.set(taken.key, taken)
    }
    const written = await this.#put(await this.#embedded([...items.values()]))
    return { written, present: records.length - refused.length - written, refused }
  }

  /** The items that are to be written, with vectors: of what is there already none is made. */
  async #embedded(items: readonly Taken[]): Promise<Taken[]> {
    const bare = items.filter(({ embedded }) => embedded === null)
    if (bare.length === 0) return [...items]
    const there = await this.#there(bare)
    const missing = bare.filter(({ key }) => !there.has(key))
    const made = await embed(
      this.#end,
      missing.map(({ carried }) => ({ text: textOf(carried), own: null })),
    )
    const whole = items.filter(({ embedded }) => embedded !== null)
    return [
      ...whole,
      ...missing.map((item, i) => ({ ...item, embedded: made[i] as NonNullable<(typeof made)[number]> })),
    ]
  }

  /** Which of these keys have points. */
  async #there(items: readonly Taken[]): Promise<Set<string>> {
    const there = new Set<string>()
    for (const [tenantId, ofTenant] of grouped(items, ({ carried }) => carried.record.tenantId))
      for (const [kind, some] of grouped(ofTenant, ({ carried }) => carried.kind))
        for (const { key } of await this.#end.points(tenantId).fetch(kind, keysOf(some))) there.add(key)
    return there
  }

  /** Answers how many were written. */
  async #put(items: readonly Taken[]): Promise<number> {
    let written = 0
    const kinds = grouped(items, ({ carried }) => carried.kind)
    for (const kind of SEARCH_KINDS) {
      const some = kinds.get(kind) ?? []
      if (some.length === 0) continue
      const there = await this.#end.engine.put(kind, some.map(writeOf))
      written += some.length - there.size
    }
    return written
  }

  /** Nothing is left to the end. */
  async finish(): Promise<void> {}

  /** The backend is closed by whoever opened it. */
  async close(): Promise<void> {}
}

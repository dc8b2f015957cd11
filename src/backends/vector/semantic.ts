import type { EmbeddingSpace } from '../../contract/embedder.js'
import type {
  FollowedRecord,
  FollowedState,
  NearQuestion,
  NearVector,
  SemanticSearch,
  SemanticTarget,
} from '../../contract/follow.js'
import { unitVector } from '../../embeddings/unit.js'
import { ConflictError, StorageError } from '../../errors.js'
import type { MemoryEntry, Message, SearchKind } from '../../model/records.js'
import { conditionsOf } from './conditions.js'
import { FIELDS, keyOf } from './point.js'
import type { FollowWrite, Point, VectorStore } from './store.js'

/** What of a record is kept beside what it is found by: the record itself is the primary's. */
interface Rest {
  readonly seq: number
}

/**
 * The record's row, as its point has it.
 *
 * @throws StorageError where the point is another memory's.
 */
export function seqOf(rest: string): number {
  try {
    const { seq } = JSON.parse(rest) as Partial<Rest>
    if (typeof seq === 'number') return seq
  } catch {
    // A JSON error quotes the text: it must not become the cause.
  }
  throw new StorageError('a stored point cannot be read')
}

const scopeOf = (kind: SearchKind, { fields }: Pick<Point, 'fields'>): string =>
  (kind === 'message' ? fields.conversation : fields.namespace) ?? ''

function fieldsOf({ kind, record, holder }: FollowedRecord) {
  if (kind === 'message') return FIELDS.message(record as Message, holder ?? '')
  if (kind === 'memory') return FIELDS.memory(record as MemoryEntry, null)
  return FIELDS.document(record as Parameters<typeof FIELDS.document>[0], null)
}

/** A vector store that follows a primary: found by what records are, it answers which they are. */
export class SemanticIndex implements SemanticSearch, SemanticTarget {
  constructor(
    readonly store: VectorStore,
    readonly space: EmbeddingSpace,
    readonly options: { readonly clock: () => number; readonly callTimeout: number },
  ) {}

  get sideBySide(): boolean {
    return this.store.followsSideBySide
  }
  get callTimeout(): number {
    return this.options.callTimeout
  }

  #indexed(vector: Float32Array): Float32Array {
    return this.space.metric === 'cosine' ? unitVector(vector) : vector
  }

  async nearest(tenantId: string, kind: SearchKind, question: NearQuestion): Promise<NearVector[]> {
    const { filter, limit, exact, now } = question
    const alive = filter.includeExpired || kind === 'message' ? [] : [{ alive: now }]
    const where = [...conditionsOf(kind, filter), ...alive, { embedded: true } as const]
    const vector = this.#indexed(question.vector)
    const found = await this.store.tenant(tenantId).nearest({ kind, where, vector, limit, exact, identity: true })
    return found.map(({ point, distance }) => ({
      id: point.fields.id,
      scope: scopeOf(kind, point),
      seq: seqOf(point.rest),
      distance,
    }))
  }

  async bring(states: readonly FollowedState[]): Promise<void> {
    const groups = new Map<string, FollowedState[]>()
    for (const state of states) {
      const name = JSON.stringify([state.tenantId, state.kind])
      const group = groups.get(name)
      if (group) group.push(state)
      else groups.set(name, [state])
    }
    await Promise.all([...groups.values()].map((group) => this.#bring(group)))
  }

  async #bring(states: readonly FollowedState[]): Promise<void> {
    const [{ tenantId, kind }] = states as readonly [FollowedState]
    const scope = this.store.tenant(tenantId)
    const writes = states.map((state) => this.#write(state))
    await scope.follow(kind, writes)
    if (this.sideBySide) return
    // The engine decides nothing by itself: a late write of another process may have come after ours.
    const revisions = new Map((await scope.fetch(kind, writes.map(keyOfWrite))).map((p) => [p.key, p.revision]))
    for (const write of writes) {
      const there = revisions.get(keyOfWrite(write))
      const wanted = 'gone' in write ? undefined : write.point.revision
      if (there !== wanted && (there ?? 0) <= (wanted ?? write.revision))
        throw new ConflictError('another process writes to the semantic store', { retryable: true })
    }
  }

  #write(state: FollowedState): FollowWrite & { readonly revision: number } {
    const { tenantId, kind, scope, id, revision } = state
    const key = keyOf(tenantId, kind, scope, id)
    if (state.vector === null) return { revision, gone: { key, revision, at: this.options.clock() } }
    const point: Point = {
      key,
      fields: fieldsOf(state),
      content: '',
      rest: JSON.stringify({ seq: state.seq } satisfies Rest),
      revision,
      earlier: [],
      hash: state.hash.toString('hex'),
    }
    return { revision, point, vector: this.#indexed(state.vector) }
  }

  async forget(before: number): Promise<void> {
    await this.store.forgetTombstones(before)
  }
}

const keyOfWrite = (write: FollowWrite): string => ('gone' in write ? write.gone.key : write.point.key)

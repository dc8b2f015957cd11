import type { Condition, FollowScope, VectorStore } from '../backends/vector/store.js'
import type { EraseMeans, EraseTarget, ErasureSubject, ScrubStep } from '../contract/erase.js'
import type { Followed } from '../contract/follow.js'
import { BrunoMemoryError } from '../errors.js'
import { SEARCH_KINDS, type SearchKind } from '../model/records.js'
import type { SemanticMember } from './semantic-member.js'

interface SemanticErasing {
  readonly semantic: SemanticMember
  readonly followed: Followed
  /** Builds the collections anew from what the primary has, and deletes the old ones. */
  readonly rebuild: () => Promise<unknown>
}

const NAMES: { readonly [K in SearchKind]: string } = { message: 'messages', memory: 'memories', document: 'documents' }

/** Documents belong to no user. */
const kindsOf = ({ userId }: ErasureSubject): readonly SearchKind[] =>
  userId === undefined ? SEARCH_KINDS : ['message', 'memory']

const conditionsOf = ({ userId }: ErasureSubject): Condition[] =>
  userId === undefined ? [] : [{ field: 'user', in: [userId] }]

async function removeAll(scope: FollowScope, kind: SearchKind, subject: ErasureSubject, means: EraseMeans) {
  const where = conditionsOf(subject)
  for (;;) {
    const query = { kind, where, order: ['created'], descending: false, after: null, limit: means.batch } as const
    const keys = (await scope.page(query)).map(({ key }) => key)
    if (keys.length === 0) return
    await scope.remove(kind, keys)
    means.removed(keys.length)
  }
}

/**
 * What a semantic store has of a subject. Most is gone when the primary's records are, for it follows them; what it has
 * beyond is removed here. Collections keep what was deleted until they are built anew.
 */
export function semanticEraseTarget({ semantic, followed, rebuild }: SemanticErasing): EraseTarget {
  const storeOf = (): Promise<VectorStore> => semantic.store()
  const [name = 'semantic'] = semantic.parts.place.split(' ')
  return {
    name,
    async look(subject) {
      const scope = (await storeOf()).tenant(subject.tenantId)
      const counts: Record<string, number> = {}
      for (const kind of kindsOf(subject)) counts[NAMES[kind]] = await scope.count(kind, conditionsOf(subject))
      return counts
    },
    async erase(subject, means) {
      const before = await this.look(subject, means.began)
      const store = await storeOf()
      if (subject.userId === undefined) await store.eraseTenant(subject.tenantId)
      else for (const kind of kindsOf(subject)) await removeAll(store.tenant(subject.tenantId), kind, subject, means)
      return before
    },
    async waiting({ tenantId }) {
      const { name: follower } = semantic.follower
      return [{ follower, records: await followed.waiting(tenantId, follower) }]
    },
    scrub: () => scrubbed('collections built anew', rebuild),
    ages: async () => ['snapshots and backups of the server, and replicas that are away'],
  }
}

async function scrubbed(what: string, work: () => Promise<unknown>): Promise<ScrubStep[]> {
  try {
    await work()
    return [{ what, done: true, reason: null }]
  } catch (error) {
    const reason = error instanceof BrunoMemoryError ? error.message : 'it failed in a way that is not known'
    return [{ what, done: false, reason }]
  }
}

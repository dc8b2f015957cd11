import type { BackendScope, UnitScope } from '../contract/backend.js'

type Method = (...args: never[]) => Promise<unknown>
type Repository = 'users' | 'conversations' | 'messages' | 'sessions' | 'memories' | 'documents'

/** What a call changes: conversations by id, nothing that has a conversation, or anything. */
type Reach = (args: readonly unknown[]) => readonly string[] | null

const texts = (value: unknown): string[] => (typeof value === 'string' ? [value] : [])

const conversation: Reach = ([id]) => texts(id)
const records: Reach = () => []
const anything: Reach = () => null
/** One that is named may have been asked for before it was there. */
const branch: Reach = ([, , options]) => texts((options as { readonly id?: unknown } | undefined)?.id)

/** The verbs that change what others are told of. Sessions are never answered from a cache. */
const WRITES: { readonly [R in Repository]?: Readonly<Record<string, Reach>> } = {
  users: { delete: anything },
  conversations: { update: conversation, delete: conversation },
  messages: {
    append: conversation,
    upsert: conversation,
    update: conversation,
    delete: conversation,
    clear: conversation,
    branch,
  },
  memories: { add: records, addMany: records, update: records, delete: records, recall: records },
  documents: { upsert: records, delete: records, deleteNamespace: records },
}

/** What was changed: conversations by id; null for anything. */
export type Changed = (conversations: readonly string[] | null) => Promise<void> | undefined

/** Tells of a change once it is made. One that failed may have been stored all the same, and nobody waits for it. */
export async function toldAfter<T>(work: Promise<T>, tell: () => Promise<void> | undefined): Promise<T> {
  const answer = await work.catch((error: unknown) => {
    tell()?.catch(() => undefined)
    throw error
  })
  await tell()
  return answer
}

/** The same repositories, and somebody is told of what is changed through them, once it is. */
export function watched<S extends BackendScope>(scope: S, changed: Changed): S {
  const told: Record<string, unknown> = { ...scope }
  for (const [name, verbs] of Object.entries(WRITES)) {
    const repository = scope[name as Repository] as unknown as Record<string, Method> | undefined
    if (!repository) continue
    const own: Record<string, Method> = { ...repository }
    for (const [verb, reach] of Object.entries(verbs)) {
      const method = repository[verb]
      if (!method) continue
      own[verb] = async (...args) => toldAfter(method.apply(repository, args), () => changed(reach(args)))
    }
    told[name] = own
  }
  return told as S
}

/** The same of a unit, with all the savepoints in it. */
export const watchedUnit = (unit: UnitScope, changed: Changed): UnitScope => ({
  ...watched(unit, changed),
  savepoint: (work) => unit.savepoint((inner) => work(watchedUnit(inner, changed))),
})

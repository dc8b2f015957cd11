import type { Repositories } from '../contract/repositories.js'
import type { RecordKind } from '../model/records.js'

export interface Verb {
  /** Where its options stand, if an `operationId` may be in them. */
  readonly options?: number
  /** What its answer is made of, if it writes records. */
  readonly answers?: RecordKind
  readonly many?: true
  /** Names that its options may have, where the repository does not look itself. */
  readonly names?: readonly string[]
}

const read: Verb = {}
const write = (options: number, answers?: RecordKind, names: readonly string[] = ['operationId']): Verb =>
  answers ? { options, answers, names } : { options, names }
const update = (options: number, answers: RecordKind): Verb => write(options, answers, ['operationId', 'version'])
const own = (options: number, answers?: RecordKind, many = false): Verb =>
  ({ options, ...(answers && { answers }), ...(many && { many: true }) }) as Verb

export type StoredRepositories = Omit<Repositories, 'cache'>

/** Every verb of every repository that a backend implements; `each` is made from `list`. */
export const VERBS: {
  readonly [R in keyof StoredRepositories]: { readonly [V in Exclude<keyof StoredRepositories[R], 'each'>]: Verb }
} = {
  users: { create: write(1, 'user'), get: read, update: update(2, 'user'), delete: write(1), list: read },
  conversations: {
    create: write(1, 'conversation'),
    get: read,
    update: update(2, 'conversation'),
    delete: write(1),
    list: read,
  },
  messages: {
    append: own(2, 'message', true),
    upsert: own(2, 'message', true),
    get: read,
    list: read,
    update: update(3, 'message'),
    delete: write(2),
    clear: own(1),
    branch: own(2, 'conversation'),
    turnCount: read,
  },
  sessions: {
    create: write(1, 'session'),
    get: read,
    update: update(2, 'session'),
    touch: read,
    end: write(1, 'session'),
    delete: write(1),
    latest: read,
    list: read,
  },
  memories: {
    add: write(1, 'memory'),
    addMany: { ...write(1, 'memory'), many: true },
    get: read,
    update: update(2, 'memory'),
    delete: write(1),
    list: read,
    recall: read,
  },
  documents: {
    upsert: { ...write(1, 'document'), many: true },
    get: read,
    delete: write(2),
    deleteNamespace: read,
    list: read,
    namespaces: read,
  },
}

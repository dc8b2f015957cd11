import type { Capabilities } from '../contract/capabilities.js'
import type { RecordKind } from '../model/records.js'
import { type StoredRepositories, VERBS } from '../unit/verbs.js'

export type RepositoryName = keyof StoredRepositories
/** A verb as a repository has it, whatever it takes and answers. */
export type Method = (...args: unknown[]) => Promise<unknown>

export interface OutageVerb {
  readonly repository: RepositoryName
  readonly name: string
  readonly writes: boolean
  /** Where its options stand, if cursors may be in them. */
  readonly cursors: number | null
}

export const KIND_OF: { readonly [R in RepositoryName]: RecordKind } = {
  users: 'user',
  conversations: 'conversation',
  messages: 'message',
  sessions: 'session',
  memories: 'memory',
  documents: 'document',
}

/** What is written in the journal. That a memory was used (`recall`) is not. */
const WRITES: { readonly [R in RepositoryName]: readonly string[] } = {
  users: ['create', 'update', 'delete'],
  conversations: ['create', 'update', 'delete'],
  messages: ['append', 'upsert', 'update', 'delete', 'clear', 'branch'],
  sessions: ['create', 'update', 'touch', 'end', 'delete'],
  memories: ['add', 'addMany', 'update', 'delete'],
  documents: ['upsert', 'delete', 'deleteNamespace'],
}
const CURSORS: Readonly<Record<string, number>> = {
  'users.list': 0,
  'conversations.list': 0,
  'messages.list': 1,
  'messages.clear': 1,
  'sessions.list': 0,
  'memories.list': 0,
  'documents.list': 1,
  'documents.namespaces': 0,
}

/** Every verb of the repositories that all backends of a chain have. */
export const verbsOf = (capabilities: Capabilities): readonly OutageVerb[] =>
  (Object.keys(VERBS) as RepositoryName[])
    .filter((repository) => capabilities[repository])
    .flatMap((repository) =>
      Object.keys(VERBS[repository]).map((name) => ({
        repository,
        name,
        writes: WRITES[repository].includes(name),
        cursors: CURSORS[`${repository}.${name}`] ?? null,
      })),
    )

export const methodOf = (scope: object, repository: RepositoryName, name: string): Method => {
  const verbs = (scope as Record<string, Record<string, Method>>)[repository] as Record<string, Method>
  return (verbs[name] as Method).bind(verbs)
}

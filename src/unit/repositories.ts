import type { BackendScope, UnitScope } from '../contract/backend.js'
import type { OperationReceipt } from '../contract/memory.js'
import type { Page } from '../contract/page.js'
import type { Repositories } from '../contract/repositories.js'
import { UnsupportedError, ValidationError } from '../errors.js'
import { checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import { fingerprintOf, keysOf, readAgain, runOnce } from './operation.js'
import { snapshot } from './snapshot.js'
import { type StoredRepositories, VERBS, type Verb } from './verbs.js'

/** How a verb gets its turn: on the store, or inside a unit. */
export interface Turn {
  /** Runs one verb on the scope. */
  call<T>(work: (scope: BackendScope) => Promise<T>): Promise<T>
  /** Runs some work as one unit, or as a savepoint of the one that is open. */
  atomic<T>(work: (scope: UnitScope) => Promise<T>): Promise<T>
  /** Whether a call made now has to wait before its arguments are looked at. */
  readonly waits: boolean
  /** Told what a verb wrote. */
  wrote?(keys: OperationReceipt['records']): void
}

type Method = (...args: unknown[]) => Promise<unknown>
/** Rows that `each` reads at a time. */
const EACH = 500

function methodOf(scope: BackendScope, repository: keyof StoredRepositories, verb: string): Method {
  const found = scope[repository] as Record<string, Method> | undefined
  if (!found?.[verb])
    throw new UnsupportedError(
      repository,
      `this memory keeps no ${repository}: add SQLite or PostgreSQL as the primary`,
    )
  return found[verb]
}

/** Takes the operation id out of the options; the repository does not see it. */
function splitOperation(args: unknown[], verb: Verb): string | undefined {
  if (verb.options === undefined) return undefined
  const options = args[verb.options]
  if (options === undefined) return undefined
  if (typeof options !== 'object' || options === null) throw new ValidationError('options', 'must be an object')
  if (verb.names) checkNames(options, verb.names)
  const { operationId, ...rest } = options as { operationId?: unknown }
  if (operationId === undefined) return undefined
  args[verb.options] = rest
  return checkId(operationId, 'operationId')
}

function makeVerb(turn: Turn, repository: keyof StoredRepositories, name: string, verb: Verb): Method {
  const { answers } = verb
  const wrote = <T>(answer: T): T => {
    if (answers) turn.wrote?.(keysOf(answers, answer))
    return answer
  }
  return async (...given) => {
    let args = turn.waits ? (snapshot(given) as unknown[]) : given
    const operationId = splitOperation(args, verb)
    if (operationId === undefined)
      return wrote(await turn.call((scope) => methodOf(scope, repository, name).apply(scope[repository], args)))
    // The verb looks at its arguments only after the id was claimed: until then they must not change.
    if (!turn.waits) args = snapshot(args) as unknown[]
    const answer = await runOnce(turn.atomic, {
      operationId,
      fingerprint: fingerprintOf(`${repository}.${name}`, args),
      run: (scope) => methodOf(scope, repository, name).apply(scope[repository], args),
      records: (result) => (answers ? keysOf(answers, result) : []),
      repeat: async ({ records }, scope) => {
        const again = await readAgain(scope, records)
        return verb.many ? again : again[0]
      },
    })
    return wrote(answer)
  }
}

async function* pages<T>(
  list: (window: { first?: number; after?: string; limit?: number }) => Promise<Page<T>>,
  ends: boolean,
): AsyncGenerator<T> {
  let page = await list(ends ? { first: EACH } : { limit: EACH })
  for (;;) {
    yield* page.items
    if (!page.hasMore || page.after === null) return
    page = await list({ after: page.after, limit: EACH })
  }
}

/** The repositories of a tenant or a unit, but for the cache. */
export function makeRepositories(turn: Turn): StoredRepositories {
  const made = {} as Record<keyof StoredRepositories, Record<string, unknown>>
  for (const repository of Object.keys(VERBS) as (keyof StoredRepositories)[]) {
    const verbs = VERBS[repository] as Readonly<Record<string, Verb>>
    made[repository] = Object.fromEntries(
      Object.entries(verbs).map(([name, verb]) => [name, makeVerb(turn, repository, name, verb)]),
    )
  }
  const { users, conversations, messages, sessions, memories, documents } = made as unknown as Repositories
  made.users.each = () => pages((w) => users.list(w), false)
  made.conversations.each = (options = {}) => pages((w) => conversations.list({ ...options, ...w }), false)
  made.messages.each = (id: string, options = {}) => pages((w) => messages.list(id, { ...options, ...w }), true)
  made.sessions.each = (options = {}) => pages((w) => sessions.list({ ...options, ...w }), false)
  made.memories.each = (options = {}) => pages((w) => memories.list({ ...options, ...w }), false)
  made.documents.each = (namespace: string, options = {}) =>
    pages((w) => documents.list(namespace, { ...options, ...w }), false)
  return made as unknown as StoredRepositories
}

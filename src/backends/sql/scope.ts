import type { BackendScope, UnitScope } from '../../contract/backend.js'
import { tellOfKeys } from './cache-keys.js'
import type { SqlContext, SqlStoreContext } from './context.js'
import { sqlConversations } from './conversations.js'
import { sqlDocuments } from './documents.js'
import type { Appends, SqlRunner, SqlSession } from './engine.js'
import { sqlUnitJournal } from './journal.js'
import { sqlMemories } from './memories.js'
import { sqlMessages } from './messages.js'
import { sqlOperations } from './operations.js'
import { purgeTenant } from './purge.js'
import { sqlSearch } from './search.js'
import { sqlSessions } from './sessions.js'
import { sqlStatistics } from './statistics.js'
import { sqlUsers } from './users.js'

/** One tenant of an SQL store, on the store or inside a unit. */
export function sqlScope(
  store: SqlStoreContext,
  tenantId: string,
  runner: SqlRunner,
  fts: boolean,
  inUnit = false,
): BackendScope {
  const context: SqlContext = { ...store, tenantId, runner }
  return {
    users: sqlUsers(context),
    conversations: sqlConversations(context),
    messages: sqlMessages(context),
    sessions: sqlSessions(context),
    memories: sqlMemories(context),
    documents: sqlDocuments(context),
    search: sqlSearch(context, fts, inUnit),
    statistics: sqlStatistics(context),
    purgeExpired: (options) => purgeTenant(context, options),
  }
}

/** A session that can put a savepoint around some work. */
export interface SavepointSession extends SqlSession {
  savepoint<T>(work: () => Promise<T>): Promise<T>
  /** Appends inside the unit. */
  readonly appends?: Appends
}

export interface UnitMeans {
  /** Whether the engine has locks that several can hold. */
  readonly sharedLocks?: boolean
  /** The store, for what is done after the unit. */
  readonly outer?: SqlRunner
}

/** The same inside a unit: every verb that writes is a savepoint of its own, so a refused one leaves nothing. */
export function sqlUnitScope(
  store: SqlStoreContext,
  tenantId: string,
  session: SavepointSession,
  fts: boolean,
  { sharedLocks = false, outer }: UnitMeans = {},
): UnitScope {
  const runner: SqlRunner = {
    read: (work) => work(session),
    write: (work) => session.savepoint(() => work(session)),
    ...(session.appends && { appends: session.appends }),
  }
  const scope = sqlScope(store, tenantId, runner, fts, true)
  const unit: UnitScope = {
    ...scope,
    operations: sqlOperations({ ...store, tenantId, runner }, session),
    journal: sqlUnitJournal(store, session, sharedLocks),
    cacheKeys: (keys) => tellOfKeys({ ...store, tenantId, runner: outer ?? runner }, session, keys),
    savepoint: (work) => session.savepoint(() => work(unit)),
  }
  return unit
}

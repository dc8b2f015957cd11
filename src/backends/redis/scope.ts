import type { BackendScope, UnitScope } from '../../contract/backend.js'
import { redisCache } from './cache.js'
import { type RedisContext, type RedisStore, storeRunner, unitRunner } from './context.js'
import { redisConversations } from './conversations.js'
import { redisUnitJournal } from './journal.js'
import { TenantKeys } from './keys.js'
import { redisMemories } from './memories.js'
import { redisMessages } from './messages.js'
import { redisOperations } from './operations.js'
import { purgeTenant } from './purge.js'
import { redisRateLimiter } from './rate-limiter.js'
import { redisSessions } from './sessions.js'
import { redisStatistics } from './statistics.js'
import type { Transaction } from './transaction.js'
import { redisUsers } from './users.js'

const repositories = (context: RedisContext) => ({
  users: redisUsers(context),
  conversations: redisConversations(context),
  messages: redisMessages(context),
  sessions: redisSessions(context),
  memories: redisMemories(context),
  statistics: redisStatistics(context),
})

/** One tenant, each verb a unit of its own. */
export function redisScope(store: RedisStore, tenantId: string): Omit<BackendScope, 'events'> {
  const keys = new TenantKeys(store.prefix, tenantId)
  const context: RedisContext = { ...store, tenantId, keys, runner: storeRunner(store, tenantId, keys) }
  return {
    ...repositories(context),
    cache: redisCache(store, keys),
    rateLimiter: (options) => redisRateLimiter(store, keys, options),
    purgeExpired: (options) => purgeTenant(context, options),
  }
}

/** The same inside a unit, whose writes wait for its commit. */
export function redisUnitScope(store: RedisStore, tenantId: string, tx: Transaction): UnitScope {
  const keys = tx.means.keys
  const context: RedisContext = { ...store, tenantId, keys, runner: unitRunner(tx) }
  const unit: UnitScope = {
    ...repositories(context),
    cache: redisCache(store, keys),
    operations: redisOperations(context, tx),
    ...(store.clustered ? {} : { journal: redisUnitJournal(store.client, store.prefix, tx) }),
    savepoint: (work) => tx.savepoint(() => work(unit)),
  }
  return unit
}

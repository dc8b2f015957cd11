import { describeCache } from './cache.js'
import { describeCacheLoading } from './cache-loading.js'
import { describeCapabilities } from './capabilities.js'
import { describeConcurrency } from './concurrency.js'
import { describeContext } from './context.js'
import { describeContextRelated } from './context-related.js'
import { describeContextTools } from './context-tools.js'
import { describeConversations } from './conversations.js'
import { describeDocuments } from './documents.js'
import { describeEvents } from './events.js'
import { describeEventConsumers } from './events-consume.js'
import { describeExpiry } from './expiry.js'
import { describePurge } from './expiry-purge.js'
import { describeExpiryReuse } from './expiry-reuse.js'
import type { Harness } from './harness.js'
import { describeHybrid } from './hybrid.js'
import { describeRoundTrips } from './json.js'
import { describeLifecycle } from './lifecycle.js'
import { describeMemories } from './memories.js'
import { describeMemoriesFilter } from './memories-filter.js'
import { describeMemoriesList } from './memories-list.js'
import { describeMessagesAppend } from './messages-append.js'
import { describeMessagesClear } from './messages-clear.js'
import { describeMessagesEdit } from './messages-edit.js'
import { describeMessagesList } from './messages-list.js'
import { describeMessagesModel } from './messages-model.js'
import { describeNaughtyStrings } from './naughty.js'
import { describeOperations } from './operations.js'
import { describeOperationVerbs } from './operations-verbs.js'
import { describeRateLimits } from './rate-limits.js'
import { describeSearchFilters } from './search-filters.js'
import { describeSearchQueries } from './search-queries.js'
import { describeTextSearch } from './search-text.js'
import { describeSearchUpkeep } from './search-upkeep.js'
import { describeSessions } from './sessions.js'
import { describeStatistics } from './statistics.js'
import { describeTenancy } from './tenancy.js'
import { describeTenants } from './tenants.js'
import { describeTenantsModel } from './tenants-model.js'
import { describeUnitIsolation } from './unit-isolation.js'
import { describeUnitMisuse } from './unit-misuse.js'
import { describeUnitOfWork } from './unit-of-work.js'
import { describeSavepoints } from './unit-savepoints.js'
import { describeUsers } from './users.js'
import { describeValidation } from './validation.js'
import { describeVectors } from './vectors.js'
import { describeVectorInput } from './vectors-own.js'
import { describeVerbs } from './verbs.js'

export type { Deviation, Deviations, Feature, Harness } from './harness.js'

/** Every record's repository, what it refuses, and how it keeps what it was given. */
export function describeRepositories(harness: Harness): void {
  describeUsers(harness)
  describeConversations(harness)
  describeMessagesAppend(harness)
  describeMessagesList(harness)
  describeMessagesEdit(harness)
  describeMessagesClear(harness)
  describeMessagesModel(harness)
  describeSessions(harness)
  describeMemories(harness)
  describeMemoriesList(harness)
  describeMemoriesFilter(harness)
  describeDocuments(harness)
  describeStatistics(harness)
  describeExpiry(harness)
  describeExpiryReuse(harness)
  describePurge(harness)
  describeVerbs(harness)
  describeRoundTrips(harness)
  describeValidation(harness)
  describeNaughtyStrings(harness)
}

/** Tenants and users that nothing crosses. */
export function describeTenantIsolation(harness: Harness): void {
  describeTenancy(harness)
  describeTenants(harness)
  describeTenantsModel(harness)
}

/** Units of work, operations that run once, and writers side by side. */
export function describeUnits(harness: Harness): void {
  describeUnitOfWork(harness)
  describeSavepoints(harness)
  describeUnitMisuse(harness)
  describeUnitIsolation(harness)
  describeOperations(harness)
  describeOperationVerbs(harness)
  describeConcurrency(harness)
}

/** Search by text: words, queries, filters, upkeep. */
export function describeSearch(harness: Harness): void {
  describeTextSearch(harness)
  describeSearchQueries(harness)
  describeSearchFilters(harness)
  describeSearchUpkeep(harness)
  describeVectors(harness)
  describeVectorInput(harness)
  describeHybrid(harness)
}

/** What belongs into a prompt. */
export function describePrompts(harness: Harness): void {
  describeContext(harness)
  describeContextTools(harness)
  describeContextRelated(harness)
}

/** The cache repository, the backend's or the process's own. */
export function describeCaches(harness: Harness): void {
  describeCache(harness)
  describeCacheLoading(harness)
}

/** What writes tell, and limits that processes share. */
export function describeServices(harness: Harness): void {
  describeEvents(harness)
  describeEventConsumers(harness)
  describeRateLimits(harness)
}

/** All that a backend owes. */
export function describeBackend(harness: Harness): void {
  describeCapabilities(harness)
  describeLifecycle(harness)
  describeRepositories(harness)
  describeTenantIsolation(harness)
  describeUnits(harness)
  describeSearch(harness)
  describePrompts(harness)
  describeCaches(harness)
  describeServices(harness)
}

import { makeContext } from '../context/context.js'
import { checkContext } from '../context/query.js'
import type { TokenCounter } from '../context/tokens.js'
import type { UnitScope } from '../contract/backend.js'
import type { TenantMemory, UnitOptions } from '../contract/memory.js'
import { UnsupportedError, ValidationError } from '../errors.js'
import { checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { traced } from '../telemetry/traced.js'
import { CacheChanges, type Caches } from './cache.js'
import { makeEvents } from './events.js'
import { freshness } from './freshness.js'
import type { Lifecycle } from './lifecycle.js'
import { type RunUnit, runOnce } from './operation.js'
import { makeRateLimiter } from './rate-limiter.js'
import { makeRepositories, type Turn } from './repositories.js'
import { checkOutside } from './state.js'
import { checkCallback, runUnit, searchOf, statisticsOf, type UnitCallback, type UnitMeans } from './unit.js'

function unitRunner(lifecycle: Lifecycle, caches: Caches, tokens: TokenCounter, tenantId: string) {
  return async <T>(callback: UnitCallback<T>, options: UnitOptions = {}): Promise<unknown> => {
    checkCallback(callback)
    checkNames(options, ['operationId', 'fingerprint', 'settle'])
    const { operationId, fingerprint, settle } = options
    if (settle !== undefined && settle !== 'await') throw new ValidationError('settle', 'must be await')
    if (operationId !== undefined) checkId(operationId, 'operationId')
    if (fingerprint !== undefined) checkId(fingerprint, 'fingerprint')
    checkOutside(lifecycle)
    return lifecycle.use(async (backend) => {
      const changes = new CacheChanges(caches.scope(backend, tenantId), caches.clock, null)
      const means: UnitMeans = { root: lifecycle, tenantId, capabilities: backend.capabilities, tokens }
      const unit: RunUnit = (work) => backend.unit(tenantId, work)
      let records: () => readonly { kind: string; key: readonly string[] }[] = () => []
      let told: (() => Promise<boolean>) | null = null
      const run = async (scope: UnitScope): Promise<unknown> => {
        const made = runUnit(means, scope, changes, callback)
        records = () => made.state.records
        const result = await made.result
        told = changes.size > 0 && scope.cacheKeys ? await scope.cacheKeys([...changes.keys]) : null
        return result
      }
      const result = await (operationId === undefined
        ? unit(run)
        : runOnce<unknown>(unit, {
            operationId,
            fingerprint: fingerprint ?? null,
            run,
            records: () => records(),
            repeat: (receipt) => receipt,
          }))
      await caches.changing(tenantId, changes.keys, () => changes.applyAfter(told))
      if (settle) await backend.fresh?.(tenantId)
      return result
    })
  }
}

/** The repositories and verbs of one tenant, on the store. */
export function makeTenant(
  lifecycle: Lifecycle,
  caches: Caches,
  tokens: TokenCounter,
  telemetry: Telemetry | null,
  tenantId: string,
): TenantMemory {
  const turn: Turn = {
    call: async (work) => {
      checkOutside(lifecycle)
      return lifecycle.use((backend) => work(backend.scope(tenantId)))
    },
    atomic: async (work) => {
      checkOutside(lifecycle)
      return lifecycle.use((backend) => backend.unit(tenantId, work))
    },
    get waits() {
      return lifecycle.backend === null
    },
  }
  const repositories = makeRepositories(turn)
  const { messages, memories, sessions } = repositories
  const search: TenantMemory['search'] = async (given) => {
    const { query, fresh, deadline } = freshness(given)
    if (!fresh) return turn.call((scope) => searchOf(scope)(query))
    checkOutside(lifecycle)
    return lifecycle.use(async (backend) => {
      await (backend.fresh?.(tenantId, deadline) ?? backend.settle?.({ deadline }))
      return searchOf(backend.scope(tenantId))(query)
    })
  }
  const statistics: TenantMemory['statistics'] = (options = {}) => turn.call((scope) => statisticsOf(scope)(options))
  const context: TenantMemory['context'] = async (query) => {
    const checked = checkContext(query)
    checkOutside(lifecycle)
    return lifecycle.use(async (backend) => {
      const searching = { scope: backend.scope(tenantId), capabilities: backend.capabilities, inUnit: false }
      return makeContext(await tokens.ready(), searching, checked)
    })
  }
  return traced<TenantMemory>(telemetry, tenantId, {
    tenantId,
    ...repositories,
    cache: caches.repository(tenantId, async (work) => {
      checkOutside(lifecycle)
      return lifecycle.use((backend) => work(caches.scope(backend, tenantId)))
    }),
    events: makeEvents(lifecycle, tenantId),
    rateLimiter: (options) => makeRateLimiter(lifecycle, tenantId, options),
    unitOfWork: unitRunner(lifecycle, caches, tokens, tenantId) as TenantMemory['unitOfWork'],
    search,
    statistics,
    context,
    getContext: context,
    purgeExpired: (options = {}) =>
      turn.call((scope) => {
        if (!scope.purgeExpired) throw new UnsupportedError('purgeExpired', 'this memory expires records by itself')
        return scope.purgeExpired(options)
      }),
    storeMessage: async (conversationId, message, options) => {
      const [stored] = await messages.append(conversationId, message, options)
      return stored as NonNullable<typeof stored>
    },
    retrieveMessages: async (conversationId, options) => (await messages.list(conversationId, options)).items,
    searchMessages: (query) => search({ ...query, kinds: ['message'] }),
    storeMemory: (memory) => memories.add(memory),
    retrieveMemories: (query) => memories.recall(query),
    deleteMemory: (id) => memories.delete(id),
    createSession: (session) => sessions.create(session),
    getSession: (id) => sessions.get(id),
    endSession: (id) => sessions.end(id),
    clearHistory: (conversationId) => messages.clear(conversationId),
    getStatistics: statistics,
  })
}

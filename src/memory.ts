import { type Encoding, TokenCounter } from './context/tokens.js'
import type { Backend } from './contract/backend.js'
import type { Capabilities } from './contract/capabilities.js'
import type { Tokenizer } from './contract/context.js'
import type { Memory, TenantMemory } from './contract/memory.js'
import { erasureVerbs } from './erase/verbs.js'
import { UnsupportedError, ValidationError } from './errors.js'
import { checkNames } from './model/page-options.js'
import { checkId } from './model/parse.js'
import type { Telemetry } from './telemetry/telemetry.js'
import { traced } from './telemetry/traced.js'
import { Caches } from './unit/cache.js'
import { Lifecycle } from './unit/lifecycle.js'
import { ProcessCache } from './unit/own-cache.js'
import { checkOutside } from './unit/state.js'
import { makeTenant } from './unit/tenant.js'
import { makeUpkeep, type UpkeepName } from './unit/upkeep.js'

export interface MemoryParts {
  /** Loads and makes the backend; called at the first connection. */
  readonly load: () => Promise<Backend>
  /** What the backend will be able to do once it is open. */
  readonly capabilities: Capabilities
  readonly tenancy: 'optional' | 'required'
  readonly clock: () => number
  readonly tokenizer?: Tokenizer | Encoding | undefined
  /** Without it nobody is told of calls. */
  readonly telemetry?: Telemetry | null | undefined
}

const MAX_TENANTS = 1000

function checkDeadline(deadline: unknown): void {
  if (deadline === undefined) return
  if (!(Number.isInteger(deadline) && (deadline as number) >= 1 && (deadline as number) < 2 ** 31))
    throw new ValidationError('deadline', 'must be a number of milliseconds of at least 1')
}

const tenancyRequired = (): never => {
  throw new ValidationError(
    'tenantId',
    "is required: this memory was made with tenancy: 'required', use memory.forTenant(…)",
  )
}

/** Members that answer something else than a promise. */
const SYNCHRONOUS = ['each', 'on', 'consume', 'rateLimiter']

/** Stands where the default tenant would: every call says what is missing. */
function refusing(tenant: TenantMemory): TenantMemory {
  const refuse = async (): Promise<never> => tenancyRequired()
  const refuseEach = (): never => tenancyRequired()
  const of = (from: object): object =>
    Object.fromEntries(
      Object.entries(from).map(([name, value]) => [
        name,
        typeof value === 'object' && value !== null
          ? of(value)
          : typeof value === 'function'
            ? SYNCHRONOUS.includes(name)
              ? refuseEach
              : refuse
            : value,
      ]),
    )
  return of(tenant) as TenantMemory
}

/** Puts the public interface in front of a backend. */
export function makeMemory(parts: MemoryParts): Memory {
  const { telemetry = null } = parts
  const lifecycle = new Lifecycle(async () => {
    await telemetry?.start()
    const backend = await parts.load()
    if (backend.outbox) telemetry?.observe(() => lifecycle.use(async (open) => (await open.outbox?.()) ?? []))
    return backend
  })
  const caches = new Caches(new ProcessCache(parts.clock), parts.clock)
  const tokens = new TokenCounter(parts.tokenizer)
  const tenants = new Map<string, TenantMemory>()
  const forTenant = (tenantId: string): TenantMemory => {
    let tenant = tenants.get(tenantId)
    if (!tenant) {
      checkId(tenantId, 'tenantId')
      tenant = makeTenant(lifecycle, caches, tokens, telemetry, tenantId)
      if (tenants.size >= MAX_TENANTS) tenants.clear()
      tenants.set(tenantId, tenant)
    }
    return tenant
  }
  const own = makeTenant(lifecycle, caches, tokens, telemetry, 'default')
  const close = async (): Promise<void> => {
    checkOutside(lifecycle)
    await lifecycle.close().finally(() => telemetry?.stop())
  }
  return {
    ...(parts.tenancy === 'required' ? refusing(own) : own),
    get capabilities() {
      return lifecycle.backend?.capabilities ?? parts.capabilities
    },
    connect: () => lifecycle.connect(),
    close,
    healthCheck: () => lifecycle.healthCheck(),
    forTenant,
    ...traced<Pick<Memory, 'sweep' | 'settle' | 'erase' | 'retain' | UpkeepName>>(telemetry, null, {
      ...makeUpkeep(lifecycle),
      ...erasureVerbs(
        async (work) => {
          checkOutside(lifecycle)
          return lifecycle.use(work)
        },
        parts.clock,
        () => caches.own.erasing,
      ),
      sweep: async (options = {}) => {
        checkOutside(lifecycle)
        return lifecycle.use((backend) => {
          if (!backend.sweep) throw new UnsupportedError('sweep', 'this memory expires records by itself')
          return backend.sweep(options)
        })
      },
      settle: async (options = {}) => {
        checkNames(options, ['deadline'])
        checkDeadline(options.deadline)
        checkOutside(lifecycle)
        return lifecycle.use(async (backend) => backend.settle?.(options) ?? { pending: 0, parked: 0 })
      },
    }),
    [Symbol.asyncDispose]: close,
  }
}

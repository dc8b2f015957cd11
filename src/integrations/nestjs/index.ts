export type { IdempotencyOptions } from '../http/idempotency.js'
export type { ProblemDetails, ProblemOptions } from '../http/problem.js'
export type { LimitOptions } from '../http/rate-limit.js'
export { RateLimitError, TenantError } from '../http/refusal.js'
export type { SpanningUnitOptions } from '../http/spanning-unit.js'
export type { TenantOptions, TenantSource } from '../http/tenant.js'
export { MemoryExceptionFilter } from './filter.js'
export { MemoryHealthIndicator } from './health.js'
export { BrunoMemoryModule } from './module.js'
export type { MemoryModuleAsyncOptions, MemoryModuleExtras, MemoryModuleOptions } from './options.js'
export { RateLimit, RateLimitGuard } from './rate-limit.js'
export { RequestMemory, TenantGuard } from './request-memory.js'
export {
  BRUNO_MEMORY,
  InjectMemory,
  InjectRepository,
  InjectTenantMemory,
  type RepositoryName,
  repositoryToken,
  TENANT_MEMORY,
} from './tokens.js'
export { UnitOfWork, UnitOfWorkInterceptor } from './unit-of-work.js'

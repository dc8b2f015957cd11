export { createBackend } from './backend.js'
export type { Capabilities, Capability } from './contract/capabilities.js'
export type * from './contract/composition.js'
export type * from './contract/context.js'
export type * from './contract/embedder.js'
export type * from './contract/erase.js'
export type * from './contract/events.js'
export type { BackendFactory, Means } from './contract/factory.js'
export type { Filter, MetadataCondition, MetadataFilter, Scalar } from './contract/filter.js'
export type { Memory, OperationReceipt, TenantMemory, UnitOfWork, UnitOptions } from './contract/memory.js'
export type { MemoryOf } from './contract/memory-of.js'
export type * from './contract/options.js'
export type { Page, PageOptions } from './contract/page.js'
export type * from './contract/rate-limit.js'
export type * from './contract/repositories.js'
export type * from './contract/search.js'
export type { PurgeOptions, PurgeReport, SettleOptions, SettleReport, Statistics } from './contract/statistics.js'
export type { BatchLimits, TransferRange, TransferScope, TransferSide } from './contract/transfer.js'
export type * from './contract/transfer-plan.js'
export type {
  CacheVerifyReport,
  DifferingRecord,
  FollowerStatus,
  RebuildOptions,
  RebuildReport,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
} from './contract/upkeep.js'
export { createMemory } from './create-memory.js'
export { createFromEnv } from './environment.js'
export {
  BrunoMemoryError,
  ClosedError,
  ConfigurationError,
  ConflictError,
  ConnectionError,
  type ErrorCode,
  MigrationError,
  MovedError,
  NotFoundError,
  OverloadedError,
  StorageError,
  TimeoutError,
  UnsupportedError,
  ValidationError,
} from './errors.js'
export type * from './fallback/types.js'
export type * from './model/inputs.js'
export type * from './model/records.js'
export { DEFAULT_LIMITS, type Limits, MAX_ID_BYTES, MAX_PAGE } from './options.js'
export { listBackends, registerBackend } from './registry.js'
export { isDegraded } from './repository/degraded.js'
export { abandonOnline, switchBackOnline, transferOnline } from './run-online.js'
export { abandonTransfer, transfer } from './run-transfer.js'
export { createWithFallback, type FallbackEntry, type FallbackOptions } from './with-fallback.js'

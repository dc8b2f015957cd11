export { type BackendName, createBackend, listBackends } from './backend.js'
export type { Capabilities, Capability } from './contract/capabilities.js'
export type { Filter, MetadataCondition, MetadataFilter, Scalar } from './contract/filter.js'
export type { Memory, OperationReceipt, TenantMemory, UnitOfWork, UnitOptions } from './contract/memory.js'
export type { Page, PageOptions } from './contract/page.js'
export type * from './contract/repositories.js'
export type {
  DocumentHit,
  Explanation,
  Hit,
  MemoryHit,
  MessageHit,
  SearchMode,
  SearchQuery,
} from './contract/search.js'
export type { PurgeOptions, PurgeReport, Statistics } from './contract/statistics.js'
export {
  BrunoMemoryError,
  ClosedError,
  ConfigurationError,
  ConflictError,
  ConnectionError,
  type ErrorCode,
  MigrationError,
  NotFoundError,
  OverloadedError,
  StorageError,
  TimeoutError,
  UnsupportedError,
  ValidationError,
} from './errors.js'
export type * from './model/inputs.js'
export type * from './model/records.js'
export {
  type CommonOptions,
  DEFAULT_LIMITS,
  type Limits,
  MAX_ID_BYTES,
  MAX_PAGE,
  type SqliteOptions,
} from './options.js'

import type { Memory, OperationReceipt, TenantMemory, UnitOfWork, UnitOptions } from './memory.js'

/** What the members are called that a backend lacks. */
interface Lacks {
  readonly sqlite: 'events' | 'rateLimiter'
  readonly postgresql: 'events' | 'rateLimiter'
  readonly redis: 'documents' | 'search' | 'searchMessages'
  readonly chromadb: VectorLacks
  readonly qdrant: VectorLacks
}
type VectorLacks =
  | 'users'
  | 'conversations'
  | 'sessions'
  | 'createSession'
  | 'getSession'
  | 'endSession'
  | 'events'
  | 'rateLimiter'

/** A member of type `never` can be handed on where any type is wanted, and used nowhere. */
type Without<T, Members> = Omit<T, Members & keyof T> & { readonly [M in Members & keyof T]: never }

type UnitOf<Members> = Without<Omit<UnitOfWork, 'unitOfWork'>, Members> & {
  unitOfWork<T>(callback: (unit: UnitOf<Members>) => Promise<T>): Promise<T>
}
type TenantOf<Members> = Without<Omit<TenantMemory, 'unitOfWork'>, Members> & UnitsOf<Members>

interface UnitsOf<Members> {
  unitOfWork: UnitRunner<Members>
}
interface UnitRunner<Members> {
  <T>(callback: (unit: UnitOf<Members>) => Promise<T>): Promise<T>
  <T>(
    callback: (unit: UnitOf<Members>) => Promise<T>,
    options: UnitOptions & { readonly operationId: string },
  ): Promise<T | OperationReceipt>
  <T>(callback: (unit: UnitOf<Members>) => Promise<T>, options?: UnitOptions): Promise<T | OperationReceipt>
}

/**
 * A memory over one backend whose name is known to the compiler: using what this backend lacks is a compile error.
 * Through `Memory` the same call is an `UnsupportedError`.
 */
export type MemoryOf<Name extends keyof Lacks> = Without<Omit<Memory, 'unitOfWork' | 'forTenant'>, Lacks[Name]> &
  UnitsOf<Lacks[Name]> & { forTenant(tenantId: string): TenantOf<Lacks[Name]> }

import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency } from '@nestjs/common'
import { createBackend } from '../../backend.js'
import type { MemberEntry, MemoryOptions } from '../../contract/composition.js'
import type { Memory } from '../../contract/memory.js'
import { createMemory } from '../../create-memory.js'
import { ConfigurationError } from '../../errors.js'
import type { ProblemOptions } from '../http/problem.js'
import type { LimitingMemory } from '../http/rate-limit.js'
import type { TenantOptions } from '../http/tenant.js'

export interface MemoryModuleOptions extends TenantOptions, ProblemOptions {
  /**
   * A memory, or what to make one of: a URL, `{ backend: 'sqlite', databasePath }`, or `{ primary, semantic, cache }` as
   * `createMemory` takes it. What the module makes is made with `tenancy: 'required'`.
   */
  readonly memory: Memory | MemberEntry | MemoryOptions
  /** Connects when the application starts, which fails where the store is away. Default true; else at the first call. */
  readonly connect?: boolean | undefined
  /** Counts for `@RateLimit`, where that is not the memory itself: Redis. */
  readonly limits?: LimitingMemory | undefined
}

export interface MemoryModuleExtras {
  /** Whether every module sees it without importing it. Default true. */
  readonly isGlobal?: boolean | undefined
}

export interface MemoryModuleAsyncOptions extends MemoryModuleExtras, Pick<ModuleMetadata, 'imports'> {
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[] | undefined
  /** Makes the options of what is injected. */
  readonly useFactory: (...injected: never[]) => MemoryModuleOptions | Promise<MemoryModuleOptions>
}

/** Where the options stand in the container. */
export const MODULE_OPTIONS: unique symbol = Symbol.for('bruno-memory:options') as never

const REQUIRED = { tenancy: 'required' } as const

/** The memory that the options have or describe. */
export function memoryFrom({ memory }: MemoryModuleOptions): Memory {
  if (typeof memory === 'string') return createBackend(memory as string, REQUIRED)
  if (typeof (memory as Memory | undefined)?.forTenant === 'function') return memory as Memory
  const given = { ...(memory as object), ...REQUIRED }
  if ('primary' in given) return createMemory(given as MemoryOptions)
  const { backend, ...options } = given as { backend?: unknown }
  if (typeof backend === 'string') return createBackend(backend as string, options)
  throw new ConfigurationError('option memory: must be a memory, a URL, or an object with `backend` or `primary`')
}

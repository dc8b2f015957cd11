import { type DynamicModule, Module, type Provider, Scope } from '@nestjs/common'
import { APP_FILTER, REQUEST } from '@nestjs/core'
import type { Memory, TenantMemory } from '../../contract/memory.js'
import { ConfigurationError } from '../../errors.js'
import { suggestion } from '../../model/parse.js'
import type { HttpRequest } from '../http/types.js'
import { MemoryExceptionFilter } from './filter.js'
import { MemoryHealthIndicator } from './health.js'
import { MemoryLifecycle } from './lifecycle.js'
import {
  type MemoryModuleAsyncOptions,
  type MemoryModuleExtras,
  type MemoryModuleOptions,
  MODULE_OPTIONS,
  memoryFrom,
} from './options.js'
import { RequestTenants } from './tenants.js'
import { BRUNO_MEMORY, type RepositoryName, repositoryToken, TENANT_MEMORY } from './tokens.js'

const REPOSITORIES: readonly RepositoryName[] = [
  'users',
  'conversations',
  'messages',
  'sessions',
  'memories',
  'documents',
  'cache',
]

const PROVIDERS: readonly Provider[] = [
  { provide: BRUNO_MEMORY, inject: [MODULE_OPTIONS], useFactory: memoryFrom },
  {
    provide: RequestTenants,
    inject: [BRUNO_MEMORY, MODULE_OPTIONS],
    useFactory: (memory: Memory, options: MemoryModuleOptions) => new RequestTenants(memory, options),
  },
  {
    provide: TENANT_MEMORY,
    scope: Scope.REQUEST,
    inject: [REQUEST, RequestTenants],
    useFactory: (request: HttpRequest, tenants: RequestTenants): TenantMemory => tenants.inject(request),
  },
  MemoryHealthIndicator,
  MemoryLifecycle,
  { provide: APP_FILTER, useClass: MemoryExceptionFilter },
]

function moduleOf(options: Provider, { isGlobal = true }: MemoryModuleExtras): DynamicModule {
  return {
    module: BrunoMemoryModule,
    global: isGlobal,
    providers: [options, ...PROVIDERS],
    exports: [BRUNO_MEMORY, TENANT_MEMORY, MODULE_OPTIONS, RequestTenants, MemoryHealthIndicator],
  }
}

/** Gives a Nest application a memory. */
// biome-ignore lint/complexity/noStaticOnlyClass: a module of Nest is a class.
export class BrunoMemoryModule {
  /** With options that are known. */
  static forRoot({ isGlobal, ...options }: MemoryModuleOptions & MemoryModuleExtras): DynamicModule {
    return moduleOf({ provide: MODULE_OPTIONS, useValue: options }, { isGlobal })
  }

  /** With options that are made of other providers, such as a configuration. */
  static forRootAsync({ imports = [], inject = [], useFactory, ...extras }: MemoryModuleAsyncOptions): DynamicModule {
    const provider: Provider = { provide: MODULE_OPTIONS, inject, useFactory: useFactory as never }
    return { ...moduleOf(provider, extras), imports }
  }

  /**
   * Provides repositories of the request's tenant to the module that imports it, for `@InjectRepository`.
   *
   * @throws ConfigurationError for a name that is none, with the nearest one.
   */
  static forFeature(names: readonly RepositoryName[]): DynamicModule {
    const wrong = names.find((name) => !REPOSITORIES.includes(name))
    if (wrong !== undefined)
      throw new ConfigurationError(`repository ${wrong}: is not known${suggestion(wrong, REPOSITORIES)}`)
    const providers = names.map((name) => ({
      provide: repositoryToken(name),
      scope: Scope.REQUEST,
      // Not by TENANT_MEMORY: Nest makes every provider on the way anew for each request.
      inject: [REQUEST, RequestTenants],
      useFactory: (request: HttpRequest, tenants: RequestTenants) => tenants.inject(request)[name],
    }))
    return { module: BrunoMemoryModule, providers, exports: providers.map(({ provide }) => provide) }
  }
}
Module({})(BrunoMemoryModule)

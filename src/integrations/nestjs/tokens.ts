import { Inject } from '@nestjs/common'
import type { Repositories } from '../../contract/repositories.js'

/** What is injected by name: the repositories of a tenant. */
export type RepositoryName = keyof Repositories

// By `Symbol.for`, so that the CommonJS and the ES module of one application mean the same.
/** The memory of the application, for all tenants: a `Memory`. */
export const BRUNO_MEMORY: unique symbol = Symbol.for('bruno-memory:memory') as never
/** The memory of the request's tenant: a `TenantMemory`, of request scope. */
export const TENANT_MEMORY: unique symbol = Symbol.for('bruno-memory:tenant-memory') as never

/** The token of a repository of the request's tenant, which `forFeature` provides. */
export const repositoryToken = (name: RepositoryName): symbol => Symbol.for(`bruno-memory:repository:${name}`)

/** Injects the application's `Memory`. */
export const InjectMemory = () => Inject(BRUNO_MEMORY)
/** Injects the `TenantMemory` of the request. */
export const InjectTenantMemory = () => Inject(TENANT_MEMORY)
/** Injects a repository of the request's tenant, such as `messages`; its module imports `forFeature` with this name. */
export const InjectRepository = (name: RepositoryName) => Inject(repositoryToken(name))

import { AsyncLocalStorage } from 'node:async_hooks'
import type { TenantMemory, UnitOfWork, UnitOptions } from '../../contract/memory.js'
import { ClosedError, ValidationError } from '../../errors.js'

/** A unit, for the request whose it is: one that runs in the context of another must not get into its unit. */
export class CurrentUnit {
  /** None when it has ended: what goes on in its context would keep it in memory. */
  #unit: UnitOfWork | null

  constructor(
    readonly request: object,
    unit: UnitOfWork,
  ) {
    this.#unit = unit
  }

  get unit(): UnitOfWork {
    if (!this.#unit) throw new ClosedError('the unit of the request has ended')
    return this.#unit
  }

  /** Runs work so that what the request was given of its tenant means the unit. */
  run<T>(work: () => T): T {
    return units.run(this, work)
  }

  end(): void {
    this.#unit = null
  }
}

const units = new AsyncLocalStorage<CurrentUnit>()

async function within<T>(request: object, unit: UnitOfWork, callback: (unit: UnitOfWork) => Promise<T>): Promise<T> {
  const current = new CurrentUnit(request, unit)
  try {
    return await current.run(() => callback(unit))
  } finally {
    current.end()
  }
}

/** The verbs that a tenant has and a unit has not. */
const VERBS: Readonly<Record<string, (unit: UnitOfWork, request: object) => unknown>> = {
  storeMessage: ({ messages }) =>
    (async (conversationId, message, options) => {
      const [stored] = await messages.append(conversationId, message, options)
      return stored as NonNullable<typeof stored>
    }) satisfies TenantMemory['storeMessage'],
  retrieveMessages: ({ messages }) =>
    (async (conversationId, options) =>
      (await messages.list(conversationId, options)).items) satisfies TenantMemory['retrieveMessages'],
  searchMessages: (unit) =>
    ((query) => unit.search({ ...query, kinds: ['message'] })) satisfies TenantMemory['searchMessages'],
  storeMemory: ({ memories }) => ((memory) => memories.add(memory)) satisfies TenantMemory['storeMemory'],
  retrieveMemories: ({ memories }) => ((query) => memories.recall(query)) satisfies TenantMemory['retrieveMemories'],
  deleteMemory: ({ memories }) => ((id) => memories.delete(id)) satisfies TenantMemory['deleteMemory'],
  createSession: ({ sessions }) => ((session) => sessions.create(session)) satisfies TenantMemory['createSession'],
  getSession: ({ sessions }) => ((id) => sessions.get(id)) satisfies TenantMemory['getSession'],
  endSession: ({ sessions }) => ((id) => sessions.end(id)) satisfies TenantMemory['endSession'],
  clearHistory: ({ messages }) =>
    ((conversationId) => messages.clear(conversationId)) satisfies TenantMemory['clearHistory'],
  getStatistics: (unit) => ((options) => unit.statistics(options)) satisfies TenantMemory['getStatistics'],
  unitOfWork:
    (unit, request) =>
    async (callback: (inner: UnitOfWork) => Promise<unknown>, options: UnitOptions = {}) => {
      if (options.operationId !== undefined)
        throw new ValidationError('unitOfWork', 'a unit inside a unit is no operation of its own: no operationId')
      return unit.unitOfWork((inner) => within(request, inner, callback))
    },
}

/** A tenant's `unitOfWork`, inside whose callback what the request was given means the unit. */
const startsUnits =
  (tenant: TenantMemory, request: object) =>
  (callback: (unit: UnitOfWork) => Promise<unknown>, options?: UnitOptions): Promise<unknown> =>
    tenant.unitOfWork((unit) => within(request, unit, callback), options)

/** A member of the memory of a request's tenant: the current unit's, if one is under way. */
export function memberOf(request: object, tenant: TenantMemory, name: string): unknown {
  const current = units.getStore()
  if (current?.request !== request)
    return name === 'unitOfWork' ? startsUnits(tenant, request) : tenant[name as keyof TenantMemory]
  const { unit } = current
  return VERBS[name]?.(unit, request) ?? unit[name as keyof UnitOfWork] ?? tenant[name as keyof TenantMemory]
}

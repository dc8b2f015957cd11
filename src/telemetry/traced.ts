import type { Context } from '@opentelemetry/api'
import type { CacheRepository } from '../contract/repositories.js'
import { Call } from './call.js'
import { batchOf, rowsOf } from './facts.js'
import type { Telemetry } from './telemetry.js'

/** Whose calls they are, and the unit's context that they are made in. */
interface Place {
  readonly telemetry: Telemetry
  readonly tenantId: string | null
  readonly within: Context | null
}

type Method = (...args: unknown[]) => Promise<unknown>
type Each = (...args: unknown[]) => AsyncIterable<unknown>

async function told(call: Call, work: () => Promise<unknown>): Promise<unknown> {
  try {
    const answer = await call.run(work)
    call.succeeded(rowsOf(call.what.name, answer))
    return answer
  } catch (error) {
    call.failed(error)
    throw error
  }
}

const tracedCall =
  ({ telemetry, tenantId, within }: Place, name: string, method: Method): Method =>
  (...args) =>
    telemetry.listeners === null
      ? method(...args)
      : told(new Call(telemetry, { name, tenantId, within, batch: batchOf(name, args) }), () => method(...args))

/** The callback is given a unit whose calls are children of the unit's own span. */
const tracedUnit =
  ({ telemetry, tenantId, within }: Place, name: string, method: Method): Method =>
  (callback, ...rest) => {
    if (telemetry.listeners === null) return method(callback, ...rest)
    const call = new Call(telemetry, { name, tenantId, within })
    // Stores run a callback that had to wait in the context of whatever they waited for.
    const inside = (unit: object): unknown =>
      call.run(() =>
        (callback as (unit: object) => unknown)(members({ telemetry, tenantId, within: call.open() }, unit)),
      )
    return told(call, () => method(typeof callback === 'function' ? inside : callback, ...rest))
  }

/** One span from the first row to the last. */
async function* tracedRows({ telemetry, tenantId, within }: Place, name: string, rows: AsyncIterable<unknown>) {
  const call = new Call(telemetry, { name, tenantId, within, paused: true })
  const iterator = rows[Symbol.asyncIterator]()
  let count = 0
  let end = () => call.succeeded(count)
  try {
    for (;;) {
      const next = await call.run(() => iterator.next())
      if (next.done) return
      count++
      yield next.value
    }
  } catch (error) {
    end = () => call.failed(error)
    throw error
  } finally {
    await iterator.return?.()
    end()
  }
}

const tracedEach =
  (place: Place, name: string, each: Each): Each =>
  (...args) => {
    const rows = each(...args)
    return place.telemetry.listeners === null ? rows : tracedRows(place, name, rows)
  }

/** The members, each call of which is a span. Listeners to events are no calls. */
function members<T extends object>(place: Place, of: T, prefix = ''): T {
  const traced = (key: string, member: unknown): unknown => {
    const name = prefix + key
    if (typeof member === 'object' && member !== null)
      return key === 'events' ? member : repository(place, name, member)
    if (typeof member !== 'function') return member
    if (key === 'each') return tracedEach(place, name, member as Each)
    if (key === 'unitOfWork') return tracedUnit(place, name, member as Method)
    if (key === 'rateLimiter')
      return (...args: unknown[]) => members(place, (member as (...args: unknown[]) => object)(...args), `${name}.`)
    return tracedCall(place, name, member as Method)
  }
  return Object.fromEntries(Object.entries(of).map(([key, member]) => [key, traced(key, member)])) as T
}

const repository = (place: Place, name: string, of: object): object =>
  members(place, name === 'cache' ? countedCache(place.telemetry, of as CacheRepository) : of, `${name}.`)

/** Counts what the cache answered, and what it did not. */
function countedCache(telemetry: Telemetry, cache: CacheRepository): CacheRepository {
  const count = (hit: boolean): void => telemetry.count('bruno_memory.cache.requests', 1, { kind: 'entry', hit })
  return {
    ...cache,
    get: async (key) => {
      const found = await cache.get(key)
      count(found !== null)
      return found as never
    },
    getOrLoad: async (key, load, options) => {
      let hit = true
      const counted = (): ReturnType<typeof load> => {
        hit = false
        return load()
      }
      const value = await cache.getOrLoad(key, typeof load === 'function' ? counted : load, options)
      count(hit)
      return value
    },
  }
}

/** The members of a memory, of a tenant or of none, each call of which is a span; as they are without telemetry. */
export const traced = <T extends object>(telemetry: Telemetry | null, tenantId: string | null, of: T): T =>
  telemetry ? members({ telemetry, tenantId, within: null }, of) : of

import { EVENT_TYPES, type Events, type Subscription } from '../contract/events.js'
import { UnsupportedError, ValidationError } from '../errors.js'
import { checkNames } from '../model/page-options.js'
import { checkId } from '../model/parse.js'
import type { Lifecycle } from './lifecycle.js'
import { checkOutside } from './state.js'

/** A subscription made once the backend is open; closed before that, it never begins. */
function later(lifecycle: Lifecycle, tenantId: string, subscribe: (events: Events) => Subscription): Subscription {
  checkOutside(lifecycle)
  let closed = false
  const begun = lifecycle.use(async (backend) => {
    const { events } = backend.scope(tenantId)
    if (!events)
      throw new UnsupportedError('events', 'this memory keeps no events: use Redis, opened with `events: true`')
    return closed ? null : subscribe(events)
  })
  const ready = begun.then(async (subscription) => subscription?.ready)
  // Whoever does not wait for it is told by nothing; it must not end the process.
  ready.catch(() => undefined)
  const close = async (): Promise<void> => {
    closed = true
    await (await begun.catch(() => null))?.close()
  }
  return { ready, close, [Symbol.asyncDispose]: close }
}

function checkListener(listener: unknown): void {
  if (typeof listener !== 'function') throw new ValidationError('listener', 'must be a function')
}

function checkType(type: unknown, field: string): void {
  if (!EVENT_TYPES.includes(type as never)) throw new ValidationError(field, `must be one of ${EVENT_TYPES.join(', ')}`)
}

/** The events of one tenant, whether the backend is open yet or not. */
export function makeEvents(lifecycle: Lifecycle, tenantId: string): Events {
  return {
    on(type, listener) {
      if (type !== '*') checkType(type, 'type')
      checkListener(listener)
      return later(lifecycle, tenantId, (events) => events.on(type, listener))
    },
    consume(name, handler, options = {}) {
      checkId(name, 'name')
      checkListener(handler)
      checkNames(options, ['from', 'retryAfter', 'types', 'onError'])
      const { from, retryAfter, types } = options
      if (from !== undefined && from !== 'oldest' && from !== 'now')
        throw new ValidationError('from', 'must be oldest or now')
      if (retryAfter !== undefined && !(Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter < 2 ** 31))
        throw new ValidationError('retryAfter', 'must be a number of milliseconds of at least 1')
      for (const [i, type] of (types ?? []).entries()) checkType(type, `types[${i}]`)
      return later(lifecycle, tenantId, (events) => events.consume(name, handler, options))
    },
  }
}

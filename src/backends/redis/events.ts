import type { ConsumeOptions, EventListener, Events, MemoryEvent, Subscription } from '../../contract/events.js'
import type { RedisClient } from './client.js'
import type { Connection } from './connect.js'
import { Consumer } from './consumer.js'
import { translateError } from './errors.js'
import { readEvent, type Told } from './event.js'
import type { TenantKeys } from './keys.js'

function published(tenantId: string, message: string): MemoryEvent | null {
  const space = message.indexOf(' ')
  try {
    return readEvent(tenantId, message.slice(0, space), JSON.parse(message.slice(space + 1)) as Told)
  } catch {
    return null
  }
}

type Heard = (message: string) => void

/** One connection that hears what is published, for all listeners of a memory. */
export class Listening {
  #connection: Connection | null = null
  #opening: Promise<Connection> | null = null
  readonly #channels = new Map<string, Set<Heard>>()
  readonly #consumers = new Set<Consumer>()

  constructor(readonly client: RedisClient) {}

  async hear(channel: string, heard: Heard): Promise<() => Promise<void>> {
    const connection = await this.#open()
    const known = this.#channels.get(channel)
    const listeners = known ?? new Set<Heard>()
    listeners.add(heard)
    this.#channels.set(channel, listeners)
    try {
      // Also for a second listener: it may not be told that it hears before the first one does.
      await connection.subscribe(channel)
    } catch (error) {
      listeners.delete(heard)
      throw translateError(error)
    }
    return async () => {
      listeners.delete(heard)
      if (listeners.size > 0 || this.#channels.get(channel) !== listeners) return
      this.#channels.delete(channel)
      await this.#connection?.unsubscribe(channel).catch(() => undefined)
    }
  }

  #open(): Promise<Connection> {
    this.#opening ??= this.#make().catch((error: unknown) => {
      this.#opening = null
      throw translateError(error)
    })
    return this.#opening
  }

  async #make(): Promise<Connection> {
    const connection = this.client.make('listening')
    this.#connection = connection
    // It connects again by itself, and subscribes again.
    connection.on('error', () => undefined)
    connection.on('message', (channel: string, message: string) => {
      for (const heard of this.#channels.get(channel) ?? []) heard(message)
    })
    try {
      await connection.connect()
    } catch (error) {
      connection.disconnect()
      throw error
    }
    return connection
  }

  add(consumer: Consumer): void {
    this.#consumers.add(consumer)
  }

  remove(consumer: Consumer): void {
    this.#consumers.delete(consumer)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    this.#channels.clear()
    this.#connection?.disconnect()
    this.#connection = null
  }
}

const subscription = (ready: Promise<void>, close: () => Promise<void>): Subscription => {
  // Whoever does not wait for it is told by nothing; it must not end the process.
  ready.catch(() => undefined)
  return { ready, close, [Symbol.asyncDispose]: close }
}

/** The events of one tenant: published for those who listen now, kept in a stream for consumers by name. */
export function redisEvents(listening: Listening, tenantId: string, keys: TenantKeys, token: () => string): Events {
  return {
    on(type, listener: EventListener) {
      const heard = (message: string): void => {
        const event = published(tenantId, message)
        if (event && (type === '*' || event.type === type)) void tell(listener, event)
      }
      const begun = listening.hear(keys.events, heard)
      const close = async (): Promise<void> => (await begun.catch(() => null))?.()
      return subscription(
        begun.then(() => undefined),
        close,
      )
    },
    consume(name, handler, options: ConsumeOptions = {}) {
      const consumer = new Consumer(
        listening.client,
        { tenantId, stream: keys.events, name, me: token() },
        handler,
        options,
      )
      listening.add(consumer)
      return subscription(consumer.start(), async () => {
        listening.remove(consumer)
        await consumer.close()
      })
    },
  }
}

/** A live listener that fails has nobody to tell: it must not end the process. */
async function tell(listener: EventListener, event: MemoryEvent): Promise<void> {
  try {
    await listener(event)
  } catch {
    // Nothing is delivered twice to those who listen live.
  }
}

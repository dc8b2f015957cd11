import { setTimeout as sleep } from 'node:timers/promises'
import type { ConsumeOptions, EventListener, MemoryEvent } from '../../contract/events.js'
import type { RedisClient } from './client.js'
import type { Connection } from './connect.js'
import { codeOf, translateError } from './errors.js'
import { readEvent } from './event.js'

/** Milliseconds that a read waits for events. */
const BLOCK = 1000
const COUNT = 32
const RETRY_AFTER = 30_000
const PAUSE = 100

interface Place {
  readonly tenantId: string
  readonly stream: string
  /** The group of the stream: all who consume under one name. */
  readonly name: string
  /** This one of them. */
  readonly me: string
}

/** An entry of a stream: its id and its fields; null where it has been trimmed. */
type Entry = readonly [id: string, fields: readonly string[] | null]

/** Hands the entries of a stream to a handler, each until it has succeeded. */
export class Consumer {
  readonly #connection: Connection
  #closing = false
  #running: Promise<void> = Promise.resolve()

  constructor(
    readonly client: RedisClient,
    readonly place: Place,
    readonly handler: EventListener,
    readonly options: ConsumeOptions,
  ) {
    // A read that waits holds up its connection.
    this.#connection = client.make('listening')
    this.#connection.on('error', () => undefined)
  }

  /** Fulfilled once its group exists. */
  async start(): Promise<void> {
    try {
      await this.#connection.connect()
      await this.#makeGroup(this.options.from === 'now' ? '$' : '0')
    } catch (error) {
      this.#connection.disconnect()
      throw translateError(error)
    }
    this.#running = this.#run()
  }

  async #makeGroup(from: string): Promise<void> {
    const { stream, name } = this.place
    try {
      await this.client.call((c) => c.xgroup('CREATE', stream, name, from, 'MKSTREAM'))
    } catch (error) {
      // Another one, or an earlier run, has made it.
      if (codeOf((error as Error).cause) !== 'BUSYGROUP') throw error
    }
  }

  async #run(): Promise<void> {
    let claimed = 0
    while (!this.#closing) {
      try {
        const retryAfter = this.options.retryAfter ?? RETRY_AFTER
        if (performance.now() - claimed > Math.min(retryAfter, BLOCK)) {
          claimed = performance.now()
          await this.#handle(await this.#claim(retryAfter))
        }
        await this.#handle(await this.#read(Math.min(BLOCK, retryAfter)))
      } catch (error) {
        if (this.#closing) return
        // The stream is gone, with all that was in it.
        if (codeOf(error) === 'NOGROUP') await this.#makeGroup('0').catch(() => undefined)
        await sleep(PAUSE)
      }
    }
  }

  /** What was handed out, to whomever, and not finished in time. */
  async #claim(retryAfter: number): Promise<readonly Entry[]> {
    const { stream, name, me } = this.place
    const answer = (await this.#connection.xautoclaim(stream, name, me, retryAfter, '0', 'COUNT', COUNT)) as unknown[]
    return answer[1] as Entry[]
  }

  async #read(block: number): Promise<readonly Entry[]> {
    const { stream, name, me } = this.place
    const answer = await this.#connection.xreadgroup(
      'GROUP',
      name,
      me,
      'COUNT',
      COUNT,
      'BLOCK',
      block,
      'STREAMS',
      stream,
      '>',
    )
    const [first] = (answer ?? []) as readonly (readonly [string, readonly Entry[]])[]
    return first?.[1] ?? []
  }

  async #handle(entries: readonly Entry[]): Promise<void> {
    for (const [id, fields] of entries) {
      // What is left comes to another one after retryAfter.
      if (this.#closing) return
      const event = fields && this.#event(id, fields)
      const wanted = event && (this.options.types === undefined || this.options.types.includes(event.type))
      if (!wanted || (await this.#succeeds(event)))
        await this.client.call((c) => c.xack(this.place.stream, this.place.name, id))
    }
  }

  #event(id: string, fields: readonly string[]): MemoryEvent | null {
    const of = (name: string): string => fields[fields.findIndex((f, i) => i % 2 === 0 && f === name) + 1] ?? ''
    return readEvent(this.place.tenantId, id, [of('t'), of('k'), of('n'), of('a')])
  }

  async #succeeds(event: MemoryEvent): Promise<boolean> {
    try {
      await this.handler(event)
      return true
    } catch (error) {
      try {
        this.options.onError?.(error, event)
      } catch {
        // The event comes again all the same.
      }
      return false
    }
  }

  /** Waits for the handler that runs. */
  async close(): Promise<void> {
    if (this.#closing) return this.#running
    this.#closing = true
    this.#connection.disconnect()
    await this.#running
  }
}

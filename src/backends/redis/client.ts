import { nextTick } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { ClosedError, ConnectionError } from '../../errors.js'
import type { Connection, MakeConnection } from './connect.js'
import { codeOf, isLost, isPassing, RedisFailure, translateError, unknownOutcome } from './errors.js'
import type { Script } from './scripts.js'

const PASSING_PAUSE = 20

interface ClientSettings {
  /** Milliseconds for one call with its retries. */
  readonly callTimeout: number
  /** Number of the database. */
  readonly db?: number | undefined
  /** Whether another server takes over where this one is a replica. */
  readonly failsOver: boolean
}

/** The socket of a single server; a Cluster has one for each node. */
interface Corkable {
  cork(): void
  uncork(): void
}

/** Reading commands that the repositories use. */
export type Reads = Pick<Connection, 'hmget' | 'zrangebylex' | 'zrevrangebylex' | 'get' | 'exists' | 'zcard'>

/**
 * One connection to a server or a Cluster. Every call may be repeated: reads change nothing, and a write carries a
 * token or ids by which a repetition is known. So a call waits for a connection that comes back, within its time.
 */
export class RedisClient {
  readonly connection: Connection
  #closed = false
  #corked = false
  #waiting: Promise<void> | null = null
  /** What the last attempt to connect failed with. */
  #failure: unknown = null

  constructor(
    readonly make: MakeConnection,
    readonly settings: ClientSettings,
  ) {
    this.connection = make('commands')
    this.connection.on('error', (error: unknown) => {
      this.#failure = error
    })
  }

  /** @throws ConnectionError where the server cannot be reached or refuses the user. */
  async open(): Promise<void> {
    try {
      await this.connection.connect()
      await this.connection.ping()
      // The client goes on in database 0 where the server has no other.
      if (this.settings.db) await (this.connection as Redis).select(this.settings.db)
    } catch (error) {
      const failure = codeOf(error) ? error : (innermost(this.#failure) ?? error)
      this.close()
      throw translateError(failure)
    }
  }

  close(): void {
    this.#closed = true
    this.connection.disconnect()
  }

  /** Runs a call, again where the connection was lost or the server asks for it, until its time is over. */
  async call<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    // The common case has no timer and no loop.
    const until = performance.now() + this.settings.callTimeout
    if (this.connection.status === 'ready') {
      try {
        this.#together()
        return await work(this.connection)
      } catch (error) {
        if (!this.#mayPass(error) || until <= performance.now()) throw translateError(error)
      }
    }
    return this.#again(work, until)
  }

  /**
   * What is sent in one turn of the event loop goes out as one write. The client's own batches wait for the answers of
   * the batch before, so that server and program would work in turn instead of side by side.
   */
  #together(): void {
    if (this.#corked) return
    const { stream } = this.connection as { readonly stream?: Corkable }
    if (!stream) return
    this.#corked = true
    stream.cork()
    nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  #mayPass(error: unknown): boolean {
    return isLost(error) || isPassing(error) || (this.settings.failsOver && codeOf(error) === 'READONLY')
  }

  async #again<T>(work: (connection: Connection) => Promise<T>, until: number): Promise<T> {
    for (;;) {
      await this.#ready(until)
      try {
        const answer = await inTime(work(this.connection), until)
        if (answer !== LATE) return answer
        throw new Error('no answer in time')
      } catch (error) {
        if (!this.#mayPass(error) || until - performance.now() <= PASSING_PAUSE) throw translateError(error)
      }
      await sleep(PASSING_PAUSE)
    }
  }

  /** Waits until there is a connection; all who wait share one look at it. */
  async #ready(until: number): Promise<void> {
    if (this.connection.status === 'ready') return
    if (this.#closed) throw new ClosedError('the memory is closed')
    this.#waiting ??= new Promise((resolve) => {
      this.connection.once('ready', () => {
        this.#waiting = null
        resolve()
      })
    })
    if ((await inTime(this.#waiting, until)) !== LATE) return
    const code = codeOf(innermost(this.#failure))
    throw new ConnectionError(`Redis cannot be reached (${code || 'connection lost'})`, {
      cause: new RedisFailure(code),
    })
  }

  /**
   * Runs a script that stores something, as `run` does.
   *
   * @throws ConnectionError whose outcome is unknown where it was sent and no answer came in time.
   */
  async write(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    let unanswered = 0
    try {
      return await this.call(async (connection) => {
        unanswered++
        try {
          return await evaluate(connection, script, keys, args)
        } catch (error) {
          if (!isLost(error)) unanswered--
          throw error
        }
      })
    } catch (error) {
      throw unanswered > 0 && error instanceof ConnectionError ? unknownOutcome(error.cause) : error
    }
  }

  /** Runs a script by its hash; a server that does not know it yet is given its text. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.call((connection) => evaluate(connection, script, keys, args))
  }
}

async function evaluate(
  connection: Connection,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await connection.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (codeOf(error) !== 'NOSCRIPT') throw error
    return connection.eval(script.text, keys.length, ...keys, ...args)
  }
}

const LATE = Symbol('late')

/** What the work answers, where it does so before this time. */
async function inTime<T>(work: Promise<T>, until: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, until - performance.now()), LATE)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A Cluster says that all nodes failed; why the last one did is inside. */
function innermost(error: unknown): unknown {
  const inner = (error as { lastNodeError?: unknown } | null)?.lastNodeError
  return inner ?? error
}

import session, { type SessionData } from 'express-session'
import type { TenantMemory } from '../contract/memory.js'
import { ConfigurationError, ConflictError, NotFoundError } from '../errors.js'
import type { JsonObject } from '../model/records.js'

/** What is used of a memory: any backend that keeps sessions. */
export interface SessionMemory {
  forTenant(tenantId: string): Pick<TenantMemory, 'sessions'>
}

export interface SessionStoreOptions {
  readonly memory: SessionMemory
  /** Where they are kept, apart from the sessions of your users' conversations; default `express-session`. */
  readonly tenantId?: string | undefined
  /** Whose a session is, for `sessions.list` and the deletion of a user; default `anonymous` for all. */
  readonly userIdOf?: ((data: SessionData) => string | undefined) | undefined
  /** Seconds that a session without an expiring cookie lives after its last use, default 86,400. */
  readonly ttl?: number | undefined
}

type Done<T = void> = (error?: unknown, result?: T) => void

/** Runs the work and tells the callback once, whatever the callback does. */
function answer<T>(work: Promise<T>, done: Done<T> | undefined): void {
  work.then(
    (result) => setImmediate(() => done?.(null, result)),
    (error: unknown) => setImmediate(() => done?.(error)),
  )
}

/**
 * Keeps the sessions of `express-session` in a memory: they outlive the process, are shared by all processes, and expire
 * with their cookies, which move with each request where `rolling` or `resave` ask for it.
 */
export class MemorySessionStore extends session.Store {
  readonly #sessions: TenantMemory['sessions']
  readonly #userIdOf: NonNullable<SessionStoreOptions['userIdOf']>
  readonly #ttl: number

  /** @throws ConfigurationError where the memory or the ttl is none. */
  constructor(options: SessionStoreOptions) {
    super()
    if (typeof options?.memory?.forTenant !== 'function')
      throw new ConfigurationError('option memory: must be a memory, such as createBackend returns')
    const { ttl = 86_400 } = options
    if (!(typeof ttl === 'number' && ttl > 0)) throw new ConfigurationError('option ttl: must be seconds above 0')
    this.#sessions = options.memory.forTenant(options.tenantId ?? 'express-session').sessions
    this.#userIdOf = options.userIdOf ?? (() => undefined)
    this.#ttl = ttl
  }

  #end(data: SessionData): Date {
    const { expires } = data.cookie ?? {}
    return expires ? new Date(expires) : new Date(Date.now() + this.#ttl * 1000)
  }

  override get(sid: string, done: (error: unknown, data?: SessionData | null) => void): void {
    answer(
      this.#sessions.get(sid).then((found) => (found?.state.session ?? null) as unknown as SessionData | null),
      done as Done<SessionData | null>,
    )
  }

  override set(sid: string, data: SessionData, done?: Done): void {
    answer(this.#put(sid, data), done)
  }

  async #put(sid: string, data: SessionData): Promise<void> {
    // As JSON, which is all that a store of express-session keeps.
    const state: JsonObject = { session: JSON.parse(JSON.stringify(data)) as JsonObject }
    const expiresAt = this.#end(data)
    const userId = this.#userIdOf(data) ?? 'anonymous'
    try {
      await this.#sessions.update(sid, { state, expiresAt })
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
      try {
        await this.#sessions.create({ id: sid, userId, state, expiresAt })
      } catch (conflict) {
        // Another request of the same session was faster.
        if (!(conflict instanceof ConflictError)) throw conflict
        await this.#sessions.update(sid, { state, expiresAt })
      }
    }
  }

  override touch(sid: string, data: SessionData, done?: Done): void {
    answer(orGone(this.#sessions.update(sid, { expiresAt: this.#end(data) })), done)
  }

  override destroy(sid: string, done?: Done): void {
    answer(orGone(this.#sessions.delete(sid)), done)
  }

  override all(done: (error: unknown, data?: SessionData[]) => void): void {
    answer(this.#all(), done as Done<SessionData[]>)
  }

  async #all(): Promise<SessionData[]> {
    const all: SessionData[] = []
    for await (const { state } of this.#sessions.each())
      if (state.session) all.push(state.session as unknown as SessionData)
    return all
  }

  override length(done: (error: unknown, length?: number) => void): void {
    answer(
      this.#all().then((all) => all.length),
      done as Done<number>,
    )
  }

  override clear(done?: Done): void {
    answer(this.#clear(), done)
  }

  async #clear(): Promise<void> {
    const ids: string[] = []
    for await (const { id } of this.#sessions.each()) ids.push(id)
    for (const id of ids) await orGone(this.#sessions.delete(id))
  }
}

/** A session that is gone already is no error. */
async function orGone(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
  }
}

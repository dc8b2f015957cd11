/** What writes tell. A message's key is [conversation, id]; the others' is [id]. */
export const EVENT_TYPES = [
  'user.created',
  'user.updated',
  'user.deleted',
  'conversation.created',
  'conversation.updated',
  'conversation.deleted',
  'message.appended',
  'message.updated',
  'message.deleted',
  'messages.cleared',
  'session.created',
  'session.updated',
  'session.ended',
  'session.deleted',
  'memory.added',
  'memory.updated',
  'memory.deleted',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** That a record was written: its key, never its content. */
export interface MemoryEvent {
  /** Rises within a tenant. */
  readonly id: string
  readonly type: EventType
  readonly tenantId: string
  readonly key: readonly string[]
  /** Of several messages that were appended together: how many; the key is the last one's. */
  readonly count: number
  readonly at: Date
}

export type EventListener = (event: MemoryEvent) => void | Promise<void>

export interface Subscription extends AsyncDisposable {
  /** Fulfilled once events arrive. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

export interface ConsumeOptions {
  /** Where a consumer begins that was never seen: with the oldest event kept (default), or with the next one. */
  readonly from?: 'oldest' | 'now' | undefined
  /** Milliseconds after which an event that was handed out and not finished is handed out again, default 30,000. */
  readonly retryAfter?: number | undefined
  /** Only these types. */
  readonly types?: readonly EventType[] | undefined
  /** Told what a handler threw; the event comes again. */
  readonly onError?: ((error: unknown, event: MemoryEvent) => void) | undefined
}

/** The events of one tenant. */
export interface Events {
  /** Live: what happens while it listens, to every listener. Nothing is kept for one who is away. */
  on(type: EventType | '*', listener: EventListener): Subscription
  /**
   * At least once: every event is handed to one of the processes that consume under this name, in order within a
   * process, and again until its handler has succeeded, also after a crash. Of a tenant's events the newest are kept
   * (`events.keep`); a consumer that falls further behind misses the oldest.
   */
  consume(name: string, handler: EventListener, options?: ConsumeOptions): Subscription
}

import type { UIMessage } from 'ai'
import type { TenantMemory } from '../../contract/memory.js'
import { ConflictError } from '../../errors.js'
import type { MessageStatus } from '../../model/records.js'
import { stored } from './message.js'

export interface DraftOptions {
  /** Milliseconds between two writes while the message grows. Default 500. */
  readonly interval?: number | undefined
}

interface Place {
  readonly memory: TenantMemory
  readonly chatId: string
  readonly userId: string
}

/** A message that is still being made. What was written of it is there after a crash, with the status `draft`. */
export class MessageDraft<M extends UIMessage = UIMessage> {
  #latest: M
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> = Promise.resolve()
  #failed: unknown = null
  #ended = false

  constructor(
    readonly place: Place,
    message: M,
    readonly options: DraftOptions = {},
  ) {
    this.#latest = message
  }

  get id(): string {
    return this.#latest.id
  }

  /** Stores its beginning. A message that is there under its id is made anew: an answer that is generated again. */
  async open(): Promise<this> {
    await this.#store('draft')
    return this
  }

  /**
   * The message as it is by now. It is stored soon, however often it is told.
   *
   * @throws ConflictError where the draft has ended; whatever an earlier write failed with.
   */
  update(message: M): void {
    if (this.#failed) throw this.#failed
    if (this.#ended) throw new ConflictError('the draft has ended')
    this.#latest = { ...message, id: this.id }
    const { interval = 500 } = this.options
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#writing = this.#writing
        .then(() => this.#store('draft'))
        .catch((error: unknown) => {
          this.#failed = error
        })
    }, interval)
  }

  /** It is complete. */
  finish(message?: M): Promise<void> {
    return this.#end('complete', message)
  }

  /** It stays as far as it came, and says so. */
  abort(message?: M): Promise<void> {
    return this.#end('aborted', message)
  }

  async #end(status: MessageStatus, message: M | undefined): Promise<void> {
    if (this.#ended) throw new ConflictError('the draft has ended')
    this.#ended = true
    if (message) this.#latest = { ...message, id: this.id }
    if (this.#timer) clearTimeout(this.#timer)
    await this.#writing
    await this.#store(status)
  }

  async #store(status: MessageStatus): Promise<void> {
    const { memory, chatId, userId } = this.place
    await memory.messages.upsert(chatId, [stored(this.#latest, status)], { userId })
  }
}

import type { MessageRepository } from '../../contract/repositories.js'
import type { Message } from '../../model/records.js'
import { messageSays } from './compare.js'

export interface StoredMessage {
  readonly says: string
  readonly parentId: string | null
}

const PAGE = 1000
const WINDOW = 4000

const remember = (message: Message): StoredMessage => ({ says: messageSays(message), parentId: message.parentId })

/**
 * What a conversation already holds. A file that was imported before has its messages in the order of their positions,
 * so reading pages alongside answers without a query per message; only messages out of that order are asked for one by
 * one. A message that was found is not kept: at most 4,000 wait to be found. A second one with its id is taken for
 * missing, and the store then refuses to add it.
 */
export class StoredMessages {
  readonly #window = new Map<string, StoredMessage>()
  #cursor: string | undefined
  #atEnd: boolean
  #forgot = false

  constructor(
    readonly conversationId: string,
    messageCount: number,
  ) {
    this.#atEnd = messageCount === 0
  }

  async find(messages: MessageRepository, id: string): Promise<StoredMessage | null> {
    const known = this.#take(id)
    if (known) return known
    if (!this.#atEnd) await this.#readOn(messages)
    const found = this.#take(id)
    if (found || (this.#atEnd && !this.#forgot)) return found ?? null
    const message = await messages.get(this.conversationId, id)
    return message ? remember(message) : null
  }

  #take(id: string): StoredMessage | undefined {
    const found = this.#window.get(id)
    if (found) this.#window.delete(id)
    return found
  }

  async #readOn(messages: MessageRepository): Promise<void> {
    const from = this.#cursor === undefined ? { first: PAGE } : { after: this.#cursor, limit: PAGE }
    const page = await messages.list(this.conversationId, from)
    for (const message of page.items) this.#window.set(message.id, remember(message))
    this.#atEnd = !page.hasMore || page.after === null
    this.#cursor = page.after ?? this.#cursor
    for (const oldest of this.#window.keys()) {
      if (this.#window.size <= WINDOW) break
      this.#window.delete(oldest)
      this.#forgot = true
    }
  }
}

import { isDeepStrictEqual } from 'node:util'
import type { UIMessage } from 'ai'
import type { TenantMemory } from '../../contract/memory.js'
import type { Message, MessageStatus } from '../../model/records.js'
import { type DraftOptions, MessageDraft } from './draft.js'
import { shown, stored } from './message.js'

export { type DraftOptions, MessageDraft } from './draft.js'

export interface ChatStoreOptions {
  /** A memory in one tenant. */
  readonly memory: TenantMemory
  /** Whose the chats are. The user and a chat are made with its first message. */
  readonly userId: string
}

/** Keeps the chats of the AI SDK: each is a conversation, and each message of it comes back as it was. */
export class ChatStore<M extends UIMessage = UIMessage> {
  constructor(readonly options: ChatStoreOptions) {}

  /** The messages of a chat, drafts and those that were aborted included; none where there is no such chat. */
  async load(chatId: string): Promise<M[]> {
    const messages: M[] = []
    for await (const message of this.options.memory.messages.each(chatId)) messages.push(shown<M>(message))
    return messages
  }

  /** How far each message came, by its id. */
  async statuses(chatId: string): Promise<ReadonlyMap<string, MessageStatus>> {
    const statuses = new Map<string, MessageStatus>()
    for await (const { id, status } of this.options.memory.messages.each(chatId)) statuses.set(id, status)
    return statuses
  }

  /**
   * Makes a chat what it is now, all or nothing: only what differs is written, and messages that are no longer there, such
   * as an answer that was generated again, are removed with all behind them.
   */
  async save(chatId: string, messages: readonly M[]): Promise<void> {
    const { memory, userId } = this.options
    await memory.unitOfWork(async (unit) => {
      const before: Message[] = []
      for await (const message of unit.messages.each(chatId)) before.push(message)
      const same = messages.findIndex(({ id }, i) => before[i]?.id !== id)
      const kept = same < 0 ? messages.length : same
      for (const { id } of before.slice(kept)) await unit.messages.delete(chatId, id)
      const written = messages
        .map((message) => stored(message, 'complete'))
        .filter((message, i) => i >= kept || !isSame(before[i] as Message, message))
      if (written.length > 0) await unit.messages.upsert(chatId, written, { userId })
    })
  }

  /** Begins a message that will grow: see `MessageDraft`. */
  draft(chatId: string, message: M, options: DraftOptions = {}): Promise<MessageDraft<M>> {
    const { memory, userId } = this.options
    return new MessageDraft<M>({ memory, chatId, userId }, message, options).open()
  }

  /**
   * Keeps a message while it is made: `snapshots` are those of `readUIMessageStream`. It is complete when they end, and
   * aborted where they fail, or where nobody wants any more of them.
   */
  async *keep(chatId: string, snapshots: AsyncIterable<M>, options: DraftOptions = {}): AsyncGenerator<M> {
    let draft: MessageDraft<M> | null = null
    let isThrough = false
    try {
      for await (const snapshot of snapshots) {
        if (draft) draft.update(snapshot)
        else draft = await this.draft(chatId, snapshot, options)
        yield snapshot
      }
      isThrough = true
    } finally {
      await (isThrough ? draft?.finish() : draft?.abort())
    }
  }
}

/** Whatever its status: what was aborted stays so until somebody changes it. */
const isSame = (before: Message, now: ReturnType<typeof stored>): boolean =>
  before.content === now.content &&
  before.role === now.role &&
  isDeepStrictEqual(before.parts, now.parts) &&
  isDeepStrictEqual(before.metadata, now.metadata)

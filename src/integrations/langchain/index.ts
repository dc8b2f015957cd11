import type { CallbackManagerForRetrieverRun } from '@langchain/core/callbacks/manager'
import { BaseListChatMessageHistory } from '@langchain/core/chat_history'
import { Document } from '@langchain/core/documents'
import {
  type BaseMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
  type StoredMessage,
} from '@langchain/core/messages'
import { BaseRetriever, type BaseRetrieverInput } from '@langchain/core/retrievers'
import type { TenantMemory } from '../../contract/memory.js'
import type { Hit, SearchQuery } from '../../contract/search.js'
import type { NewMessage } from '../../model/inputs.js'
import type { JsonValue, Role } from '../../model/records.js'

export interface MemoryChatHistoryOptions {
  /** A memory in one tenant. */
  readonly memory: TenantMemory
  readonly conversationId: string
  /** Whose it is. The user and the conversation are made with the first message. */
  readonly userId: string
  /** How many of the newest messages are answered. Default: all. */
  readonly last?: number | undefined
}

const ROLES: Readonly<Record<string, Role>> = {
  human: 'user',
  ai: 'assistant',
  system: 'system',
  developer: 'system',
  tool: 'tool',
  function: 'function',
}

function messageOf(message: BaseMessage): NewMessage {
  const [stored] = mapChatMessagesToStoredMessages([message]) as [StoredMessage]
  const { tool_call_id: call } = message as unknown as { readonly tool_call_id?: unknown }
  return {
    role: ROLES[message.getType()] ?? 'user',
    content: message.text,
    parts: [JSON.parse(JSON.stringify(stored)) as JsonValue],
    ...(typeof call === 'string' && { toolCallId: call }),
    ...(message.name && { name: message.name }),
  }
}

/** The messages of a chat as those of a conversation; each comes back as it was added. */
export class MemoryChatHistory extends BaseListChatMessageHistory {
  lc_namespace = ['bruno-memory', 'langchain']

  constructor(readonly options: MemoryChatHistoryOptions) {
    super()
  }

  async getMessages(): Promise<BaseMessage[]> {
    const { memory, conversationId, last } = this.options
    const stored: StoredMessage[] = []
    if (last !== undefined) {
      const { items } = await memory.messages.list(conversationId, { last })
      for (const { parts } of items) stored.push(...((parts ?? []) as unknown as StoredMessage[]))
    } else
      for await (const { parts } of memory.messages.each(conversationId))
        stored.push(...((parts ?? []) as unknown as StoredMessage[]))
    return mapStoredMessagesToChatMessages(stored)
  }

  async addMessage(message: BaseMessage): Promise<void> {
    await this.addMessages([message])
  }

  /** All or nothing. */
  override async addMessages(messages: BaseMessage[]): Promise<void> {
    const { memory, conversationId, userId } = this.options
    if (messages.length > 0) await memory.messages.append(conversationId, messages.map(messageOf), { userId })
  }

  override async clear(): Promise<void> {
    const { memory, conversationId } = this.options
    await memory.messages.clear(conversationId, { keepSystem: false })
  }
}

export interface MemoryRetrieverOptions extends BaseRetrieverInput {
  /** A memory in one tenant. */
  readonly memory: TenantMemory
  /** What is asked beside the text: kinds, filters, mode and limit. */
  readonly query?: Omit<SearchQuery, 'text'> | undefined
}

const documentOf = ({ kind, record, score }: Hit): Document =>
  new Document({
    id: record.id,
    pageContent: record.content,
    metadata: { ...record.metadata, kind, score },
  })

/** Finds what a memory knows: messages, memories and documents, the best first. */
export class MemoryRetriever extends BaseRetriever {
  lc_namespace = ['bruno-memory', 'langchain']
  readonly #memory: TenantMemory
  readonly #query: Omit<SearchQuery, 'text'>

  constructor({ memory, query = {}, ...rest }: MemoryRetrieverOptions) {
    super(rest)
    this.#memory = memory
    this.#query = query
  }

  override async _getRelevantDocuments(text: string, _run?: CallbackManagerForRetrieverRun): Promise<Document[]> {
    return (await this.#memory.search({ ...this.#query, text })).map(documentOf)
  }
}

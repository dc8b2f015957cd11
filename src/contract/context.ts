import type { Conversation, Document, JsonValue, MemoryEntry, Message, Session, User } from '../model/records.js'
import type { SearchMode } from './search.js'

/**
 * What fills the prompt. `recent`: the newest turns alone. `relevant`: memories and documents that the question finds may
 * take 60 % of the tokens. `important`: the same for memories by importance, and found documents. `mixed` (default):
 * 35 %, memories that are found first and then important ones. What one side leaves over goes to the other.
 */
export type ContextStrategy = 'recent' | 'relevant' | 'important' | 'mixed'

export interface ContextQuery {
  readonly userId: string
  readonly conversationId?: string | undefined
  /** What memories and documents are looked for by. Default: the newest user message of the conversation. */
  readonly text?: string | undefined
  /** The question's vector, where the caller has it already. */
  readonly vector?: ArrayLike<number> | undefined
  /** Default: `hybrid` where the memory can, else `text`. */
  readonly mode?: SearchMode | undefined
  readonly strategy?: ContextStrategy | undefined
  /** 1 to 1,000,000, default 4,000; counted by the memory's tokenizer, with the roles' overhead. */
  readonly maxTokens?: number | undefined
  /** Messages of the conversation, pinned ones included: 0 to 1,000, default 50. */
  readonly maxMessages?: number | undefined
  /** 0 to 1,000, default 10. */
  readonly maxMemories?: number | undefined
  /** 0 to 1,000, default 5; documents are looked for only where `namespaces` are given. */
  readonly maxDocuments?: number | undefined
  readonly namespaces?: readonly string[] | undefined
}

/** A message as model APIs take it. */
export interface LlmMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  readonly name?: string
  readonly tool_call_id?: string
  readonly tool_calls?: readonly JsonValue[]
}

export interface Context {
  readonly user: User
  /** The user's latest active session, or null. */
  readonly session: Session | null
  readonly conversation: Conversation | null
  /** Chronological: pinned system messages, then the newest turns. A tool call never stands without its result. */
  readonly messages: readonly Message[]
  /** Best first. */
  readonly memories: readonly MemoryEntry[]
  /** Best first. */
  readonly documents: readonly Document[]
  /** Of everything above as `toLLM()` writes it. */
  readonly tokens: number
  /** Whether messages of the conversation were left out. */
  readonly truncated: boolean
  /** Whether only words were searched although the memory has vectors, because its model failed. */
  readonly degraded: boolean
  toLLM(): LlmMessage[]
}

/** Counts tokens of a text. */
export interface Tokenizer {
  readonly name: string
  count(text: string): number
}

import type { Conversation, Document, MemoryEntry, Message, Session, User } from '../model/records.js'
import type { SearchMode } from './search.js'

/**
 * How the tokens are shared that pinned messages and the user's newest message leave: memories, documents, and the rest
 * for older messages. What one does not need goes to the others.
 *
 * | | memories | documents | messages |
 * | --- | --- | --- | --- |
 * | `recent` | none | none | 100 % |
 * | `relevant` | 30 %, found by the question | 30 % | 40 % |
 * | `important` | 40 %, by importance | 20 % | 40 % |
 * | `mixed` (default) | 20 %, found (at most 70 % of `maxMemories`), then by importance | 15 % | 65 % |
 */
export type ContextStrategy = 'recent' | 'relevant' | 'important' | 'mixed'

export interface ContextQuery {
  readonly userId: string
  readonly conversationId?: string | undefined
  /**
   * What memories and documents are looked for by. Default: the first 2,000 characters of the newest user message of the
   * conversation. Where there is neither that nor a `vector`, nothing is found.
   */
  readonly text?: string | undefined
  /** The question's vector, where the caller has it already; refused by a memory without vectors. */
  readonly vector?: ArrayLike<number> | undefined
  /**
   * Default: `hybrid` where the memory can, else `text`; and `text` where the model fails (see `degraded`) or, inside a
   * unit, would have to be waited for. The failure of a mode that is named here is thrown.
   */
  readonly mode?: SearchMode | undefined
  readonly strategy?: ContextStrategy | undefined
  /** 1 to 1,000,000, default 4,000; see `Context.tokens`. */
  readonly maxTokens?: number | undefined
  /** Messages of the conversation, pinned ones included: 0 to 1,000, default 50. */
  readonly maxMessages?: number | undefined
  /** 0 to 1,000, default 10. */
  readonly maxMemories?: number | undefined
  /** 0 to 1,000, default 5; documents are looked for only where `namespaces` are given. */
  readonly maxDocuments?: number | undefined
  /** At most 100. */
  readonly namespaces?: readonly string[] | undefined
}

/** A call of a tool, as chat-completion APIs take it. */
export interface LlmToolCall {
  readonly id: string
  readonly type: 'function'
  /** `arguments` is JSON text. */
  readonly function: { readonly name: string; readonly arguments: string }
}

/** A message as chat-completion APIs take it. */
export interface LlmMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  /** Only where APIs accept it: 1 to 64 letters, digits, `_` and `-`. */
  readonly name?: string
  readonly tool_call_id?: string
  readonly tool_calls?: readonly LlmToolCall[]
}

export interface Context {
  /** Null where the memory keeps no users, and so on for the others. */
  readonly user: User | null
  /** The user's latest active session, or null. */
  readonly session: Session | null
  readonly conversation: Conversation | null
  /**
   * Chronological: pinned system messages, then the newest turns, each whole; of a newest turn that does not fit, the
   * user's message and as much of the end as fits. The user's newest message goes before everything else, then pinned
   * messages (where they alone are too many, the newest), then turns. More tokens or messages never mean fewer of them,
   * as soon as the user's newest message fits. Drafts are left out, and so are a tool call without its result (its text
   * stays) and a result that does not follow its call at once.
   */
  readonly messages: readonly Message[]
  /** Best first; none that says what a message or another one says. */
  readonly memories: readonly MemoryEntry[]
  /** Best first. */
  readonly documents: readonly Document[]
  /**
   * Of what `toLLM()` answers: for each message its content, its name and one more, its tool calls as JSON, the id of
   * the call that it answers, and 4 for its frame. What an API adds for the reply is not counted.
   */
  readonly tokens: number
  /** Whether messages of the conversation were left out for want of room. */
  readonly truncated: boolean
  /** Whether only words were searched although the memory has vectors, because its model failed. */
  readonly degraded: boolean
  /**
   * Pinned messages, one system message with memories and documents, turns. A message without content is told by its
   * text parts; files, images and reasoning are skipped, and so is a message that has nothing else. The role `function`
   * becomes `tool`.
   */
  toLLM(): LlmMessage[]
}

/** Counts tokens. */
export interface Tokenizer {
  readonly name: string
  /** Of one text: at least 0; rounded up. Must not depend on anything but the text: answers are kept. */
  count(text: string): number
}

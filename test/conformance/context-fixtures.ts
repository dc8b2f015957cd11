import type { LlmMessage, Tokenizer } from '../../src/contract/context.js'
import type { JsonValue } from '../../src/model/records.js'
import { answers } from './fixtures.js'

/** One token for each word: what a context holds can be told in advance. */
export const WORDS: Tokenizer = { name: 'words', count: (text) => text.split(/\s+/).filter(Boolean).length }
/** What a message costs by `WORDS`: its words, and its frame. */
export const costOf = (...texts: string[]): number => texts.reduce((sum, text) => sum + WORDS.count(text) + 4, 0)

/** A text of `n` words. */
export const words = (n: number, word = 'w'): string => Array.from({ length: n }, () => word).join(' ')

export const calling = (content: string, ...ids: string[]) =>
  answers(content, { parts: ids.map((id): JsonValue => ({ type: 'tool_use', id, name: 'look', input: {} })) })
export const result = (toolCallId: string, content = 'found', role: 'tool' | 'function' = 'tool') => ({
  role,
  toolCallId,
  content,
})

/** What a chat-completion API would refuse, or null. */
export function invalid(messages: readonly LlmMessage[]): string | null {
  let open = new Set<string>()
  for (const [i, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (!open.delete(message.tool_call_id ?? '')) return `${i}: a result without its call`
      continue
    }
    if (open.size > 0) return `${i}: a call without its result`
    if (message.tool_calls) open = new Set(message.tool_calls.map(({ id }) => id))
    else if (message.content.trim() === '') return `${i}: says nothing`
  }
  return open.size > 0 ? 'the end: a call without its result' : null
}

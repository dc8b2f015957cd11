import type { LlmMessage } from '../contract/context.js'
import type { Message } from '../model/records.js'
import { callsOf, isResult, textOf } from './calls.js'

/** Messages that stand or fall together: one message, or calls with all their results. */
export interface Block {
  readonly messages: readonly Message[]
  /** As model APIs take them; empty where a message has no text that could be told, such as an image alone. */
  readonly llm: readonly LlmMessage[]
}

/** Names that chat-completion APIs accept. */
const API_NAME = /^[\w-]{1,64}$/
const named = ({ name }: Message) => (name !== null && API_NAME.test(name) ? { name } : {})

/** A message alone, without its calls. */
export function plain(message: Message): Block {
  const content = textOf(message)
  const role = message.role as 'system' | 'user' | 'assistant'
  return { messages: [message], llm: content.trim() === '' ? [] : [{ role, content, ...named(message) }] }
}

/**
 * A message with the results right behind it, chronological. A call without a result and a result without a call are
 * left out, for model APIs refuse them; null where nothing is left. The last of several results for one call counts.
 */
function exchange(asking: Message, following: readonly Message[]): Block | null {
  const calls = callsOf(asking)
  if (calls.length === 0) return plain(asking)
  const ids = new Set(calls.map(({ id }) => id))
  const answers = new Map<string, Message>()
  for (const result of following)
    if (result.toolCallId !== null && ids.has(result.toolCallId)) answers.set(result.toolCallId, result)
  const answered = calls.filter(({ id }) => answers.has(id))
  if (answered.length === 0) {
    const alone = plain(asking)
    return alone.llm.length > 0 ? alone : null
  }
  const results = following.filter((result) => answers.get(result.toolCallId ?? '') === result)
  const first: LlmMessage = { role: 'assistant', content: textOf(asking), ...named(asking), tool_calls: answered }
  const rest = results.map(
    (result): LlmMessage => ({ role: 'tool', content: textOf(result), tool_call_id: result.toolCallId as string }),
  )
  return { messages: [asking, ...results], llm: [first, ...rest] }
}

/** Blocks of messages that come newest first, newest first. Results are those of the message right in front of them. */
export async function* blocksOf(newestFirst: AsyncIterable<Message>): AsyncGenerator<Block> {
  let results: Message[] = []
  for await (const message of newestFirst) {
    if (isResult(message)) {
      results.push(message)
      continue
    }
    const block = exchange(message, results.toReversed())
    results = []
    if (block) yield block
  }
}

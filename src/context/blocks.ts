import type { LlmMessage } from '../contract/context.js'
import type { Message } from '../model/records.js'
import { answerOf, callsOf, textOf } from './calls.js'

/** Messages that stand or fall together: one message, or calls with all their results. */
export interface Block {
  readonly messages: readonly Message[]
  readonly llm: readonly LlmMessage[]
}

/** A user's message and everything up to the next one. */
export type Turn = readonly Block[]

function plain(message: Message): LlmMessage | null {
  const content = textOf(message)
  const { role, name } = message
  if (role === 'tool' || role === 'function' || content.trim() === '') return null
  return { role, content, ...(name && { name }) }
}

/** Calls and the results that follow them; what has no partner is left out, for model APIs refuse it. */
function exchange(asking: Message, results: readonly Message[]): Block | null {
  const answered = new Map(results.map((result) => [answerOf(result) as string, result]))
  const calls = callsOf(asking).filter((call) => answered.has(call.id))
  if (calls.length === 0) {
    const llm = plain(asking)
    return llm ? { messages: [asking], llm: [llm] } : null
  }
  const given = calls.map((call) => answered.get(call.id) as Message)
  const first: LlmMessage = {
    role: 'assistant',
    content: textOf(asking),
    ...(asking.name && { name: asking.name }),
    tool_calls: calls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: call.arguments },
    })),
  }
  const rest = given.map((result): LlmMessage => {
    return { role: 'tool', content: textOf(result), tool_call_id: result.toolCallId as string }
  })
  return { messages: [asking, ...results.filter((result) => given.includes(result))], llm: [first, ...rest] }
}

/** Chronological messages as blocks. A result is looked for in the tool messages right behind its call. */
export function blocksOf(messages: readonly Message[]): Block[] {
  const blocks: Block[] = []
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i] as Message
    const results: Message[] = []
    while (callsOf(message).length > 0 && i + 1 < messages.length && answerOf(messages[i + 1] as Message) !== null)
      results.push(messages[++i] as Message)
    const block = exchange(message, results)
    if (block) blocks.push(block)
  }
  return blocks
}

export function turnsOf(blocks: readonly Block[]): Turn[] {
  const turns: Block[][] = []
  for (const block of blocks) {
    const open = turns.at(-1)
    if (open && block.messages[0]?.role !== 'user') open.push(block)
    else turns.push([block])
  }
  return turns
}

import type { LlmMessage } from '../contract/context.js'
import type { Block, Turn } from './blocks.js'

/** Tokens that the framing of a message costs beside its text, as OpenAI counts them. */
export const OVERHEAD = 4

export type Count = (text: string) => number

export function tokensOf(count: Count, messages: readonly LlmMessage[]): number {
  return messages.reduce((sum, { content, name, tool_calls, tool_call_id }) => {
    const calls = tool_calls ? count(JSON.stringify(tool_calls)) : 0
    return (
      sum + OVERHEAD + count(content) + (name ? count(name) + 1 : 0) + calls + (tool_call_id ? count(tool_call_id) : 0)
    )
  }, 0)
}

export interface Room {
  readonly tokens: number
  readonly messages: number
}

const sizeOf = (count: Count, blocks: readonly Block[]): Room => ({
  tokens: blocks.reduce((sum, block) => sum + tokensOf(count, block.llm), 0),
  messages: blocks.reduce((sum, block) => sum + block.messages.length, 0),
})
const fits = (size: Room, room: Room): boolean => size.tokens <= room.tokens && size.messages <= room.messages
const less = (room: Room, size: Room): Room => ({
  tokens: room.tokens - size.tokens,
  messages: room.messages - size.messages,
})

/** The user's message of a turn that does not fit as a whole, and as much of the turn's end as fits beside it. */
function endOf(count: Count, turn: Turn, room: Room): Block[] {
  const [first, ...rest] = turn
  const asked = first?.messages[0]?.role === 'user' && fits(sizeOf(count, [first]), room) ? first : null
  let left = asked ? less(room, sizeOf(count, [asked])) : room
  const taken: Block[] = []
  for (const block of (asked ? rest : turn).toReversed()) {
    const size = sizeOf(count, [block])
    if (!fits(size, left)) break
    left = less(left, size)
    taken.unshift(block)
  }
  return asked ? [asked, ...taken] : taken
}

/** The newest turns, whole, as far as there is room; the oldest are dropped first. */
export function newest(count: Count, turns: readonly Turn[], room: Room): Block[] {
  let left = room
  const taken: Block[] = []
  for (const turn of turns.toReversed()) {
    const size = sizeOf(count, turn)
    if (!fits(size, left)) return taken.length === 0 ? endOf(count, turn, left) : taken
    left = less(left, size)
    taken.unshift(...turn)
  }
  return taken
}

/** The newest blocks that fit, in their order; those that do not are passed over. */
export function pinned(count: Count, blocks: readonly Block[], room: Room): Block[] {
  let left = room
  const taken: Block[] = []
  for (const block of blocks.toReversed()) {
    const size = sizeOf(count, [block])
    if (!fits(size, left)) continue
    left = less(left, size)
    taken.unshift(block)
  }
  return taken
}

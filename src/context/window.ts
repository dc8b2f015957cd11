import type { Message } from '../model/records.js'
import { type Block, blocksOf, plain } from './blocks.js'
import type { Conversed } from './read.js'
import { type Count, tokensOf } from './tokens.js'

export interface Room {
  readonly tokens: number
  readonly messages: number
}

export const sizeOf = (count: Count, { llm, messages }: Block): Room => ({
  tokens: tokensOf(count, llm),
  messages: messages.length,
})
const fits = (size: Room, room: Room): boolean => size.tokens <= room.tokens && size.messages <= room.messages
export const less = (room: Room, size: Room): Room => ({
  tokens: room.tokens - size.tokens,
  messages: room.messages - size.messages,
})
const more = (a: Room, b: Room): Room => ({ tokens: a.tokens + b.tokens, messages: a.messages + b.messages })
const NOTHING: Room = { tokens: 0, messages: 0 }

/** Blocks in their order, and whether that is all there was. */
export interface Taken {
  readonly blocks: readonly Block[]
  readonly whole: boolean
}

/** The newest system messages that fit, up to the first that does not: passing one over would let a larger budget hold fewer. */
export async function pinned(count: Count, conversed: Conversed, room: Room): Promise<Taken & { readonly left: Room }> {
  const blocks: Block[] = []
  let left = room
  for await (const message of conversed.systemMessages()) {
    const block = plain(message)
    const size = sizeOf(count, block)
    if (!fits(size, left)) return { blocks: blocks.toReversed(), whole: false, left }
    left = less(left, size)
    blocks.push(block)
  }
  return { blocks: blocks.toReversed(), whole: true, left }
}

/** The user's newest message, if the room has a place for it: it goes before everything else. */
export function asked(count: Count, message: Message | null, room: Room): Block | null {
  const block = message && plain(message)
  return block && fits(sizeOf(count, block), room) ? block : null
}

/**
 * The newest turns, each whole or not at all; of the newest one, if it does not fit, as much of its end as does. The
 * user's newest message has its place already, outside of the room. Reads no further than there is room.
 */
export async function newestTurns(
  count: Count,
  conversed: Conversed,
  question: Block | null,
  room: Room,
): Promise<Taken> {
  const isQuestion = (block: Block): boolean => block.messages[0]?.id === question?.messages[0]?.id
  const taken: Block[] = []
  let left = room
  let turn: Block[] = []
  let size = NOTHING
  let newest = true
  const stopped = (): Taken => {
    // All but the block that was too much.
    const end = newest ? turn.slice(0, -1) : []
    const first = newest && question ? [question] : []
    return { blocks: [...taken, ...end, ...first].toReversed(), whole: false }
  }
  for await (const block of blocksOf(conversed.turns())) {
    if (!isQuestion(block)) size = more(size, sizeOf(count, block))
    turn.push(block)
    if (!fits(size, left)) return stopped()
    if (block.messages[0]?.role !== 'user') continue
    left = less(left, size)
    taken.push(...turn)
    turn = []
    size = NOTHING
    newest = false
  }
  // Messages in front of the first user message are a turn too.
  return { blocks: [...taken, ...turn].toReversed(), whole: true }
}

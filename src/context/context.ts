import type { BackendScope } from '../contract/backend.js'
import type { Context } from '../contract/context.js'
import { NotFoundError } from '../errors.js'
import type { Message } from '../model/records.js'
import type { Block } from './blocks.js'
import { textOf } from './calls.js'
import type { CheckedContext } from './query.js'
import { Conversed } from './read.js'
import { relatedTo, type Searching } from './related.js'
import { type Count, tokensOf } from './tokens.js'
import { needsOf, tell, toldMessage } from './told.js'
import { asked, less, newestTurns, pinned, type Room, sizeOf, type Taken } from './window.js'

/** Characters of the user's newest message that are searched by, where the caller names no text. */
const QUESTION = 2000

/** Who and where; a part whose repository the memory lacks is null. */
async function placeOf({ users, conversations, sessions }: BackendScope, query: CheckedContext) {
  const { userId, conversationId } = query
  const user = users ? await users.get(userId) : null
  if (users && user === null) throw new NotFoundError('user')
  const conversation = conversations && conversationId !== null ? await conversations.get(conversationId) : null
  if (conversations && conversationId !== null && conversation?.userId !== userId)
    throw new NotFoundError('conversation')
  const session = sessions ? await sessions.latest(userId) : null
  return { user, conversation, session }
}

/** What goes before everything else: the user's newest message, and pinned messages. */
interface Fixed {
  readonly question: Block | null
  readonly system: Taken
  readonly left: Room
}

async function fixedOf(count: Count, conversed: Conversed, newest: Message | null, room: Room): Promise<Fixed> {
  const question = asked(count, newest, room)
  const rest = question ? less(room, sizeOf(count, question)) : room
  const { left, ...system } = await pinned(count, conversed, rest)
  return { question, system, left }
}

const EMPTY: Taken = { blocks: [], whole: true }

function older(count: Count, conversed: Conversed, fixed: Fixed, tokens: number): Promise<Taken> {
  // As long as pinned messages are missing, their places are not given to others.
  if (!fixed.system.whole)
    return Promise.resolve({ blocks: fixed.question === null ? [] : [fixed.question], whole: false })
  return newestTurns(count, conversed, fixed.question, { ...fixed.left, tokens })
}

const llmOf = (blocks: readonly Block[]) => blocks.flatMap(({ llm }) => llm)

/** What belongs into the prompt; written over the repositories, so that every backend answers alike. */
export async function makeContext(count: Count, searching: Searching, query: CheckedContext): Promise<Context> {
  const { scope } = searching
  const place = await placeOf(scope, query)
  // Messages whose owner is not known are nobody's to read.
  const conversed = scope.messages && place.conversation ? new Conversed(scope.messages, place.conversation.id) : null
  const newest = (await conversed?.newestOfUser()) ?? null
  const question = query.text ?? (newest ? textOf(newest).slice(0, QUESTION).toWellFormed() : '')
  const related = await relatedTo(searching, query, question)
  const room: Room = { tokens: query.maxTokens, messages: query.maxMessages }
  const fixed = conversed
    ? await fixedOf(count, conversed, newest, room)
    : { question: null, system: EMPTY, left: room }
  const needs = needsOf(count, query, related, fixed.left.tokens)
  const kept = fixed.left.tokens - needs.memories - needs.documents
  const turns = conversed ? await older(count, conversed, fixed, kept) : EMPTY
  const blocks = [...fixed.system.blocks, ...turns.blocks]
  const messages = blocks.flatMap((block) => block.messages)
  const told = tell(count, query, related, messages, needs, room.tokens - tokensOf(count, llmOf(blocks)))
  const message = toldMessage(told)
  const llm = [...llmOf(fixed.system.blocks), ...(message ? [message] : []), ...llmOf(turns.blocks)]
  return {
    ...place,
    messages,
    ...told,
    tokens: tokensOf(count, llm),
    truncated: !fixed.system.whole || !turns.whole,
    degraded: related.degraded,
    toLLM: () => structuredClone(llm),
  }
}

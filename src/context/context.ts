import type { BackendScope } from '../contract/backend.js'
import type { Context, LlmMessage } from '../contract/context.js'
import type { Page } from '../contract/page.js'
import { NotFoundError, UnsupportedError } from '../errors.js'
import type { Document, MemoryEntry, Message } from '../model/records.js'
import { type Block, blocksOf, turnsOf } from './blocks.js'
import { type CheckedContext, SHARES } from './query.js'
import { type Related, relatedTo } from './related.js'
import { type Count, newest, OVERHEAD, pinned, type Room, tokensOf } from './select.js'

/** Messages read at a time, newest first. */
const PAGE = 50

interface Recent {
  /** Chronological, without system messages and drafts. */
  readonly messages: readonly Message[]
  readonly whole: boolean
}

/** The newest messages, until they fill the room for sure or there are no more. */
async function recentOf(scope: BackendScope, count: Count, conversationId: string, room: Room): Promise<Recent> {
  const kept: Message[] = []
  let tokens = 0
  let before: string | null = null
  for (;;) {
    const page: Page<Message> | undefined = await scope.messages?.list(
      conversationId,
      before === null ? { last: PAGE } : { before, limit: PAGE },
    )
    if (!page) return { messages: [], whole: true }
    const fitting = page.items.filter((m) => m.role !== 'system' && m.status !== 'draft')
    kept.unshift(...fitting)
    tokens += fitting.reduce((sum, m) => sum + count(m.content) + OVERHEAD, 0)
    if (!page.hasMore || page.before === null) return { messages: kept, whole: true }
    if (tokens > room.tokens || kept.length > room.messages + PAGE) return { messages: kept, whole: false }
    before = page.before
  }
}

async function systemMessages(scope: BackendScope, conversationId: string): Promise<Block[]> {
  const page = await scope.messages?.list(conversationId, { last: 1000, roles: ['system'] })
  return blocksOf((page?.items ?? []).filter((m) => m.status !== 'draft'))
}

const line = (text: string): string => `- ${text.replace(/\s+/g, ' ').trim()}`
const normal = (text: string): string => text.replace(/\s+/g, ' ').trim().toLowerCase()

/** One system message with what was found, under plain headings; null where nothing was. */
export function relatedMessage(memories: readonly MemoryEntry[], documents: readonly Document[]): LlmMessage | null {
  const parts: string[] = []
  if (memories.length > 0)
    parts.push(['What is known about the user:', ...memories.map((m) => line(m.content))].join('\n'))
  if (documents.length > 0)
    parts.push(['From the documents:', ...documents.map((d) => `[${d.namespace}/${d.id}]\n${d.content}`)].join('\n'))
  return parts.length === 0 ? null : { role: 'system', content: parts.join('\n\n') }
}

/** As many of the memories and documents, best first, as the tokens allow; none twice, none that a message says. */
function fitting(count: Count, related: Related, said: readonly Block[], tokens: number) {
  const known = new Set(said.flatMap((block) => block.messages.map((m) => normal(m.content))))
  const memories: MemoryEntry[] = []
  const documents: Document[] = []
  const cost = () => {
    const message = relatedMessage(memories, documents)
    return message ? tokensOf(count, [message]) : 0
  }
  const take = <T extends MemoryEntry | Document>(from: readonly T[], into: T[]) => {
    for (const record of from) {
      const text = normal(record.content)
      if (known.has(text)) continue
      into.push(record)
      if (cost() > tokens) into.pop()
      else known.add(text)
    }
  }
  take(related.memories, memories)
  take(related.documents, documents)
  return { memories, documents, tokens: cost() }
}

async function people(scope: BackendScope, query: CheckedContext) {
  if (!scope.users || !scope.messages || !scope.conversations)
    throw new UnsupportedError(
      'users',
      'this memory keeps no users and conversations: add SQLite or PostgreSQL as the primary',
    )
  const { userId, conversationId } = query
  const user = await scope.users.get(userId)
  if (!user) throw new NotFoundError('user')
  const conversation = conversationId === null ? null : await scope.conversations.get(conversationId)
  if (conversationId !== null && conversation?.userId !== userId) throw new NotFoundError('conversation')
  const session = (await scope.sessions?.latest(userId)) ?? null
  return { user, conversation, session }
}

/** What belongs into the prompt; written over the repositories, so that every backend answers alike. */
export async function makeContext(
  scope: BackendScope,
  query: CheckedContext,
  count: Count,
  vectors: boolean,
): Promise<Context> {
  const { user, conversation, session } = await people(scope, query)
  const room: Room = { tokens: query.maxTokens, messages: query.maxMessages }
  const system = conversation ? await systemMessages(scope, conversation.id) : []
  const top = pinned(count, system, room)
  const used = tokensOf(
    count,
    top.flatMap((block) => block.llm),
  )
  const left: Room = { tokens: room.tokens - used, messages: room.messages - top.length }
  const recent = conversation ? await recentOf(scope, count, conversation.id, left) : { messages: [], whole: true }
  const turns = turnsOf(blocksOf(recent.messages))
  const share = Math.floor(left.tokens * (1 - SHARES[query.strategy]))
  const first = newest(count, turns, { ...left, tokens: share })
  const question = query.text ?? recent.messages.findLast((m) => m.role === 'user')?.content ?? ''
  const related = await relatedTo(scope, query, question, vectors)
  const spent = tokensOf(
    count,
    first.flatMap((block) => block.llm),
  )
  const found = fitting(count, related, first, left.tokens - spent)
  // What memories and documents left over goes to older turns.
  const window = newest(count, turns, { ...left, tokens: left.tokens - found.tokens })
  const told = fitting(count, { ...found, degraded: false }, window, found.tokens)
  const message = relatedMessage(told.memories, told.documents)
  const llm = [...top.flatMap((b) => b.llm), ...(message ? [message] : []), ...window.flatMap((b) => b.llm)]
  const messages = [...top, ...window].flatMap((block) => block.messages)
  const seen = new Set(messages.map(({ id }) => id))
  return {
    user,
    session,
    conversation,
    messages,
    memories: told.memories,
    documents: told.documents,
    tokens: tokensOf(count, llm),
    truncated:
      !recent.whole || [...system.flatMap((b) => b.messages), ...recent.messages].some(({ id }) => !seen.has(id)),
    degraded: related.degraded,
    toLLM: () => structuredClone(llm),
  }
}

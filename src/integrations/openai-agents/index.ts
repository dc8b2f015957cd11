import type { AgentInputItem, Session, SessionHistoryRewriteArgs } from '@openai/agents-core'
import type { TenantMemory } from '../../contract/memory.js'
import type { NewMessage } from '../../model/inputs.js'
import type { JsonValue, Role } from '../../model/records.js'

export interface MemorySessionOptions {
  /** A memory in one tenant. */
  readonly memory: TenantMemory
  /** The conversation that the items are kept in. */
  readonly sessionId: string
  /** Whose it is. The user and the conversation are made with the first item. */
  readonly userId: string
}

const PAGE = 200

/** The items of an agent as messages of a conversation. Each keeps its item as it is, and its text can be searched. */
export class MemorySession implements Session {
  constructor(readonly options: MemorySessionOptions) {}

  async getSessionId(): Promise<string> {
    return this.options.sessionId
  }

  /** @param limit The newest so many, in their order. */
  async getItems(limit?: number): Promise<AgentInputItem[]> {
    const { memory, sessionId } = this.options
    if (limit !== undefined && limit <= 0) return []
    const items: AgentInputItem[] = []
    let page = await memory.messages.list(sessionId, { last: Math.min(limit ?? PAGE, PAGE) })
    for (;;) {
      items.unshift(...page.items.flatMap(({ parts }) => (parts ?? []) as unknown as AgentInputItem[]))
      const left = limit === undefined ? PAGE : limit - items.length
      if (left <= 0 || !page.hasMore || page.before === null) return limit === undefined ? items : items.slice(-limit)
      page = await memory.messages.list(sessionId, { before: page.before, limit: Math.min(left, PAGE) })
    }
  }

  /** All or nothing. */
  async addItems(items: AgentInputItem[]): Promise<void> {
    const { memory, sessionId, userId } = this.options
    if (items.length > 0) await memory.messages.append(sessionId, items.map(messageOf), { userId })
  }

  /** Of two callers, each is given another item. */
  popItem(): Promise<AgentInputItem | undefined> {
    const { memory, sessionId } = this.options
    return memory.unitOfWork(async (unit) => {
      // Whoever pops or adds at the same time waits for this row.
      if ((await unit.conversations.get(sessionId)) === null) return undefined
      await unit.conversations.update(sessionId, {})
      const { items } = await unit.messages.list(sessionId, { last: 1 })
      const [newest] = items
      if (!newest) return undefined
      await unit.messages.delete(sessionId, newest.id)
      return newest.parts?.[0] as unknown as AgentInputItem | undefined
    })
  }

  async clearSession(): Promise<void> {
    const { memory, sessionId } = this.options
    await memory.messages.clear(sessionId, { keepSystem: false })
  }

  /** Puts other calls in the place of those that were stored, where they stand. */
  async applyHistoryMutations({ mutations }: SessionHistoryRewriteArgs): Promise<void> {
    const { memory, sessionId } = this.options
    await memory.unitOfWork(async (unit) => {
      for (const { callId, replacement } of mutations)
        for await (const { id, parts } of unit.messages.each(sessionId)) {
          const item = parts?.[0] as unknown as AgentInputItem | undefined
          if (item?.type !== 'function_call' || item.callId !== callId) continue
          await unit.messages.update(sessionId, id, { parts: [plain(replacement)], content: textOf(replacement) })
        }
    })
  }
}

/** What JSON keeps of it. */
const plain = (item: AgentInputItem): JsonValue => JSON.parse(JSON.stringify(item))

const ROLES: readonly string[] = ['user', 'assistant', 'system']

function roleOf(item: AgentInputItem): Role {
  if ('role' in item && ROLES.includes(item.role as string)) return item.role as Role
  return /_(result|output)$/.test(item.type ?? '') ? 'tool' : 'assistant'
}

/** The words of an item: those of a message, or of a tool's answer. */
function textOf(item: AgentInputItem): string {
  const { content, output } = item as { readonly content?: unknown; readonly output?: unknown }
  return [content, output].map(wordsOf).filter(Boolean).join('\n')
}

function wordsOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(wordsOf).filter(Boolean).join('\n')
  const { text } = (value ?? {}) as { readonly text?: unknown }
  return typeof text === 'string' ? text : ''
}

const callOf = (item: AgentInputItem): { readonly toolCallId?: string } =>
  'callId' in item && typeof item.callId === 'string' ? { toolCallId: item.callId } : {}

const messageOf = (item: AgentInputItem): NewMessage => ({
  role: roleOf(item),
  content: textOf(item),
  parts: [plain(item)],
  ...callOf(item),
})

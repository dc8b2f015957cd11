import type { BackendScope } from '../contract/backend.js'
import type { Page } from '../contract/page.js'
import type { Message, Role } from '../model/records.js'

/** Messages read at a time. */
const PAGE = 50

type Messages = NonNullable<BackendScope['messages']>

/** Messages newest first, read in pages as far as they are asked for. Drafts are left out. */
async function* newestFirst(
  messages: Messages,
  conversationId: string,
  roles: readonly Role[] | undefined,
  first?: Page<Message>,
): AsyncGenerator<Message> {
  const narrowed = roles && { roles }
  let page = first ?? (await messages.list(conversationId, { last: PAGE, ...narrowed }))
  for (;;) {
    for (const message of page.items.toReversed()) if (message.status !== 'draft') yield message
    if (!page.hasMore || page.before === null) return
    page = await messages.list(conversationId, { before: page.before, limit: PAGE, ...narrowed })
  }
}

/** A conversation, read from its end. Its newest page is read once, whatever is asked. */
export class Conversed {
  #newest: Promise<Page<Message>> | null = null
  constructor(
    readonly messages: Messages,
    readonly conversationId: string,
  ) {}

  #first(): Promise<Page<Message>> {
    this.#newest ??= this.messages.list(this.conversationId, { last: PAGE })
    return this.#newest
  }

  systemMessages(): AsyncGenerator<Message> {
    return newestFirst(this.messages, this.conversationId, ['system'])
  }

  /** All but system messages. */
  async *turns(): AsyncGenerator<Message> {
    for await (const message of newestFirst(this.messages, this.conversationId, undefined, await this.#first()))
      if (message.role !== 'system') yield message
  }

  async newestOfUser(): Promise<Message | null> {
    const page = await this.#first()
    const near = page.items.findLast(({ role, status }) => role === 'user' && status !== 'draft')
    if (near || !page.hasMore) return near ?? null
    for await (const message of newestFirst(this.messages, this.conversationId, ['user'])) return message
    return null
  }
}

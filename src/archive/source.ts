import type { TenantMemory } from '../contract/memory.js'
import type { Page } from '../contract/page.js'
import { UnsupportedError } from '../errors.js'
import type { ArchiveEntry } from './record.js'

export interface SourceOptions {
  /** Only this user's records. Documents belong to no user and are left out. */
  readonly userId?: string | undefined
  /** Also records whose `expiresAt` has passed. Default false: what reads show. */
  readonly includeExpired?: boolean | undefined
}

/**
 * Every record of a tenant, each after those that it needs: users, then each conversation followed by its messages,
 * sessions, memories, documents. It is read in pages, not from one snapshot: a conversation never stands without the
 * messages that it had when its turn came, and what is written meanwhile may or may not be there.
 */
export async function* recordsOf(memory: TenantMemory, options: SourceOptions = {}): AsyncGenerator<ArchiveEntry> {
  const { userId } = options
  const read = { includeExpired: options.includeExpired === true }
  yield* usersOf(memory, userId)
  for await (const conversation of memory.conversations.each({ userId, ...read })) {
    yield { kind: 'conversation', record: conversation }
    for await (const record of memory.messages.each(conversation.id, read)) yield { kind: 'message', record }
  }
  for await (const record of memory.sessions.each({ userId, ...read })) yield { kind: 'session', record }
  for await (const record of memory.memories.each({ userId, ...read })) yield { kind: 'memory', record }
  if (userId === undefined) yield* documentsOf(memory, read)
}

async function* usersOf(memory: TenantMemory, userId: string | undefined): AsyncGenerator<ArchiveEntry> {
  if (userId === undefined) {
    for await (const record of memory.users.each()) yield { kind: 'user', record }
    return
  }
  const record = await memory.users.get(userId)
  if (record) yield { kind: 'user', record }
}

async function* documentsOf(
  memory: TenantMemory,
  read: { readonly includeExpired: boolean },
): AsyncGenerator<ArchiveEntry> {
  let after: string | undefined
  for (;;) {
    const page = await namespacesOf(memory, after)
    for (const namespace of page.items)
      for await (const record of memory.documents.each(namespace, read)) yield { kind: 'document', record }
    if (!page.hasMore || page.after === null) return
    after = page.after
  }
}

/** A store that keeps no documents has none to be read. */
async function namespacesOf(memory: TenantMemory, after: string | undefined): Promise<Page<string>> {
  try {
    return await memory.documents.namespaces(after === undefined ? {} : { after })
  } catch (error) {
    if (error instanceof UnsupportedError && error.capability === 'documents')
      return { items: [], before: null, after: null, hasMore: false }
    throw error
  }
}

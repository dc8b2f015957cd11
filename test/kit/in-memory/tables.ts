import type { StoredOperation } from '../../../src/backend-kit.js'
import type { Conversation, MemoryEntry, Message, Session, User } from '../../../src/index.js'
import { Table } from './table.js'

export interface Operation extends StoredOperation {
  readonly operationId: string
  readonly expiresAt: Date
}

/** All that one tenant has. */
export interface Tables {
  readonly users: Table<User>
  readonly conversations: Table<Conversation>
  /** By `messageKey`. */
  readonly messages: Table<Message>
  readonly sessions: Table<Session>
  readonly memories: Table<MemoryEntry>
  readonly operations: Table<Operation>
}

/** Ids may hold any character: only a text that is quoted tells (`a:`, `b`) from (`a`, `:b`). */
export const messageKey = (conversationId: string, id: string): string => JSON.stringify([conversationId, id])

/** Tables over others: what is written is theirs once it is committed. */
export const over = (below: Tables | null): Tables => ({
  users: new Table(below?.users),
  conversations: new Table(below?.conversations),
  messages: new Table(below?.messages),
  sessions: new Table(below?.sessions),
  memories: new Table(below?.memories),
  operations: new Table(below?.operations),
})

export function commit(tables: Tables): void {
  for (const table of Object.values(tables) as Table<object>[]) table.commit()
}

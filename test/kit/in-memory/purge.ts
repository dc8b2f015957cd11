import { batchSize, isAlive } from '../../../src/backend-kit.js'
import type { PurgeOptions, PurgeReport } from '../../../src/index.js'
import type { Context } from './context.js'
import { deleteConversation } from './delete.js'
import type { Table } from './table.js'

function drop<R extends { readonly expiresAt: Date | null }>(
  table: Table<R>,
  now: number,
  key: (row: R) => string,
): number {
  const due = table.rows().filter((row) => !isAlive(row, now))
  for (const row of due) table.delete(key(row))
  return due.length
}

/** Removes what has expired in one tenant. It takes no time that a batch could shorten. */
export async function purge(context: Context, options: PurgeOptions): Promise<PurgeReport> {
  batchSize(options)
  return context.write((tables) => {
    const now = context.clock()
    const due = tables.conversations.rows().filter((row) => !isAlive(row, now))
    const messages = due.reduce((sum, { id }) => sum + deleteConversation(context, tables, id), 0)
    return {
      conversations: due.length,
      messages,
      sessions: drop(tables.sessions, now, ({ id }) => id),
      memories: drop(tables.memories, now, ({ id }) => id),
      documents: 0,
      operations: drop(tables.operations, now, ({ operationId }) => operationId),
    }
  })
}

import { checkId, checkNames, isAlive } from '../../../src/backend-kit.js'
import type { MemoryType, Statistics } from '../../../src/index.js'
import type { Context } from './context.js'
import type { Tables } from './tables.js'

function countTables(tables: Tables, now: number, userId: string | undefined): Statistics {
  const mine = <R extends { readonly userId: string; readonly expiresAt: Date | null }>(rows: readonly R[]): R[] =>
    rows.filter((row) => isAlive(row, now) && (userId === undefined || row.userId === userId))
  const conversations = mine(tables.conversations.rows())
  const sessions = mine(tables.sessions.rows())
  const memories = mine(tables.memories.rows())
  const memoriesByType: { [T in MemoryType]?: number } = {}
  for (const { type } of memories) memoriesByType[type] = (memoriesByType[type] ?? 0) + 1
  return {
    users: tables.users.rows().filter(({ id }) => userId === undefined || id === userId).length,
    conversations: conversations.length,
    messages: conversations.reduce((sum, { messageCount }) => sum + messageCount, 0),
    sessions: sessions.length,
    activeSessions: sessions.filter(({ endedAt }) => endedAt === null).length,
    memories: memories.length,
    memoriesByType,
    documents: userId === undefined ? 0 : null,
  }
}

export function statistics(context: Context) {
  return async (options: { readonly userId?: string | undefined }): Promise<Statistics> => {
    checkNames(options, ['userId'])
    const { userId } = options
    if (userId !== undefined) checkId(userId, 'userId')
    return context.read((tables) => countTables(tables, context.clock(), userId))
  }
}

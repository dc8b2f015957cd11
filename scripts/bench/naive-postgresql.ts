import { and, desc, eq, sql as raw } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { v7 } from 'uuid'
import * as schema from '../../schema/postgresql.js'
import type { Analyzer } from '../../src/search/analyzer.js'

/** Drizzle as its documentation has it: no prepared statements, a transaction for the two writes. */
export function naive(url: string, analyzer: Analyzer) {
  const client = postgres(url, { max: 10, onnotice: () => {} })
  const db = drizzle(client)
  const { conversations: c, messages: m } = schema
  return {
    append: (conversationId: string, content: string) =>
      db.transaction(async (tx) => {
        const now = new Date()
        const [row] = await tx
          .update(c)
          .set({
            lastPosition: raw`${c.lastPosition} + 1`,
            messageCount: raw`${c.messageCount} + 1`,
            updatedAt: now,
            revision: raw`nextval('bruno_revision')`,
          } as never)
          .where(and(eq(c.tenantId, 'default'), eq(c.id, conversationId)))
          .returning({ position: c.lastPosition })
        await tx.insert(m).values({
          tenantId: 'default',
          conversationId,
          id: v7(),
          position: row?.position,
          role: 'user',
          type: 'text',
          content,
          status: 'complete',
          metadata: {},
          searchText: analyzer.searchText('default', content),
          createdAt: now,
          updatedAt: now,
          version: 1,
          revision: raw`nextval('bruno_revision')`,
        } as never)
      }),
    last: async (conversationId: string, n: number) =>
      (
        await db
          .select()
          .from(m)
          .where(and(eq(m.tenantId, 'default'), eq(m.conversationId, conversationId)))
          .orderBy(desc(m.position))
          .limit(n)
      ).reverse(),
    close: () => client.end(),
  }
}

import { sql } from 'drizzle-orm/sql/sql'
import type { Carried } from '../../contract/transfer.js'
import type { Document, MemoryEntry, Message, RecordKind } from '../../model/records.js'
import type { Analyzer } from '../../search/analyzer.js'
import { documentText, memoryText, messageText } from '../../search/fields.js'
import { useLanguage } from './analyzer.js'
import type { SqlContext } from './context.js'
import { perEngine, type SqlSession } from './engine.js'
import { LAYOUTS } from './transfer-layout.js'
import type { SqlTargetParts } from './transfer-parts.js'
import { rowOf } from './transfer-row.js'

const statements = perEngine((engine) => {
  const { conversations: c } = engine.tables
  const found = { tenantId: c.tenantId, id: c.id, language: c.language }
  return {
    languages: engine.statement(
      found,
      () => sql`select ${c.tenantId}, ${c.id}, ${c.language} from ${engine.conditions.rows('keys', { tenant_id: 'text', id: 'text' })} as k
        ${engine.join} ${c} on ${c.tenantId} = k.tenant_id and ${c.id} = k.id where ${c.language} is not null`,
    ),
  }
})

/** The rows of some records of one kind, with all that the tables hold beside them. */
export async function prepareRows(
  parts: SqlTargetParts,
  session: SqlSession,
  kind: RecordKind,
  records: readonly Carried[],
  texts: boolean,
): Promise<(readonly unknown[])[]> {
  const rows = records.map((carried) => carried.row ?? rowOf(kind, carried.record as never))
  if (kind === 'conversation') await useLanguages(parts, session, rows)
  const at = LAYOUTS[kind].at('searchText')
  if (at < 0 || (texts && records.every(({ row }) => row !== undefined))) return rows
  const analyzers = kind === 'message' ? await analyzersOf(parts, session, records) : null
  return rows.map((row, i) => {
    const { record } = records[i] as Carried
    const made = [...row]
    made[at] = textOf(kind, record, analyzers?.(record as Message) ?? parts.store.analyzer)
    return made
  })
}

function textOf(kind: RecordKind, record: Carried['record'], analyzer: Analyzer): string {
  if (kind === 'message') return messageText(analyzer, record.tenantId, record as Message)
  if (kind === 'memory') return memoryText(analyzer, record.tenantId, record as MemoryEntry)
  return documentText(analyzer, record.tenantId, record as Document)
}

const contextOf = ({ store, runner }: SqlTargetParts): SqlContext => ({ ...store, tenantId: '', runner })

/** The languages of conversations stand on record. */
async function useLanguages(parts: SqlTargetParts, session: SqlSession, rows: readonly (readonly unknown[])[]) {
  const at = LAYOUTS.conversation.at('language')
  const named = new Set(rows.map((row) => row[at]).filter((language) => typeof language === 'string'))
  for (const language of named) await useLanguage(contextOf(parts), session, language as string)
}

const keyOf = (tenantId: string, id: string): string => JSON.stringify([tenantId, id])

/** Who analyses the messages of each conversation. */
async function analyzersOf(
  parts: SqlTargetParts,
  session: SqlSession,
  records: readonly Carried[],
): Promise<(message: Message) => Analyzer> {
  const { engine, analyzer, analyzers } = parts.store
  const messages = records.map(({ record }) => record as Message)
  const keys = new Map(messages.map((m) => [keyOf(m.tenantId, m.conversationId), [m.tenantId, m.conversationId]]))
  const found = await session.all(statements(engine).languages, {
    keys: engine.conditions.encodeRows([...keys.values()]),
  })
  const made = new Map<string, Analyzer>()
  for (const { tenantId, id, language } of found) made.set(keyOf(tenantId, id), await analyzers.of(language))
  return ({ tenantId, conversationId }) => made.get(keyOf(tenantId, conversationId)) ?? analyzer
}

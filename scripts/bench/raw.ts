import Database from 'better-sqlite3'
import { v7 } from 'uuid'
import type { Analyzer } from '../../src/search/analyzer.js'

/** What a program by hand would do for the same result, with prepared statements on the same schema. */
export interface Raw {
  append(conversationId: string, contents: readonly string[]): unknown
  last(conversationId: string, n: number): unknown
  search(text: string, limit: number): unknown
  createConversation(): string
  close(): void
}

const COLUMNS =
  'tenant_id, conversation_id, id, position, parent_id, role, type, content, parts, name, tool_call_id, status, metadata, search_text, created_at, updated_at, version, revision'
const READ =
  'm.tenant_id, m.id, m.conversation_id, m.position, m.parent_id, m.role, m.type, m.content, m.parts, m.name, m.tool_call_id, m.status, m.metadata, m.created_at, m.updated_at, m.version'
const TENANT = 'default'

interface Row {
  readonly [column: string]: unknown
}

const toMessage = (r: Row) => ({
  tenantId: r.tenant_id,
  id: r.id,
  conversationId: r.conversation_id,
  position: r.position,
  parentId: r.parent_id,
  role: r.role,
  type: r.type,
  content: r.content,
  parts: r.parts === null ? null : JSON.parse(r.parts as string),
  name: r.name,
  toolCallId: r.tool_call_id,
  status: r.status,
  metadata: JSON.parse(r.metadata as string),
  createdAt: new Date(r.created_at as number),
  updatedAt: new Date(r.updated_at as number),
  version: r.version,
})

/** Opens a migrated database by hand, with the same durability as `durability: 'power'`. */
export function openRaw(path: string, analyzer: Analyzer): Raw {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('foreign_keys = ON')
  const revise = db.prepare('update bruno_revision set value = value + 1 returning value').pluck()
  const advance = db
    .prepare(
      'update bruno_conversations set last_position = last_position + ?, message_count = message_count + ?, updated_at = ?, revision = ? where tenant_id = ? and id = ? returning last_position',
    )
    .pluck()
  const insert = db.prepare(`insert into bruno_messages (${COLUMNS}) values (${COLUMNS.replace(/\w+/g, '?')})`)
  const index = db.prepare(
    `insert into bruno_messages_search (rowid, search_text)
     select seq, replace(substr(search_text, 9), ' ', ' ' || substr(search_text, 1, 8)) from bruno_messages where seq between ? and ?`,
  )
  const last = db.prepare(
    `select ${READ} from bruno_messages m where m.tenant_id = ? and m.conversation_id = ? order by m.position desc limit ?`,
  )
  const search = db.prepare(
    `select ${READ}, -f.rank as score from bruno_messages_search f cross join bruno_messages m on m.seq = f.rowid
     where f.search_text match ? and m.tenant_id = ? order by f.rank limit ?`,
  )
  const append = db.transaction((conversationId: string, contents: readonly string[]) => {
    const now = Date.now()
    const revision = revise.get()
    const position =
      (advance.get(contents.length, contents.length, now, revision, TENANT, conversationId) as number) - contents.length
    let first = 0
    let rowid = 0
    contents.forEach((content, i) => {
      const text = analyzer.searchText(TENANT, content)
      const result = insert.run(
        TENANT,
        conversationId,
        v7(),
        position + i + 1,
        null,
        'user',
        'text',
        content,
        null,
        null,
        null,
        'complete',
        '{}',
        text,
        now,
        now,
        1,
        revision,
      )
      rowid = Number(result.lastInsertRowid)
      if (i === 0) first = rowid
    })
    index.run(first, rowid)
  })
  const user = db.prepare("insert or ignore into bruno_users values (?, ?, null, '{}', '{}', '{}', null, ?, ?, 1, 0)")
  const conversation = db.prepare(
    "insert into bruno_conversations (tenant_id, id, user_id, tags, metadata, message_count, last_position, created_at, updated_at, version, revision) values (?, ?, ?, '[]', '{}', 0, 0, ?, ?, 1, 0)",
  )
  return {
    append: (conversationId, contents) => append.immediate(conversationId, contents),
    last: (conversationId, n) => (last.all(TENANT, conversationId, n) as Row[]).reverse().map(toMessage),
    search: (text, limit) => {
      const terms = analyzer.queryTerms(text).map((term) => `"${analyzer.tenantToken(TENANT)}${term.text}"`)
      const rows = search.all(terms.join(' OR '), TENANT, limit) as Row[]
      return rows.map((row) => ({ record: toMessage(row), score: row.score }))
    },
    createConversation: () => {
      const id = v7()
      const now = Date.now()
      user.run(TENANT, 'bench', now, now)
      conversation.run(TENANT, id, 'bench', now, now)
      return id
    },
    close: () => db.close(),
  }
}

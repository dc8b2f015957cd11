import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import { INSERTED } from '../sql/columns.js'
import { alive, tenantIs } from '../sql/context.js'
import { type Appending, perEngine, type SqlEngine } from '../sql/engine.js'
import { bare, bind, count, value } from '../sql/statement.js'
import { arrayOf, typeOf } from './arrays.js'
import { arrays, columnsOf, conflict, unnested } from './insert.js'
import type { PostgresqlSession } from './session.js'

/** The same for all messages of a conversation, or made by the server. */
const SHARED = ['tenantId', 'conversationId', 'position', 'version', 'revision']
const OWN = INSERTED.messages.filter((key) => !SHARED.includes(key))

function parts(engine: SqlEngine) {
  const { conversations: c, messages: m } = engine.tables
  const columns = columnsOf(engine, 'messages')
  const own = OWN.map((key) => bare(columns[key] as AnySQLiteColumn))
  return {
    c,
    columns,
    stamps: sql`updated_at = ${bind(c.updatedAt, 'now')}, revision = ${engine.revision}`,
    open: sql`${tenantIs(c.tenantId)} and ${alive(c.expiresAt)} and (${c.language} is null or ${c.language} = ${value('language')})`,
    insert: sql`insert into ${m} (${sql.join(own, sql`, `)}, tenant_id, conversation_id, position, version, revision)`,
    unnestedOwn: sql.join(
      own.map((name) => sql`u.${name}`),
      sql`, `,
    ),
  }
}

const statements = perEngine((engine) => {
  const { c, columns, stamps, open, insert, unnestedOwn } = parts(engine)
  const advanced = (ofUser: boolean): SQL => sql`
    update ${c} set last_position = ${c.lastPosition} + ${value('n')}, message_count = ${c.messageCount} + ${value('n')}, ${stamps}
    where ${open} and ${c.id} = ${value('conversationId')} ${ofUser ? sql`and ${c.userId} = ${value('userId')}` : sql``}
    returning ${bare(c.lastPosition)}`
  const place = sql`${value('tenantId')}::text, ${value('conversationId')}::text`
  const added = (many: boolean): SQL => {
    if (many)
      return sql`${insert} select ${unnestedOwn}, ${place}, a.last_position - ${value('n')} + u.n, 1, ${engine.revision}
        from advanced as a, ${unnested(columns, OWN, sql`with ordinality`)}, n)`
    const values = OWN.map((key) => {
      const column = columns[key] as AnySQLiteColumn
      return sql`${bind(column, key)}::${sql.raw(typeOf(column))}`
    })
    return sql`${insert} select ${sql.join(values, sql`, `)}, ${place}, a.last_position, 1, ${engine.revision} from advanced as a`
  }
  const flags = [false, true]
  return {
    /** Of one conversation, by whether they are many, and whether a user is named. */
    one: flags.map((many) =>
      flags.map((ofUser) =>
        engine.statement(
          { lastPosition: c.lastPosition },
          () =>
            sql`with advanced as (${advanced(ofUser)}), added as (${added(many)}) select a.last_position from advanced as a`,
        ),
      ),
    ),
    // Rows are locked in one order everywhere: two such statements cannot wait for each other.
    several: engine.statement(
      { at: count(sql``), lastPosition: c.lastPosition },
      () => sql`with wanted as (
          select * from unnest(${value('conversations')}::text[], ${value('counts')}::bigint[], ${value('users')}::text[]) with ordinality as w(conversation_id, n, user_id, at)
        ), locked as (
          select ${c.id}, w.n, w.at from ${c} join wanted as w on ${c.id} = w.conversation_id
          where ${open} and (w.user_id is null or ${c.userId} = w.user_id) order by ${c.id} for update of ${c}
        ), advanced as (
          update ${c} set last_position = ${c.lastPosition} + l.n, message_count = ${c.messageCount} + l.n, ${stamps}
          from locked as l where ${tenantIs(c.tenantId)} and ${c.id} = l.id returning ${c.id}, ${c.lastPosition}, l.n, l.at
        ), added as (
          ${insert} select ${unnestedOwn}, ${value('tenantId')}::text, a.id, a.last_position - a.n + u.k, 1, ${engine.revision}
          from ${unnested(columns, OWN, sql``)}, at, k) join advanced as a on a.at = u.at
        ) select a.at, a.last_position from advanced as a`,
    ),
  }
})

/** Appends to one conversation; null where it is not there, or not as it must be. */
export async function appendOne(
  engine: SqlEngine,
  session: PostgresqlSession,
  { rows, path, ...values }: Appending,
): Promise<number | null> {
  const [first] = rows
  const many = rows.length > 1
  const statement = statements(engine).one[+many]?.[+(values.userId !== undefined)]
  if (!statement || !first) return null
  const own = many ? arrays(columnsOf(engine, 'messages'), OWN, rows) : first
  try {
    const [row] = await session.attemptAll(statement, { ...own, ...values, n: rows.length })
    return row ? row.lastPosition : null
  } catch (error) {
    throw conflict(error, 'messages', rows, path)
  }
}

/** Appends to several conversations of one tenant, all or nothing; null for each that is not as it must be. */
export async function appendSeveral(
  engine: SqlEngine,
  session: PostgresqlSession,
  all: readonly Appending[],
): Promise<(number | null)[]> {
  const [first] = all
  if (!first) return []
  const last = new Array<number | null>(all.length).fill(null)
  const rows = await session.all(statements(engine).several, {
    tenantId: first.tenantId,
    language: first.language,
    now: first.now,
    conversations: arrayOf(all.map((each) => each.conversationId)),
    counts: arrayOf(all.map((each) => each.rows.length)),
    users: arrayOf(all.map((each) => each.userId ?? null)),
    at: arrayOf(all.flatMap((each, i) => each.rows.map(() => i + 1))),
    k: arrayOf(all.flatMap((each) => each.rows.map((_, i) => i + 1))),
    ...arrays(
      columnsOf(engine, 'messages'),
      OWN,
      all.flatMap((each) => each.rows),
    ),
  })
  for (const row of rows) last[row.at - 1] = row.lastPosition
  return last
}

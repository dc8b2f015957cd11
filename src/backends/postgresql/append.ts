import { type SQL, sql } from 'drizzle-orm/sql/sql'
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core'
import { INSERTED } from '../sql/columns.js'
import { alive, tenantIs } from '../sql/context.js'
import { type Appending, perEngine, type SqlEngine } from '../sql/engine.js'
import { bare, bind, count, EMPTY, list, value } from '../sql/statement.js'
import { arrayOf, typeOf } from './arrays.js'
import { arrays, columnsOf, conflict, unnested } from './insert.js'
import type { PostgresqlSession } from './session.js'

/** One for all rows of a statement: nobody sees some of them before the others. */
const REVISION = sql`(select nextval('bruno_revision'))`

/** The same for all messages of a conversation, or made by the server. */
const SHARED = ['tenantId', 'conversationId', 'position', 'version', 'revision']
const OWN = INSERTED.messages.filter((key) => !SHARED.includes(key))
/** What nearly every message has: then it is said once, in the statement. */
const USUAL: Readonly<Record<string, SQL>> = {
  parentId: sql`null`,
  type: sql`'text'`,
  parts: sql`null`,
  name: sql`null`,
  toolCallId: sql`null`,
  status: sql`'complete'`,
  metadata: sql`'{}'`,
}
const TIMES = ['createdAt', 'updatedAt']

/** Whether messages differ in nothing but what they say, who says it, and their ids. */
function areUsual(rows: readonly Readonly<Record<string, unknown>>[]): boolean {
  const [first] = rows
  const at = (first as { createdAt: Date }).createdAt.getTime()
  return rows.every(
    (row) =>
      row.metadata === EMPTY &&
      row.parts === null &&
      row.type === 'text' &&
      row.parentId === null &&
      row.name === null &&
      row.toolCallId === null &&
      row.status === 'complete' &&
      (row.createdAt as Date).getTime() === at &&
      (row.updatedAt as Date).getTime() === at,
  )
}
/** The columns that are bound for each message. */
const boundOf = (usual: boolean): readonly string[] =>
  usual ? OWN.filter((key) => !(key in USUAL) && !TIMES.includes(key)) : OWN

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
    /** A message's columns, from arrays or from its own values. */
    own: (usual: boolean, from: (key: string) => SQL) =>
      sql.join(
        OWN.map((key) => {
          if (usual && USUAL[key]) return USUAL[key]
          const column = columns[key] as AnySQLiteColumn
          return usual && TIMES.includes(key) ? sql`${bind(column, key)}::${sql.raw(typeOf(column))}` : from(key)
        }),
        sql`, `,
      ),
    unnested: (key: string) => sql`u.${bare(columns[key] as AnySQLiteColumn)}`,
  }
}

const statements = perEngine((engine) => {
  const { c, columns, stamps, open, insert, own, unnested: ofArray } = parts(engine)
  const advanced = (ofUser: boolean): SQL => sql`
    update ${c} set last_position = ${c.lastPosition} + ${value('n')}, message_count = ${c.messageCount} + ${value('n')}, ${stamps}
    where ${open} and ${c.id} = ${value('conversationId')} ${ofUser ? sql`and ${c.userId} = ${value('userId')}` : sql``}
    returning ${bare(c.lastPosition)}`
  const place = sql`${value('tenantId')}::text, ${value('conversationId')}::text`
  const ofValue = (key: string): SQL => {
    const column = columns[key] as AnySQLiteColumn
    return sql`${bind(column, key)}::${sql.raw(typeOf(column))}`
  }
  const added = (many: boolean, usual: boolean): SQL => {
    if (many)
      return sql`${insert} select ${own(usual, ofArray)}, ${place}, a.last_position - ${value('n')} + u.n, 1, ${REVISION}
        from advanced as a, ${unnested(columns, boundOf(usual), sql`with ordinality`)}, n)`
    return sql`${insert} select ${own(usual, ofValue)}, ${place}, a.last_position, 1, ${REVISION} from advanced as a`
  }
  const flags = [false, true]
  return {
    /** Of one conversation, by whether they are many, are usual, and whether a user is named. */
    one: flags.map((many) =>
      flags.map((usual) =>
        flags.map((ofUser) =>
          engine.statement(
            { lastPosition: c.lastPosition },
            () =>
              sql`with advanced as (${advanced(ofUser)}), added as (${added(many, usual)}) select a.last_position from advanced as a`,
          ),
        ),
      ),
    ),
    // Rows are locked in one order everywhere: two such statements cannot wait for each other.
    several: flags.map((usual) =>
      engine.statement(
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
          ${insert} select ${own(usual, ofArray)}, ${value('tenantId')}::text, a.id, a.last_position - a.n + u.k, 1, ${REVISION}
          from ${unnested(columns, boundOf(usual), sql``, ['at', 'k'])}, at, k) join advanced as a on a.at = u.at
        ) select a.at, a.last_position from advanced as a`,
      ),
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
  if (!first) return null
  const usual = areUsual(rows)
  const statement = statements(engine).one[+many]?.[+usual]?.[+(values.userId !== undefined)]
  if (!statement) return null
  const times = usual && { createdAt: first.createdAt, updatedAt: first.updatedAt }
  const own = many ? { ...arrays(columnsOf(engine, 'messages'), boundOf(usual), rows), ...times } : first
  try {
    const [row] = await session.attemptAll(statement, { ...own, ...values, n: rows.length })
    return row ? row.lastPosition : null
  } catch (error) {
    throw conflict(error, 'messages', rows, path)
  }
}

const stored = perEngine((engine) => {
  const { messages: m } = engine.tables
  const selection = { id: m.id, position: m.position, content: m.content, createdAt: m.createdAt }
  return engine.statement(
    selection,
    () => sql`select ${list(selection)} from ${m} where ${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('conversationId')}
      and ${engine.conditions.among(sql`${m.id}`, 'ids')}`,
  )
})

/** The last position of messages that are there as they were to be appended; null where any is missing or another. */
export async function findAppended(
  engine: SqlEngine,
  session: PostgresqlSession,
  { tenantId, conversationId, rows }: Appending,
): Promise<number | null> {
  const ids = arrayOf(rows.map((row) => row.id))
  const found = await session.all(stored(engine), { tenantId, conversationId, ids })
  const known = new Map(found.map((row) => [row.id, row]))
  const same = rows.every((row) => {
    const there = known.get(row.id as string)
    return there?.content === row.content && there?.createdAt.getTime() === (row.createdAt as Date).getTime()
  })
  return same ? Math.max(...found.map(({ position }) => position)) : null
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
  const messages = all.flatMap((each) => each.rows)
  const usual = areUsual(messages)
  const statement = statements(engine).several[+usual]
  if (!statement) return last
  const rows = await session.all(statement, {
    tenantId: first.tenantId,
    language: first.language,
    now: first.now,
    conversations: arrayOf(all.map((each) => each.conversationId)),
    counts: arrayOf(all.map((each) => each.rows.length)),
    users: arrayOf(all.map((each) => each.userId ?? null)),
    at: arrayOf(all.flatMap((each, i) => each.rows.map(() => i + 1))),
    k: arrayOf(all.flatMap((each) => each.rows.map((_, i) => i + 1))),
    ...arrays(columnsOf(engine, 'messages'), boundOf(usual), messages),
    ...(usual && { createdAt: messages[0]?.createdAt, updatedAt: messages[0]?.updatedAt }),
  })
  for (const row of rows) last[row.at - 1] = row.lastPosition
  return last
}

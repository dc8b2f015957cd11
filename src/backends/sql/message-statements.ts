import { type SQL, sql } from 'drizzle-orm/sql/sql'
import { conversationColumns, messageColumns } from './columns.js'
import { alive, tenantIs } from './context.js'
import { perEngine } from './engine.js'
import { bare, bind, count, list, value } from './statement.js'
import { assignments } from './write.js'

const PATCHED = [
  'type',
  'content',
  'parts',
  'name',
  'toolCallId',
  'status',
  'metadata',
  'searchText',
  'updatedAt',
  'version',
]
/** What a branch keeps of a message, but for its parent. */
const COPIED = [
  'id',
  'position',
  'role',
  'type',
  'content',
  'parts',
  'name',
  'toolCallId',
  'status',
  'metadata',
  'searchText',
  'createdAt',
  'updatedAt',
] as const
const REPLACED = ['parentId', 'role', ...PATCHED]

export const messageStatements = perEngine((engine) => {
  const { conversations: c, messages: m } = engine.tables
  const selection = messageColumns(engine.tables)
  const inConversation = sql`${tenantIs(m.tenantId)} and ${m.conversationId} = ${value('conversationId')}`
  const one = sql`${inConversation} and ${m.id} = ${value('id')}`
  const conversation = sql`${tenantIs(c.tenantId)} and ${c.id} = ${value('conversationId')}`
  const conversationAlive = (expired: boolean): SQL =>
    expired ? sql`true` : sql`exists (select 1 from ${c} where ${conversation} and ${alive(c.expiresAt)})`
  const get = (expired: boolean): SQL =>
    sql`select ${list(selection)} from ${m} where ${one} and ${conversationAlive(expired)}`
  const advance = (ofUser: boolean): SQL => sql`
    update ${c} set last_position = ${c.lastPosition} + ${value('n')}, message_count = ${c.messageCount} + ${value('n')},
      updated_at = ${bind(c.updatedAt, 'now')}, revision = ${engine.revision}
    where ${conversation} and ${alive(c.expiresAt)} ${ofUser ? sql`and ${c.userId} = ${value('userId')}` : sql``}
    returning ${bare(c.lastPosition)}, ${bare(c.language)}`
  const listing = (backward: boolean, roles: boolean, expired: boolean): SQL => sql`
    select ${list(selection)} from ${m} where ${inConversation}
      and ${m.position} ${sql.raw(backward ? '<' : '>')} ${value('from')}
      ${roles ? sql`and ${engine.conditions.among(sql`${m.role}`, 'roles')}` : sql``} and ${conversationAlive(expired)}
    order by ${m.position} ${sql.raw(backward ? 'desc' : 'asc')} limit ${value('limit')}`
  const cleared = (keepSystem: boolean): SQL => sql`
    ${inConversation} and ${m.position} < ${value('beforePosition')} and ${m.createdAt} < ${bind(m.createdAt, 'beforeInstant')}
    ${keepSystem ? sql`and ${m.role} <> 'system'` : sql``}`
  const orphan = (deleted: SQL): SQL => sql`
    update ${m} set parent_id = null, updated_at = ${bind(m.updatedAt, 'now')}, version = ${m.version} + 1, revision = ${engine.revision}
    where ${inConversation} and ${m.parentId} in (select ${m.id} from ${m} where ${deleted})`
  const flags = [false, true]
  const advanced = { lastPosition: c.lastPosition, language: c.language }
  return {
    selection,
    advance: engine.statement(advanced, () => advance(false)),
    advanceOfUser: engine.statement(advanced, () => advance(true)),
    shrink: engine.command(
      () =>
        sql`update ${c} set message_count = ${c.messageCount} - ${value('n')}, updated_at = ${bind(c.updatedAt, 'now')}, revision = ${engine.revision} where ${conversation}`,
    ),
    lockConversation: engine.statement(
      conversationColumns(engine.tables),
      () =>
        sql`select ${list(conversationColumns(engine.tables))} from ${c} where ${conversation} and ${alive(c.expiresAt)} ${engine.forUpdate}`,
    ),
    existing: engine.statement(
      { id: m.id },
      () => sql`select ${m.id} from ${m} where ${inConversation} and ${engine.conditions.among(sql`${m.id}`, 'ids')}`,
    ),
    get: engine.statement(selection, () => get(false)),
    getAny: engine.statement(selection, () => get(true)),
    lock: engine.statement(selection, () => sql`${get(false)} ${engine.forUpdate}`),
    /** By whether it reads backward, filters by role, includes expired conversations. */
    list: flags.map((backward) =>
      flags.map((roles) =>
        flags.map((expired) => engine.statement(selection, () => listing(backward, roles, expired))),
      ),
    ),
    update: engine.command(
      () =>
        sql`update ${m} set ${assignments(engine, 'messages', PATCHED)}, revision = ${engine.revision} where ${one}`,
    ),
    replace: engine.command(
      () =>
        sql`update ${m} set ${assignments(engine, 'messages', REPLACED)}, revision = ${engine.revision} where ${one}`,
    ),
    delete: engine.command(() => sql`delete from ${m} where ${one}`),
    orphan: engine.command(() => orphan(one)),
    /** By whether system messages are kept. */
    clear: flags.map((keep) => engine.command(() => sql`delete from ${m} where ${cleared(keep)}`)),
    orphanCleared: flags.map((keep) => engine.command(() => orphan(cleared(keep)))),
    copy: engine.command(() => {
      const columns = sql.join([...COPIED.map((key) => bare(m[key])), bare(m.parentId)], sql`, `)
      // A parent behind the cut is not copied: the reply stands without one.
      const parent = sql`(select p.id from ${m} as p where p.tenant_id = ${m.tenantId}
        and p.conversation_id = ${m.conversationId} and p.id = ${m.parentId} and p.position <= ${value('position')})`
      const values = sql.join([...COPIED.map((key) => sql`${m[key]}`), parent], sql`, `)
      return sql`insert into ${m} (tenant_id, conversation_id, ${columns}, version, revision)
        select ${m.tenantId}, ${value('newId')}, ${values}, 1, ${engine.revision} from ${m}
        where ${inConversation} and ${m.position} <= ${value('position')} order by ${m.position}`
    }),
    settleBranch: engine.command(
      () =>
        sql`update ${c} set message_count = ${value('n')}, last_position = ${value('position')} where ${conversation}`,
    ),
    turns: engine.statement(
      { n: count(sql`count(*)`) },
      () => sql`select count(*) from (
        select ${m.role} as role, lag(${m.role}) over (order by ${m.position}) as previous from ${m}
        where ${inConversation} and ${m.role} in ('user', 'assistant') and ${conversationAlive(false)}
      ) as turns where role = 'assistant' and previous = 'user'`,
    ),
  }
})

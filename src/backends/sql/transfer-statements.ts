import { sql } from 'drizzle-orm/sql/sql'
import type { RecordKind } from '../../model/records.js'
import { perEngine } from './engine.js'
import { count, value } from './statement.js'
import { LAYOUTS } from './transfer-layout.js'

export const targetStatements = perEngine((engine) => {
  const { conversations: c, messages: m, followers: f } = engine.tables
  const counting = (kind: RecordKind, tenant: boolean) =>
    engine.statement(
      { n: count(sql``) },
      () =>
        sql`select count(*) from ${sql.raw(LAYOUTS[kind].table)}${tenant ? sql` where tenant_id = ${value('tenantId')}` : sql``}`,
    )
  const kinds = Object.keys(LAYOUTS) as RecordKind[]
  const of = (tenant: boolean) =>
    Object.fromEntries(kinds.map((kind) => [kind, counting(kind, tenant)])) as {
      readonly [K in RecordKind]: ReturnType<typeof counting>
    }
  return {
    counts: { all: of(false), tenant: of(true) },
    followed: engine.statement(
      { name: f.name },
      () => sql`select ${f.name} from ${f} where ${f.state} <> 'retired' limit 1`,
    ),
    /** Counters are never below what is there: conversations that were made for their messages began with none. */
    recount: engine.command(
      () => sql`update ${c} set message_count = found.n, last_position = case when found.last > last_position then found.last else last_position end
        from (select ${m.tenantId} as tenant, ${m.conversationId} as conversation, count(*) as n, max(${m.position}) as last from ${m} group by 1, 2) as found
        where ${c.tenantId} = found.tenant and ${c.id} = found.conversation and (found.n > message_count or found.last > last_position)`,
    ),
  }
})

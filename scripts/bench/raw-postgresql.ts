import postgres from 'postgres'
import { v7 } from 'uuid'
import type { Analyzer } from '../../src/search/analyzer.js'

type Row = readonly unknown[]
const TENANT = 'default'
const OWN = 'id, role, type, content, parts, name, tool_call_id, status, metadata, search_text, created_at, updated_at'
const READ =
  'tenant_id, id, conversation_id, position, parent_id, role, type, content, parts, name, tool_call_id, status, metadata, created_at, updated_at, version'
const ADVANCE = `update bruno_conversations set last_position = last_position + $1, message_count = message_count + $1,
  updated_at = $2, revision = nextval('bruno_revision') where tenant_id = $3 and id = $4 returning last_position`

const toMessage = (r: Row) => ({
  tenantId: r[0],
  id: r[1],
  conversationId: r[2],
  position: Number(r[3]),
  parentId: r[4],
  role: r[5],
  type: r[6],
  content: r[7],
  parts: r[8],
  name: r[9],
  toolCallId: r[10],
  status: r[11],
  metadata: r[12],
  createdAt: r[13],
  updatedAt: r[14],
  version: Number(r[15]),
})

/** What a program by hand would do for the same result, with prepared statements of postgres.js on the same schema. */
export function openRaw(url: string, analyzer: Analyzer, max = 10) {
  const sql = postgres(url, { max, onnotice: () => {} })
  const run = (text: string, values: readonly unknown[]) =>
    sql.unsafe(text, values as never[], { prepare: true }).values() as unknown as Promise<Row[]>
  const columns = `${OWN}, tenant_id, conversation_id, position, version, revision`
  const one = `with a as (${ADVANCE}) insert into bruno_messages (${columns})
    select $5, 'user', 'text', $6, null, null, null, 'complete', '{}', $7, $2, $2, $3, $4, a.last_position, 1, nextval('bruno_revision') from a`
  const many = new Map<number, string>()
  const manyText = (n: number): string => {
    let text = many.get(n)
    if (!text) {
      const rows = Array.from(
        { length: n },
        (_, i) => `($${5 + i * 3}::text, $${6 + i * 3}::text, $${7 + i * 3}::text, ${i + 1})`,
      )
      text = `with a as (${ADVANCE}) insert into bruno_messages (${columns})
        select v.id, 'user', 'text', v.content, null, null, null, 'complete', '{}', v.search, $2, $2, $3, $4, a.last_position - $1 + v.n, 1, nextval('bruno_revision')
        from a, (values ${rows.join(', ')}) as v(id, content, search, n)`
      many.set(n, text)
    }
    return text
  }
  const append = async (conversationId: string, contents: readonly string[]) => {
    const now = new Date()
    const values: unknown[] = [contents.length, now, TENANT, conversationId]
    for (const content of contents) values.push(v7(), content, analyzer.searchText(TENANT, content))
    await run(contents.length === 1 ? one : manyText(contents.length), values)
  }
  const last = async (conversationId: string, n: number) => {
    const rows = await run(
      `select ${READ} from bruno_messages where tenant_id = $1 and conversation_id = $2 order by position desc limit $3`,
      [TENANT, conversationId, n],
    )
    return rows.map(toMessage).reverse()
  }
  const token = analyzer.tenantToken(TENANT)
  /** The same statements that a search of ours needs, without its ranking. */
  const search = async (text: string, limit: number) => {
    const terms = analyzer.queryTerms(text).map((term) => `'${token}${term.text}'`)
    const list = `{${terms.map((term) => `"${term}"`).join(',')}}`
    await run('select id from bruno_analyzers where id <> $1', ['default'])
    const counts = await run(
      `select (select count(*) from (select 1 from bruno_messages where search_vector @@ q.term limit 1001) as f)
       from unnest($1::text::tsquery[]) with ordinality as q(term, n) order by q.n`,
      [list],
    )
    const parts = terms.map(
      (_, i) =>
        `case when m.search_vector @@ $${i + 4}::text::tsquery then $${i + 4 + terms.length}::float8 else 0 end`,
    )
    const found = await run(
      `select m.seq, m.search_text, m.conversation_id, m.position, c.title, c.tags from bruno_messages m
       join bruno_conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id
       where m.search_vector @@ $1::text::tsquery and m.tenant_id = $2 and (c.expires_at is null or c.expires_at > now())
       order by (${parts.join(' + ')}) / (0.84 + 0.36 * length(m.search_text) / 300) desc limit $3`,
      [terms.join(' | '), TENANT, 50, ...terms, ...counts.map(([n]) => Math.log(1 + 10_000 / (Number(n) + 0.5)))],
    )
    const windows = JSON.stringify(found.map((row) => [row[2], Number(row[3]) - 5, Number(row[3]) + 5]))
    const near = await run(
      `select m.seq, m.conversation_id, m.position, substr(m.search_text, 1, 4000) from
        (select distinct r.value ->> 0 as c, (r.value ->> 1)::bigint as low, (r.value ->> 2)::bigint as high from jsonb_array_elements($1::text::jsonb) as r) as w
       join bruno_messages m on m.tenant_id = $2 and m.conversation_id = w.c and m.position between w.low and w.high
       join bruno_conversations c on c.tenant_id = m.tenant_id and c.id = m.conversation_id`,
      [windows, TENANT],
    )
    const seqs = [...found, ...near].slice(0, limit).map(([seq]) => Number(seq))
    const rows = await run(
      `select ${READ} from bruno_messages where tenant_id = $1 and seq = any($2::text::bigint[])`,
      [TENANT, `{${seqs.join(',')}}`],
    )
    return rows.map(toMessage)
  }
  return {
    sql,
    run,
    append,
    last,
    search,
    createConversation: async () => {
      const id = v7()
      await run(
        `insert into bruno_users values ($1, 'bench', null, '{}', '{}', '{}', null, now(), now(), 1, 0) on conflict do nothing`,
        [TENANT],
      )
      await run(
        `insert into bruno_conversations (tenant_id, id, user_id, tags, metadata, message_count, last_position, created_at, updated_at, version, revision)
         values ($1, $2, 'bench', '[]', '{}', 0, 0, now(), now(), 1, 0)`,
        [TENANT, id],
      )
      return id
    },
    close: () => sql.end(),
  }
}
export type Raw = ReturnType<typeof openRaw>

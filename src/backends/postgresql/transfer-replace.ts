import type { Layout } from '../sql/transfer-layout.js'
import type { CopyingSession } from './transfer-client.js'

const quoted = (layout: Layout, at: number): string => `"${layout.cells[at]?.column ?? ''}"`
const equal = (layout: Layout, of: readonly number[]): string =>
  of.map((at) => `t.${quoted(layout, at)} = i.${quoted(layout, at)}`).join(' and ')

const places = (layout: Layout, names: readonly string[]): number[] => names.map((name) => layout.at(name))

/** Puts rows from a table of their own in the place of those that have their keys, or their positions. */
export async function replaceRows(
  session: CopyingSession,
  layout: Layout,
  { incoming, columns }: { readonly incoming: string; readonly columns: readonly string[] },
): Promise<void> {
  const { table, key } = layout
  if (layout.at('position') >= 0)
    await session.query(
      `delete from ${table} as t using ${incoming} as i where ${equal(layout, places(layout, ['tenantId', 'conversationId', 'position']))} and t.id <> i.id`,
    )
  const revised = layout.at('revision') < 0 ? [] : [['revision', `nextval('bruno_revision')`] as const]
  const into = [...columns.map((name) => `"${name}"`), ...revised.map(([name]) => name)]
  const from = [...columns.map((name) => `"${name}"`), ...revised.map(([, value]) => value)]
  const keys = key.map((at) => quoted(layout, at))
  const changed = into.filter((name) => !keys.includes(name)).map((name) => `${name} = excluded.${name}`)
  await session.query(
    `insert into ${table} (${into.join(', ')}) select ${from.join(', ')} from ${incoming} order by ord
     on conflict (${keys.join(', ')}) do update set ${changed.join(', ')}`,
  )
  if (layout.at('searchText') < 0) return
  const scope = layout.at('position') >= 0 ? 'i.conversation_id' : layout.at('namespace') >= 0 ? 'i.namespace' : `''`
  await session.query(
    `delete from bruno_embeddings as e using ${incoming} as i
     where e.tenant_id = i.tenant_id and e.kind = '${layout.kind}' and e.scope = ${scope} and e.record_id = i.id`,
  )
}

export async function removeRows(
  session: CopyingSession,
  layout: Layout,
  keys: readonly (readonly string[])[],
): Promise<void> {
  const names = layout.key.map((at) => quoted(layout, at))
  const arrays = names.map((_, i) => `$${i + 1}::text[]`).join(', ')
  await session.query(
    `delete from ${layout.table} as t using unnest(${arrays}) as i(${names.join(', ')}) where ${equal(layout, layout.key)}`,
    names.map((_, i) => keys.map((key) => key[i])),
  )
}

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import Sqlite from 'better-sqlite3'

const TEXTS = [
  'tenant_id',
  'conversation_id',
  'id',
  'parent_id',
  'role',
  'type',
  'content',
  'name',
  'tool_call_id',
  'status',
  'search_text',
]
const COLUMNS = ['seq', 'position', ...TEXTS, 'parts', 'metadata', 'created_at', 'updated_at', 'version', 'revision']
const instant = (column: string): string => `strftime('%Y-%m-%d %H:%M:%f', ${column} / 1000.0, 'unixepoch') || '+00'`

/** The same messages with instants as text, of which pgloader knows the type: it cannot read milliseconds. */
export async function exportForPgloader(path: string, to: string): Promise<string> {
  const client = new Sqlite(to)
  client.exec(`attach '${path}' as memory;
    create table bruno_messages (seq bigint primary key, position bigint, ${TEXTS.map((name) => `${name} text`).join(', ')},
      parts jsonb, metadata jsonb, created_at timestamptz, updated_at timestamptz, version bigint, revision bigint);
    insert into bruno_messages select seq, position, ${TEXTS.join(', ')}, parts, metadata, ${instant('created_at')}, ${instant('updated_at')}, version, revision
      from memory.bruno_messages`)
  client.close()
  return to
}

const escaped = (value: unknown): string =>
  value === null
    ? '\\N'
    : String(value).replace(/[\\\t\n\r]/g, (c) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[c] ?? c)

/** The same messages as a file that `\copy` reads. */
export async function exportForCopy(path: string, to: string): Promise<string> {
  const client = new Sqlite(path, { readonly: true })
  const columns = COLUMNS.map((name) => (name.endsWith('_at') ? instant(name) : name))
  const out = createWriteStream(to)
  for (const row of client
    .prepare(`select ${columns.join(', ')} from bruno_messages`)
    .raw()
    .iterate() as Iterable<unknown[]>)
    if (!out.write(`${row.map(escaped).join('\t')}\n`)) await once(out, 'drain')
  out.end()
  await finished(out)
  client.close()
  return to
}
exportForCopy.columns = COLUMNS.join(', ')

/** What `\copy` leaves to the end. */
export const INDEXES = [
  {
    name: 'bruno_messages_conversation_fk',
    drop: 'alter table bruno_messages drop constraint bruno_messages_conversation_fk',
    create:
      'alter table bruno_messages add constraint bruno_messages_conversation_fk foreign key (tenant_id, conversation_id) references bruno_conversations (tenant_id, id) on delete cascade',
  },
  {
    name: 'bruno_messages_key',
    drop: 'alter table bruno_messages drop constraint bruno_messages_key',
    create: 'alter table bruno_messages add constraint bruno_messages_key primary key (tenant_id, conversation_id, id)',
  },
  ...[
    ['bruno_messages_position', 'unique', '(tenant_id, conversation_id, position)'],
    ['bruno_messages_seq', 'unique', '(tenant_id, seq)'],
    ['bruno_messages_parent', '', '(tenant_id, conversation_id, parent_id) where parent_id is not null'],
    ['bruno_messages_search', '', 'using gin (search_vector)'],
  ].map(([name = '', unique = '', on = '']) => ({
    name,
    drop: `drop index if exists ${name}`,
    create: `create ${unique} index ${name} on bruno_messages ${on}`,
  })),
] as const

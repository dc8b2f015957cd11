import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import postgres from 'postgres'
import { keyText } from './said.js'

export interface StoredRecord {
  readonly kind: 'message' | 'memory' | 'document'
  readonly tenant: string
  readonly scope: string
  readonly id: string
  readonly revision: number
  readonly seq: number
  readonly content: string
  /** As the embedding table has it. */
  readonly vector: Float32Array | null
}

/** The primary's tables, read behind the library's back. */
export interface PrimaryPeek {
  records(): Promise<Map<string, StoredRecord>>
  /** Vectors of nothing. */
  orphans(): Promise<number>
  /** What is still to be told of records, and of keys in the cache. */
  outbox(): Promise<{ readonly records: number; readonly keys: number }>
  /** Waits until what a killed process had under way is decided. */
  decided(process: string): Promise<void>
  close(): Promise<void>
}

const KINDS = [
  ['message', 'bruno_messages', 't.conversation_id'],
  ['memory', 'bruno_memories', "''"],
  ['document', 'bruno_documents', 't.namespace'],
] as const

const RECORDS = KINDS.map(
  ([kind, table, scope]) => `select '${kind}' as kind, t.tenant_id as tenant, ${scope} as scope, t.id as id,
    cast(t.revision as text) as revision, cast(t.seq as text) as seq, t.content as content, e.vector as vector
    from ${table} t left join bruno_embeddings e
    on e.tenant_id = t.tenant_id and e.kind = '${kind}' and e.scope = ${scope} and e.record_id = t.id`,
).join(' union all ')
const EMBEDDINGS = 'select cast(count(*) as text) as n from bruno_embeddings'
const OUTBOX =
  "select cast(count(*) filter (where kind <> 'cache') as text) as records, cast(count(*) filter (where kind = 'cache') as text) as keys from bruno_outbox"

type Query = (text: string) => Promise<readonly Record<string, unknown>[]>

const vectorIn = (bytes: unknown): Float32Array | null =>
  Buffer.isBuffer(bytes) ? new Float32Array(new Uint8Array(bytes).buffer) : null

function peekBy(query: Query, { decided, close }: Pick<PrimaryPeek, 'decided' | 'close'>): PrimaryPeek {
  const records = async (): Promise<Map<string, StoredRecord>> => {
    const found = new Map<string, StoredRecord>()
    for (const row of await query(RECORDS)) {
      const { kind, tenant, scope, id, content } = row as Pick<
        StoredRecord,
        'kind' | 'tenant' | 'scope' | 'id' | 'content'
      >
      const key = keyText(kind, tenant, scope, id)
      if (found.has(key)) throw new Error(`${key} has two vectors`)
      const [revision, seq] = [Number(row.revision), Number(row.seq)]
      found.set(key, { kind, tenant, scope, id, revision, seq, content, vector: vectorIn(row.vector) })
    }
    return found
  }
  return {
    records,
    orphans: async () => {
      const embedded = [...(await records()).values()].filter(({ vector }) => vector !== null).length
      return Number((await query(EMBEDDINGS))[0]?.n) - embedded
    },
    outbox: async () => {
      const [row] = await query(OUTBOX)
      return { records: Number(row?.records), keys: Number(row?.keys) }
    },
    decided,
    close,
  }
}

export function sqlitePeek(path: string): PrimaryPeek {
  const client = new Database(path, { readonly: true })
  const query: Query = async (text) => client.prepare<[], Record<string, unknown>>(text).all()
  return peekBy(query, { decided: async () => undefined, close: async () => void client.close() })
}

export function postgresqlPeek(url: string): PrimaryPeek {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const query: Query = async (text) => [...(await sql.unsafe(text))]
  // The server may still be at the commit of a process that is gone.
  const decided = async (name: string): Promise<void> => {
    while ((await sql`select 1 from pg_stat_activity where application_name = ${name}`).length > 0) await sleep(5)
  }
  return peekBy(query, { decided, close: () => sql.end() })
}

import type Database from 'better-sqlite3'
import type { TransferCapture } from '../../contract/online.js'
import type { SqliteOptions } from '../../contract/options.js'
import { type CaptureConnection, SqlCapture } from '../sql/transfer-capture.js'
import { translateError } from './errors.js'
import { openWriter, untilFree } from './open.js'
import { sqliteTransferSource } from './transfer-source.js'

const NOW = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`

interface Noted {
  readonly kind: string
  readonly scope: string
  readonly id: string
}

const of = (kind: string, scope = `''`, id = '@.id'): Noted => ({ kind: `'${kind}'`, scope, id })
const TABLES: Readonly<Record<string, Noted>> = {
  users: of('user'),
  conversations: of('conversation'),
  messages: of('message', '@.conversation_id'),
  sessions: of('session'),
  memories: of('memory'),
  documents: of('document', '@.namespace'),
  operations: of('operation', `''`, '@.operation_id'),
  embeddings: { kind: '@.kind', scope: '@.scope', id: '@.record_id' },
}
const EVENTS = ['insert', 'update', 'delete'] as const

/** The revision of a row may be that of an earlier write in the same transaction: each write draws its own number. */
function noting(table: string, event: (typeof EVENTS)[number]): string {
  const { kind, scope, id } = TABLES[table] as Noted
  const row = event === 'delete' ? 'old' : 'new'
  const values = [`${row}.tenant_id`, kind, scope, id].join(', ').replaceAll('@', row)
  return `create trigger if not exists bruno_transfer_note_${table}_${event} after ${event} on bruno_${table} begin
    update bruno_revision set value = value + 1;
    insert into bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
    select 'transfer', ${values}, r.value, 0, ${NOW}, 0 from bruno_revision r where true
    on conflict (follower, tenant_id, kind, scope, record_id) do update set revision = excluded.revision;
  end;`
}

const fencing = (table: string, event: string): string =>
  `create trigger if not exists bruno_transfer_fence_${table}_${event} before ${event} on bruno_${table}
   when exists (select 1 from bruno_followers where name = 'transfer' and json_extract(settings, '$.phase') = 'moved')
   begin select raise(abort, 'bruno_memory_moved'); end;`

const all = (make: (table: string, event: (typeof EVENTS)[number]) => string): string =>
  Object.keys(TABLES)
    .flatMap((table) => EVENTS.map((event) => make(table, event)))
    .join('\n')

const drops = (what: 'note' | 'fence'): string =>
  all((table, event) => `drop trigger if exists bruno_transfer_${what}_${table}_${event};`)

class Connection implements CaptureConnection {
  readonly now = NOW
  readonly epoch = '0'
  #depth = 0
  constructor(
    readonly client: Database.Database,
    readonly busyTimeout: number,
  ) {}

  placeholder = (): string => '?'
  json = (placeholder: string): string => placeholder
  unlocked = (where: string): string => where

  async rows(text: string, values: readonly unknown[] = []): Promise<unknown[][]> {
    try {
      const statement = this.client.prepare<unknown[], unknown>(text)
      if (statement.reader) return statement.raw(true).all(...values) as unknown[][]
      statement.run(...values)
      return []
    } catch (error) {
      throw translateError(error)
    }
  }

  async write<T>(work: () => Promise<T>): Promise<T> {
    if (this.#depth > 0) return work()
    await untilFree({ busyTimeout: this.busyTimeout }, () => this.client.exec('begin immediate'))
    this.#depth++
    try {
      const result = await work()
      this.client.exec('commit')
      return result
    } catch (error) {
      if (this.client.inTransaction) this.client.exec('rollback')
      throw translateError(error)
    } finally {
      this.#depth--
    }
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.write(work)
  }

  async note(): Promise<void> {
    this.client.exec(all(noting))
  }

  async fence(): Promise<void> {
    this.client.exec(drops('note') + all(fencing))
  }

  async release(): Promise<void> {
    this.client.exec(drops('note') + drops('fence'))
  }

  async close(): Promise<void> {
    this.client.close()
  }
}

/** Notes what any process writes to a file. */
export async function sqliteCapture(options: SqliteOptions): Promise<TransferCapture> {
  const { databasePath, durability, busyTimeout = 5000 } = options
  const source = await sqliteTransferSource({ databasePath, busyTimeout })
  try {
    const client = await openWriter({ databasePath, durability, busyTimeout })
    return new SqlCapture(new Connection(client, busyTimeout), source)
  } catch (error) {
    await source.close()
    throw error
  }
}

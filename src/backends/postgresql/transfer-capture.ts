import type postgres from 'postgres'
import type { TransferCapture } from '../../contract/online.js'
import type { PostgresqlOptions } from '../../contract/options.js'
import { type CaptureConnection, SqlCapture } from '../sql/transfer-capture.js'
import { END, type Sql } from './connect.js'
import { translateError } from './errors.js'
import { unlimited } from './open.js'
import { postgresqlTransferSource } from './transfer-source.js'

/** In the order in which writers come to them, about: they are locked one by one, and who holds one may want another. */
const KINDS: Readonly<Record<string, string>> = {
  operations: 'operation',
  memories: 'memory',
  documents: 'document',
  messages: 'message',
  sessions: 'session',
  conversations: 'conversation',
  users: 'user',
  embeddings: '',
}

/** Milliseconds that locks are waited for, at first and at most: writers queue behind them meanwhile. */
const PATIENCE = { first: 40, most: 400, grows: 1.3 }
const TABLES = Object.keys(KINDS)

/** A number of its own for each write: that of the row may have been drawn before another one's. */
const noteFunction = (schema: string): string => `
  create or replace function ${schema}.bruno_transfer_note() returns trigger language plpgsql as $$
  declare r record; wanted text := TG_ARGV[0]; scope_ text := ''; id_ text;
  begin
    if TG_OP = 'DELETE' then r := old; else r := new; end if;
    if wanted = '' then wanted := r.kind; scope_ := r.scope; id_ := r.record_id;
    elsif wanted = 'operation' then id_ := r.operation_id;
    elsif wanted = 'message' then scope_ := r.conversation_id; id_ := r.id;
    elsif wanted = 'document' then scope_ := r.namespace; id_ := r.id;
    else id_ := r.id; end if;
    insert into ${schema}.bruno_outbox as o (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
    values ('transfer', r.tenant_id, wanted, scope_, id_, nextval('${schema}.bruno_revision'), 0, clock_timestamp(), to_timestamp(0))
    on conflict (follower, tenant_id, kind, scope, record_id) do update set revision = excluded.revision;
    return null;
  end $$;`

const fenceFunction = (schema: string): string => `
  create or replace function ${schema}.bruno_transfer_fence() returns trigger language plpgsql as $$
  begin
    if current_setting('bruno.transfer', true) = 'on' then return null; end if;
    raise exception 'this memory has moved' using errcode = 'BM001';
  end $$;`

class Connection implements CaptureConnection {
  readonly now = 'clock_timestamp()'
  readonly epoch = 'to_timestamp(0)'
  #depth = 0
  #patience = PATIENCE.first
  constructor(
    readonly sql: Sql,
    readonly schema: string,
  ) {}

  placeholder = (n: number): string => `$${n}`
  json = (placeholder: string): string => `${placeholder}::text::jsonb`
  unlocked = (where: string): string =>
    `(tenant_id, kind, scope, record_id) in (select tenant_id, kind, scope, record_id from bruno_outbox where follower = 'transfer' and ${where} for update skip locked)`

  async rows(text: string, values: readonly unknown[] = []): Promise<unknown[][]> {
    try {
      const query = this.sql.unsafe(text, values as postgres.ParameterOrJSON<never>[])
      return (await query.values()) as unknown as unknown[][]
    } catch (error) {
      throw translateError(error)
    }
  }

  async write<T>(work: () => Promise<T>): Promise<T> {
    if (this.#depth > 0) return work()
    await this.rows('begin')
    this.#depth++
    try {
      const result = await work()
      await this.rows('commit')
      return result
    } catch (error) {
      await this.rows('rollback').catch(() => undefined)
      throw error
    } finally {
      this.#depth--
    }
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.write(async () => {
      await this.rows(`set local lock_timeout = '${Math.round(this.#patience)}ms'`)
      this.#patience = Math.min(PATIENCE.most, this.#patience * PATIENCE.grows)
      await this.rows(`lock table ${this.#tables} in share row exclusive mode`)
      this.#patience = PATIENCE.first
      return work()
    })
  }

  get #tables(): string {
    return TABLES.map((table) => `${this.schema}.bruno_${table}`).join(', ')
  }

  async note(): Promise<void> {
    await this.#run(
      noteFunction(this.schema),
      ...TABLES.map(
        (
          table,
        ) => `create or replace trigger bruno_transfer_note after insert or update or delete on ${this.schema}.bruno_${table}
          for each row execute function ${this.schema}.bruno_transfer_note('${KINDS[table]}');`,
      ),
    )
  }

  async fence(): Promise<void> {
    await this.#run(
      fenceFunction(this.schema),
      ...TABLES.map(
        (
          table,
        ) => `create or replace trigger bruno_transfer_fence before insert or update or delete or truncate on ${this.schema}.bruno_${table}
          for each statement execute function ${this.schema}.bruno_transfer_fence();`,
      ),
    )
  }

  async release(): Promise<void> {
    const triggers = TABLES.flatMap((table) =>
      ['note', 'fence'].map(
        (what) => `drop trigger if exists bruno_transfer_${what} on ${this.schema}.bruno_${table};`,
      ),
    )
    const functions = ['note', 'fence'].map(
      (what) => `drop function if exists ${this.schema}.bruno_transfer_${what}();`,
    )
    await this.#run(...triggers, ...functions)
  }

  /** One round trip. */
  async #run(...statements: readonly string[]): Promise<void> {
    try {
      await this.sql.unsafe(statements.join('\n')).simple()
    } catch (error) {
      throw translateError(error)
    }
  }

  async close(): Promise<void> {
    await this.sql.end(END)
  }
}

/** Notes what any process writes to a database. */
export async function postgresqlCapture(options: PostgresqlOptions): Promise<TransferCapture> {
  const source = await postgresqlTransferSource(options)
  try {
    const sql = await unlimited(options)
    await sql.unsafe('set row_security = off')
    const [schema] = (await sql.unsafe('select quote_ident(current_schema())').values()) as unknown as string[][]
    return new SqlCapture(new Connection(sql, schema?.[0] ?? 'public'), source)
  } catch (error) {
    await source.close()
    throw translateError(error)
  }
}

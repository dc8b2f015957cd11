import type { EmbeddingSpace } from '../../contract/embedder.js'
import type { Difference } from '../../migrate/catalog.js'
import { createMigrator } from '../../migrate/migrator.js'
import type { Plan } from '../../migrate/plan.js'
import { type Ask, type Looking, withConnection } from './maintenance.js'
import { postgresqlMigrationTarget } from './migration.js'

/** What a look into a database finds, without changing it. */
export interface Examination {
  readonly server: {
    readonly version: string
    readonly number: number
    readonly encoding: string
    readonly writable: boolean
  }
  readonly role: { readonly superuser: boolean; readonly bypassesPolicies: boolean; readonly secured: boolean }
  /** Connections of the whole server; `allowed` to a role like this one. */
  readonly connections: { readonly used: number; readonly allowed: number }
  readonly durability: { readonly fsync: boolean; readonly fullPageWrites: boolean; readonly synchronousCommit: string }
  readonly vectors: {
    /** The version of pgvector in this database. */
    readonly installed: string | null
    /** Whether the server has it. */
    readonly available: boolean
    /** Whether the memory's records have a space for vectors. */
    readonly wanted: boolean
  }
  /** Indexes that are half-made, which no query uses. */
  readonly brokenIndexes: readonly string[]
}

/** What is stored, as far as this role sees it. */
export interface Content {
  readonly analyzer: { readonly language: string; readonly stemmer: string; readonly version: string } | null
  /** Records whose `expiresAt` has passed and that are not purged yet. */
  readonly expired: number
  readonly tenants: number
}

export interface Doctor {
  examine(): Promise<Examination>
  schema(): Promise<Plan>
  drift(): Promise<Difference[]>
  /** Counts; `now` in milliseconds. */
  content(now: number): Promise<Content>
}

const EXPIRING = ['bruno_conversations', 'bruno_sessions', 'bruno_memories', 'bruno_documents']

const SERVER = `select current_setting('server_version'), current_setting('server_version_num')::int,
  current_setting('server_encoding'), not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off'`
// Whoever may not see the others' sessions can still count them.
const ROLE = `select rolsuper, rolbypassrls,
  (select coalesce(bool_or(row_security_active(oid)), false) from pg_class where oid = to_regclass('bruno_messages')),
  (select sum(numbackends)::int from pg_stat_database),
  current_setting('max_connections')::int - case when rolsuper then 0 else
    current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0) end,
  rolconnlimit, (select datconnlimit from pg_database where datname = current_database())
  from pg_roles where rolname = current_user`
const DURABILITY = `select current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
  current_setting('synchronous_commit')`
const VECTORS = `select (select extversion from pg_extension where extname = 'vector'),
  exists (select 1 from pg_available_extensions where name = 'vector')`
const BROKEN = `select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
  where left(t.relname, 6) = 'bruno_' and not (i.indisvalid and i.indisready) order by 1`
// Each tenant is found behind the one before: the users of a tenant are not read one by one.
const TENANTS = `with recursive t(id) as (
    (select tenant_id from bruno_users order by tenant_id limit 1)
    union all select (select u.tenant_id from bruno_users u where u.tenant_id > t.id order by u.tenant_id limit 1) from t where t.id is not null
  ) select count(id) from t`

const first = async (ask: Ask, text: string): Promise<readonly unknown[]> => (await ask(text))[0] ?? []

async function wantsVectors(ask: Ask): Promise<boolean> {
  const [there] = await first(ask, "select to_regclass('bruno_spaces') is not null")
  if (there !== true) return false
  return (await ask("select 1 from bruno_spaces where state = 'active' limit 1")).length > 0
}

async function examine(ask: Ask): Promise<Examination> {
  const [version, number, encoding, writable] = await first(ask, SERVER)
  const [superuser, bypassesPolicies, secured, used, room, ...limits] = await first(ask, ROLE)
  const [fsync, fullPageWrites, synchronousCommit] = await first(ask, DURABILITY)
  const [installed, available] = await first(ask, VECTORS)
  // -1 means no limit.
  const allowed = Math.min(Number(room), ...limits.map(Number).filter((limit) => limit >= 0))
  return {
    server: {
      version: String(version),
      number: Number(number),
      encoding: String(encoding),
      writable: writable === true,
    },
    role: { superuser: superuser === true, bypassesPolicies: bypassesPolicies === true, secured: secured === true },
    connections: { used: Number(used), allowed },
    durability: {
      fsync: fsync === true,
      fullPageWrites: fullPageWrites === true,
      synchronousCommit: String(synchronousCommit),
    },
    vectors: {
      installed: installed === null ? null : String(installed),
      available: available === true,
      wanted: await wantsVectors(ask),
    },
    brokenIndexes: (await ask(BROKEN)).map(([name]) => String(name)),
  }
}

async function analyzerOf(ask: Ask): Promise<Content['analyzer']> {
  const [there] = await first(ask, "select to_regclass('bruno_analyzers') is not null")
  if (there !== true) return null
  const [row] = await ask("select language, stemmer, stemmer_version from bruno_analyzers where id = 'default'")
  return row ? { language: String(row[0]), stemmer: String(row[1]), version: String(row[2]) } : null
}

async function contentOf(ask: Ask, now: number): Promise<Content> {
  let expired = 0
  for (const table of EXPIRING) {
    const [n] = await first(ask, `select count(*) from ${table} where expires_at <= to_timestamp(${now / 1000})`)
    expired += Number(n)
  }
  const [tenants] = await first(ask, TENANTS)
  return { analyzer: await analyzerOf(ask), expired, tenants: Number(tenants) }
}

async function doctorOf({ ask, client }: Looking): Promise<Doctor> {
  const bundle = await import('../../migrate/bundled/postgresql.js')
  const migrator = createMigrator({ target: postgresqlMigrationTarget(client), bundle })
  return {
    examine: () => examine(ask),
    schema: () => migrator.status(),
    drift: () => migrator.drift(),
    content: (now) => contentOf(ask, now),
  }
}

/** Looks at a database over one connection, which is closed when the work is done. */
export const withDoctor = <T>(url: string, work: (doctor: Doctor) => Promise<T>): Promise<T> =>
  withConnection(url, async (looking) => work(await doctorOf(looking)))

/** What has to be known before a memory in the database is opened. */
export const lookInto = (
  url: string,
): Promise<{
  /** Whether there is any schema. */
  readonly exists: boolean
  /** Whether the tables' policies hold for this role. */
  readonly secured: boolean
  /** That it was indexed with; `none` without full-text search; null where none is recorded. */
  readonly language: string | null
  /** What its vectors are compared by, and their length. */
  readonly space: Pick<EmbeddingSpace, 'metric' | 'dimensions'> | null
}> =>
  withConnection(url, async ({ ask }) => {
    const [exists, secured] = await first(
      ask,
      `select to_regclass('bruno_migrations') is not null,
        (select coalesce(bool_or(row_security_active(oid)), false) from pg_class where oid = to_regclass('bruno_messages'))`,
    )
    const spaces = "select metric, dimensions from bruno_spaces where state = 'active' order by created_at desc limit 1"
    const [space] = exists === true ? await ask(spaces).catch(() => []) : []
    return {
      space: space ? { metric: space[0] as EmbeddingSpace['metric'], dimensions: Number(space[1]) } : null,
      exists: exists === true,
      secured: secured === true,
      language: exists === true ? ((await analyzerOf(ask))?.language ?? null) : null,
    }
  })

/** Throws where the client cannot be loaded. */
export async function checkClient(): Promise<void> {
  await import('postgres')
}

import { ConfigurationError } from '../../errors.js'

/** Tables whose rows belong to a tenant. `bruno_vectors` is there only with pgvector. */
const TABLES = [
  'bruno_users',
  'bruno_conversations',
  'bruno_messages',
  'bruno_sessions',
  'bruno_memories',
  'bruno_documents',
  'bruno_embeddings',
  'bruno_vectors',
  'bruno_outbox',
  'bruno_operations',
  'bruno_journal',
]
/** The rest, which every role of the application reads and some of its verbs write. */
const SHARED = [
  'bruno_analyzers',
  'bruno_spaces',
  'bruno_followers',
  'bruno_fallback_state',
  'bruno_transfers',
  'bruno_migrations',
]
/** Owns the search functions; nobody can log in as it. */
const SEARCH_ROLE = 'bruno_memory_search'
export const SEARCH_FUNCTIONS = ['bruno_search_rows', 'bruno_search_counts']

// After a setting that was local to a transaction it is '', not null.
const TENANT = "nullif(current_setting('bruno_memory.tenant', true), '')"

/** The statement that goes with each BEGIN. The name is sent as bytes: no setting of quotes can make it SQL. */
export const tenantSetting = (tenantId: string): string =>
  `select set_config('bruno_memory.tenant', convert_from(decode('${Buffer.from(tenantId).toString('hex')}', 'hex'), 'UTF8'), true)`

const role = `do $$ begin
  if not exists (select 1 from pg_roles where rolname = '${SEARCH_ROLE}') then
    create role ${SEARCH_ROLE} nologin bypassrls;
  end if;
end $$`

// Row-level security puts the policy in front of `@@`, which is not leakproof, and the index goes unused. These functions
// run as a role without policies, and meet the tenant themselves. No text of a caller becomes SQL: the terms are quoted.
const rowsFunction = `create or replace function public.bruno_search_rows(
  searched text, terms tsquery[], worths float8[], conversation text, most bigint
) returns setof bigint language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant text := ${TENANT};
  score text;
  query text;
begin
  if tenant is null or searched not in ('bruno_messages', 'bruno_memories', 'bruno_documents') then return; end if;
  select string_agg(format('case when search_vector @@ %L::tsquery then %L::float8 else 0 end', t, w), ' + '),
    string_agg(format('(%s)', t), ' | ') into score, query from unnest(terms, worths) as u(t, w);
  if score is null then return; end if;
  return query execute format(
    'select seq from public.%I where search_vector @@ %L::tsquery and tenant_id = $1 %s order by (%s) / (0.84 + 0.36 * length(search_text) / 300) desc, seq limit $3',
    searched, query,
    case when conversation is not null and searched <> 'bruno_documents' then 'and conversation_id = $2' else '' end, score
  ) using tenant, conversation, most;
end $$`

const countsFunction = `create or replace function public.bruno_search_counts(searched text, terms tsquery[], bound bigint)
returns setof bigint language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant text := ${TENANT};
  term tsquery;
  n bigint;
begin
  if tenant is null or searched not in ('bruno_messages', 'bruno_memories', 'bruno_documents') then return; end if;
  foreach term in array terms loop
    execute format('select count(*) from (select 1 from public.%I where search_vector @@ %L::tsquery and tenant_id = $1 limit $2) as found',
      searched, term) into n using tenant, bound;
    return next n;
  end loop;
end $$`

const policies = (table: string): string[] => [
  `alter table public.${table} enable row level security`,
  `alter table public.${table} force row level security`,
  `drop policy if exists bruno_tenant on public.${table}`,
  `create policy bruno_tenant on public.${table} using (tenant_id = ${TENANT}) with check (tenant_id = ${TENANT})`,
]

type Ask = (text: string) => Promise<readonly (readonly unknown[])[]>

async function presentTables(ask: Ask): Promise<string[]> {
  const rows = await ask(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname like 'bruno\\_%'`,
  )
  return rows.map(([name]) => String(name))
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** What an application's role needs, and nothing else. */
function grants(to: string, present: readonly string[]): string[] {
  const name = quoted(to)
  return [
    `grant usage on schema public to ${name}`,
    ...[...TABLES, ...SHARED]
      .filter((table) => present.includes(table) && table !== 'bruno_migrations')
      .map((table) => `grant select, insert, update, delete on public.${table} to ${name}`),
    `grant select on public.bruno_migrations to ${name}`,
    `grant usage on all sequences in schema public to ${name}`,
  ]
}

/**
 * Installs the policies and the search functions, as a superuser; again for tables that were added since. `to` is the
 * role that the application connects as.
 */
export async function installRowLevelSecurity(
  ask: Ask,
  to: string | undefined,
): Promise<{ readonly tables: string[] }> {
  const present = await presentTables(ask)
  if (!present.includes('bruno_messages'))
    throw new ConfigurationError('the database has no tables yet: run `bruno-memory migrate` first')
  const tables = TABLES.filter((table) => present.includes(table))
  const statements = [
    'begin',
    role,
    `grant usage on schema public to ${SEARCH_ROLE}`,
    `grant select on public.bruno_messages, public.bruno_memories, public.bruno_documents to ${SEARCH_ROLE}`,
    rowsFunction,
    countsFunction,
    `grant create on schema public to ${SEARCH_ROLE}`,
    `alter function public.bruno_search_rows(text, tsquery[], float8[], text, bigint) owner to ${SEARCH_ROLE}`,
    `alter function public.bruno_search_counts(text, tsquery[], bigint) owner to ${SEARCH_ROLE}`,
    `revoke create on schema public from ${SEARCH_ROLE}`,
    ...tables.flatMap(policies),
    ...(to === undefined ? [] : grants(to, present)),
    'commit',
  ]
  try {
    for (const text of statements) await ask(text)
  } catch (error) {
    await ask('rollback').catch(() => undefined)
    throw error
  }
  return { tables }
}

const MISSING = 'install it with `bruno-memory migrate --row-level-security`'

/** Refuses a role or a schema under which the policies would not hold. */
export async function checkRowLevelSecurity(ask: Ask): Promise<void> {
  const [me] = await ask(`select r.rolsuper, r.rolbypassrls,
    exists (select 1 from pg_class where relname like 'bruno\\_%' and relkind = 'r' and pg_has_role(current_user, relowner, 'member'))
    from pg_roles as r where r.rolname = current_user`)
  const [superuser, bypasses, owner] = me ?? []
  const why = superuser
    ? 'is a superuser'
    : bypasses
      ? 'may bypass row-level security'
      : owner
        ? 'owns the tables'
        : null
  if (why !== null)
    throw new ConfigurationError(
      `rowLevelSecurity: the role of connectionString ${why}, so that no policy binds it: connect as a plain role`,
    )
  const open =
    await ask(`select relname from pg_class as c where relnamespace = 'public'::regnamespace and relname in (${TABLES.map((t) => `'${t}'`).join(', ')})
    and not (relrowsecurity and relforcerowsecurity and exists (select 1 from pg_policy where polrelid = c.oid and polname = 'bruno_tenant')
      and not exists (select 1 from pg_policy where polrelid = c.oid and polname <> 'bruno_tenant' and polpermissive))`)
  if (open.length > 0)
    throw new ConfigurationError(
      `rowLevelSecurity: ${open.map(([name]) => String(name)).join(', ')} ${open.length > 1 ? 'have' : 'has'} no policy, or others beside it: ${MISSING}`,
    )
  const functions = await ask(`select p.proname from pg_proc as p join pg_roles as r on r.oid = p.proowner
    where p.pronamespace = 'public'::regnamespace and p.prosecdef and r.rolbypassrls and not r.rolcanlogin
      and p.proname in (${SEARCH_FUNCTIONS.map((f) => `'${f}'`).join(', ')})`)
  if (functions.length < SEARCH_FUNCTIONS.length)
    throw new ConfigurationError(`rowLevelSecurity: the search functions are missing: ${MISSING}`)
}

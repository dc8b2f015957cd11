import { checkClient, type Doctor, type Examination, withDoctor } from '../backends/postgresql/doctor.js'
import { BrunoMemoryError } from '../errors.js'
import type { Difference } from '../migrate/catalog.js'
import {
  type Check,
  checkAnalyzer,
  checkRest,
  checkSchema,
  failure,
  guarded,
  ok,
  probe,
  reason,
  warning,
} from './doctor-checks.js'
import { number } from './format.js'
import { type Store, type StoreOptions, withMemory } from './open.js'

/** The oldest server that this is tested with. */
const OLDEST_TESTED = 150_000
/** Connections of a memory that is opened without `poolSize`. */
const DEFAULT_POOL = 10

/** A database, from the outside in. No reference is checked: the server's foreign keys leave no record without its own. */
export async function* examineDatabase(store: Store, options: StoreOptions): AsyncGenerator<Check> {
  const client = await clientCheck()
  yield client
  if (client.status === 'failure') return
  const checks: Check[] = []
  const current = await withDoctor(store.url, (doctor) => inside(doctor, checks)).catch((error: unknown) => {
    checks.push(failure('connection', reason(error), 'check --url, the server, and the rights of the role'))
    return false
  })
  yield* checks
  const mend = 'see the message; `bruno-memory migrate verify` looks further'
  if (current)
    yield* await guarded('probe', mend, async () => [await withMemory(store, options, (memory) => probe(memory, mend))])
}

async function clientCheck(): Promise<Check> {
  try {
    await checkClient()
    return ok('client', 'postgres.js')
  } catch (error) {
    return failure(
      'client',
      `the PostgreSQL client does not load: ${reason(error).split('\n')[0]}`,
      'npm install postgres',
    )
  }
}

/** Answers whether the schema is one that a memory can be opened on. */
async function inside(doctor: Doctor, checks: Check[]): Promise<boolean> {
  const found = await doctor.examine()
  checks.push(checkServer(found), checkRole(found), checkConnections(found), checkDurability(found))
  const look = 'see `bruno-memory migrate status`'
  const [schema] = await guarded('schema', look, async () => [checkSchema(await doctor.schema())])
  if (schema) checks.push(schema)
  if (schema?.status !== 'ok') return false
  checks.push(await driftCheck(doctor))
  checks.push(...(await guarded('content', look, () => checkStored(doctor, found))))
  checks.push(checkIndexes(found), checkVectors(found))
  return true
}

async function checkStored(doctor: Doctor, { role }: Examination): Promise<Check[]> {
  const content = await doctor.content(Date.now())
  if (!role.secured) return checkRest(content)
  const hidden = 'hidden from this role by row-level security'
  return [checkAnalyzer(content.analyzer), ok('expiry', hidden), ok('tenants', hidden)]
}

function checkServer({ server: { version, number: of, encoding, writable } }: Examination): Check {
  const found = `PostgreSQL ${version}`
  if (encoding !== 'UTF8')
    return failure(
      'server',
      `${found}, encoding ${encoding}`,
      'make the database anew with encoding UTF8, which holds all text',
    )
  if (!writable) return failure('server', `${found} is read-only`, 'name the primary in --url: this may be a replica')
  return of < OLDEST_TESTED
    ? warning('server', found, `use PostgreSQL ${OLDEST_TESTED / 10_000} or newer: older ones are not tested`)
    : ok('server', found)
}

function checkRole({ role: { superuser, bypassesPolicies, secured } }: Examination): Check {
  const mend = 'give the application a role of its own that owns nothing but its tables'
  if (superuser) return warning('role', 'is a superuser: no right and no policy holds for it', mend)
  if (bypassesPolicies) return warning('role', 'passes by row-level security', mend)
  return ok('role', secured ? 'no superuser; row-level security holds for it' : 'no superuser')
}

function checkConnections({ connections: { used, allowed } }: Examination): Check {
  const found = `${number(used)} of ${number(allowed)} used`
  return allowed - used < DEFAULT_POOL
    ? warning(
        'connections',
        found,
        `set poolSize (default ${DEFAULT_POOL}), put a pooler in between, or raise max_connections`,
      )
    : ok('connections', found)
}

function checkDurability({ durability: { fsync, fullPageWrites, synchronousCommit } }: Examination): Check {
  const found = `fsync ${fsync ? 'on' : 'off'}, synchronous_commit ${synchronousCommit}`
  if (!fsync) return warning('durability', found, 'set fsync = on: a power failure may lose or damage everything')
  if (!fullPageWrites)
    return warning(
      'durability',
      `${found}, full_page_writes off`,
      'set full_page_writes = on, unless the disk writes whole pages',
    )
  return synchronousCommit === 'off'
    ? warning(
        'durability',
        found,
        'set synchronous_commit = on: a memory sets it itself, but not with `prepare: false`',
      )
    : ok('durability', found)
}

async function driftCheck(doctor: Doctor): Promise<Check> {
  try {
    return checkDrift(await doctor.drift())
  } catch (error) {
    const code = error instanceof BrunoMemoryError ? (error.cause as { code?: unknown } | undefined)?.code : undefined
    // The schema as it should be is made in a transaction that is taken back.
    if (code === '42501')
      return warning(
        'drift',
        'the role may not make what to compare with',
        'run `bruno-memory migrate drift` with another role',
      )
    return failure('drift', reason(error), 'see `bruno-memory migrate drift`')
  }
}

function checkDrift(differences: readonly Difference[]): Check {
  const [first] = differences
  if (!first) return ok('drift', 'the schema is what its migrations make')
  const others = differences.length - 1
  return failure(
    'drift',
    `${first.problem} ${first.object}${others > 0 ? ` and ${number(others)} more` : ''}`,
    'see `bruno-memory migrate drift`, and take back what was changed by hand',
  )
}

function checkIndexes({ brokenIndexes }: Examination): Check {
  return brokenIndexes.length === 0
    ? ok('search index', 'kept by the server')
    : failure(
        'search index',
        `${brokenIndexes.join(', ')} cannot be used`,
        'make them anew: REINDEX INDEX CONCURRENTLY …',
      )
}

function checkVectors({ vectors: { installed, available, wanted } }: Examination): Check {
  if (installed !== null) return ok('vectors', `pgvector ${installed}`)
  const found = available ? 'pgvector is there, and not made in this database' : 'the server has no pgvector'
  return wanted
    ? warning('vectors', found, 'add it (`create extension vector`): the vectors of this memory cannot be searched')
    : ok('vectors', `${found}: only searches by meaning need it`)
}

import { Argument, type Command } from 'commander'
import { ConfigurationError, MigrationError } from '../errors.js'
import type { Bundle } from '../migrate/bundle.js'
import type { Difference } from '../migrate/catalog.js'
import { createMigrator, type MigrationProgress, type Migrator } from '../migrate/migrator.js'
import type { Plan } from '../migrate/plan.js'
import type { OpenTarget } from '../migrate/target.js'
import { type CliIo, line, printJson } from './io.js'
import { isPostgresUrl } from './open.js'

const actions = {
  up: 'apply what is pending, each migration in its own transaction (default)',
  status: 'list what is applied and pending; exit code 1 unless the database is current',
  verify: 'hold the journal and the schema itself against the migrations; exit code 1 on any difference',
  sql: 'print the SQL that "up" would run, and run nothing',
  drift: 'list what was changed by hand in tables named bruno_…; exit code 1 on any difference',
} as const
type Action = keyof typeof actions

interface Options {
  readonly url?: string
  readonly json?: true
  readonly rowLevelSecurity?: true
  readonly grantTo?: string
}

const help = `
Actions:
${Object.entries(actions)
  .map(([name, text]) => `  ${name.padEnd(8)} ${text}`)
  .join('\n')}

Databases:
  sqlite:./memory.db, file:./memory.db or a plain path; postgres://user:password@host:5432/database.
  Without --url, BRUNO_MEMORY_URL is taken, then DATABASE_URL.

The journal (bruno_migrations) is that of \`npx drizzle-kit migrate\`: either command goes on where the other ended.

Examples:
  bruno-memory migrate --url sqlite:./memory.db
  bruno-memory migrate status --json
  bruno-memory migrate sql --url postgres://localhost/app > pending.sql
  bruno-memory migrate --url postgres://admin@localhost/app --row-level-security --grant-to app`

export function register(program: Command, io: CliIo): void {
  program
    .command('migrate')
    .summary('bring a database to the schema of this version')
    .description('Brings a SQLite or PostgreSQL database to the schema of this version, or says how it stands.')
    .addArgument(new Argument('[action]', 'what to do').choices(Object.keys(actions)).default('up'))
    .option('--url <url>', 'the database')
    .option('--json', 'print one JSON document')
    .option(
      '--row-level-security',
      'PostgreSQL: then install the policies that keep tenants apart in the server too (as a superuser; can be repeated)',
    )
    .option('--grant-to <role>', 'with --row-level-security: give the role of the application what it needs')
    .addHelpText('after', help)
    .action((action: Action, options: Options) => migrate(action, options, io))
}

async function migrate(action: Action, options: Options, io: CliIo): Promise<void> {
  const url = options.url ?? io.env.BRUNO_MEMORY_URL ?? io.env.DATABASE_URL ?? ''
  checkSecurityOptions(action, options, url)
  const { name, open, bundle } = database(url)
  const { target, close } = await open(action === 'up')
  try {
    const migrator = createMigrator({ target, bundle: await bundle() })
    // With the policies to come, their report is the one document that is printed.
    const quiet = options.rowLevelSecurity && options.json
    const ok = await run[action](migrator, name, options.json ?? false, quiet ? { ...io, stdout: io.stderr } : io)
    io.setExitCode(ok ? 0 : 1)
  } finally {
    await close()
  }
  if (options.rowLevelSecurity) await secure(url, options, io)
}

function checkSecurityOptions(action: Action, options: Options, url: string): void {
  if (options.grantTo !== undefined && !options.rowLevelSecurity)
    throw new ConfigurationError('--grant-to goes with --row-level-security')
  if (!options.rowLevelSecurity) return
  if (action !== 'up') throw new ConfigurationError('--row-level-security goes with the action "up"')
  if (!isPostgresUrl(url)) throw new ConfigurationError('--row-level-security is for PostgreSQL')
}

async function secure(url: string, options: Options, io: CliIo): Promise<void> {
  const { secureDatabase } = await import('../backends/postgresql/open.js')
  const { tables } = await secureDatabase(url, options.grantTo)
  if (options.json) printJson(io, { tables, grantedTo: options.grantTo ?? null })
  else {
    line(io.stdout, `policies on ${tables.join(', ')}`)
    if (options.grantTo) line(io.stdout, `${options.grantTo} may read and write what its tenant owns`)
    else line(io.stdout, 'give the role of the application its rights with --grant-to')
  }
}

interface NamedDatabase {
  /** For people: never the URL, which may hold a password. */
  readonly name: string
  open(write: boolean): Promise<OpenTarget>
  bundle(): Promise<Bundle>
}

/** The engine is loaded only when its URL is given. */
function database(url: string): NamedDatabase {
  if (url === '')
    throw new ConfigurationError('no database is named: pass --url sqlite:./memory.db, or set DATABASE_URL')
  if (isPostgresUrl(url)) {
    return {
      name: 'the PostgreSQL database',
      open: async () => (await import('../backends/postgresql/migration.js')).openMigrationTarget(url),
      bundle: () => import('../migrate/bundled/postgresql.js'),
    }
  }
  const path = url.replace(/^(sqlite|file):(\/\/)?/, '')
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(path)?.[1]
  if (scheme)
    throw new ConfigurationError(`${scheme}: stores have no schema to migrate: name a SQLite file or postgres://…`)
  if (path === '' || path === ':memory:')
    throw new ConfigurationError('name a SQLite file: a database in memory ends with this command')
  return {
    name: path,
    open: async (write) => (await import('../backends/sqlite/migration.js')).openMigrationTarget(path, { write }),
    bundle: () => import('../migrate/bundled/sqlite.js'),
  }
}

/** Each answers whether the exit code is 0. */
const run: Record<Action, (migrator: Migrator, name: string, json: boolean, io: CliIo) => Promise<boolean>> = {
  up: async (migrator, name, json, io) => {
    const report = await migrator.up({ onProgress: (p) => progress(io, p) })
    const count = report.applied.length
    if (json) printJson(io, report)
    else line(io.stdout, count === 0 ? `${name} is current` : `${name} is current: ${count} applied now`)
    return true
  },
  status: async (migrator, name, json, io) => {
    const plan = await migrator.status()
    if (json) printJson(io, tags(plan))
    else printPlan(io, name, plan)
    return isCurrent(plan)
  },
  verify: async (migrator, name, json, io) => {
    const { plan, differences, ok } = await migrator.verify()
    if (json) printJson(io, { ok, ...tags(plan), differences })
    else {
      printPlan(io, name, plan)
      printDifferences(io, name, differences)
    }
    return ok
  },
  sql: async (migrator, _name, json, io) => {
    const sql = await migrator.preview()
    if (json) printJson(io, { sql })
    else io.stdout.write(sql)
    return true
  },
  drift: async (migrator, name, json, io) => {
    if ((await migrator.status()).applied.length === 0) {
      throw new MigrationError(`no migration is applied to ${name} yet: run \`bruno-memory migrate\` first`)
    }
    const differences = await migrator.drift()
    if (json) printJson(io, { differences })
    else printDifferences(io, name, differences)
    return differences.length === 0
  },
}

const isCurrent = (plan: Plan): boolean => plan.pending.length + plan.problems.length === 0

const tags = (plan: Plan) => ({
  applied: plan.applied.map((m) => m.tag),
  pending: plan.pending.map((m) => m.tag),
  problems: plan.problems,
})

const progress = (io: CliIo, { state, migration, index, total }: MigrationProgress): void =>
  line(
    io.stderr,
    `${state === 'elsewhere' ? 'applied by another process:' : state} ${migration} (${index} of ${total})`,
  )

function printPlan(io: CliIo, name: string, plan: Plan): void {
  for (const m of plan.applied) line(io.stdout, `applied  ${m.tag}`)
  for (const m of plan.pending) line(io.stdout, `pending  ${m.tag}`)
  for (const p of plan.problems) line(io.stdout, `problem  ${p.kind}: ${p.message}`)
  const count = plan.pending.length
  if (isCurrent(plan)) line(io.stdout, `${name} is current`)
  else if (plan.problems.length === 0) line(io.stdout, `${count} pending: run \`bruno-memory migrate\``)
}

function printDifferences(io: CliIo, name: string, differences: readonly Difference[]): void {
  for (const d of differences) {
    line(io.stdout, `${d.problem.padEnd(8)} ${d.object}`)
    if (d.expected !== null) line(io.stdout, `         expected: ${d.expected}`)
    if (d.found !== null) line(io.stdout, `         found:    ${d.found}`)
  }
  if (differences.length === 0) line(io.stdout, `${name} is what its migrations make`)
}

import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject } from 'vitest'
import { postgresqlMigrationTarget } from '../../../src/backends/postgresql/migration.js'
import * as bundle from '../../../src/migrate/bundled/postgresql.js'
import { createMigrator } from '../../../src/migrate/migrator.js'

const server = (): string => inject('servers').POSTGRESQL_URL

export const urlOf = (database: string, base = server()): string => {
  const url = new URL(base)
  url.pathname = `/${database}`
  return url.href
}

let admin: postgres.Sql | null = null
const administrator = (): postgres.Sql => {
  admin ??= postgres(server(), { max: 4, onnotice: () => {} })
  return admin
}

const newName = (): string => `bruno_test_${randomBytes(6).toString('hex')}`
let template: Promise<string> | null = null
const made: string[] = []

/** A database with the schema, of which the others are copies. */
async function makeTemplate(): Promise<string> {
  const name = newName()
  await administrator().unsafe(`create database ${name}`)
  made.push(name)
  const sql = postgres(urlOf(name), { max: 1, onnotice: () => {} })
  try {
    await createMigrator({ target: postgresqlMigrationTarget(sql as never), bundle }).up()
  } finally {
    await sql.end()
  }
  return name
}

/** Databases that were emptied, to be given again: a copy takes longer than many a test. */
const idle: string[] = []
const lent: string[] = []

/** A database with the current schema and no rows; answers its URL. */
export async function freshDatabase(): Promise<string> {
  let name = idle.pop()
  if (name === undefined) {
    template ??= makeTemplate()
    name = newName()
    await administrator().unsafe(`create database ${name} template ${await template}`)
    made.push(name)
  }
  lent.push(name)
  return urlOf(name)
}

const EMPTY = `do $$ declare t text; begin
  for t in select quote_ident(relname) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
      and relname like 'bruno_%' and relname <> 'bruno_migrations' loop
    execute 'delete from ' || t;
  end loop; end $$`

/** Deletes every row of our tables. */
export async function empty(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(EMPTY)
  } finally {
    await sql.end()
  }
}

/** Empties the databases that were lent, which nobody uses any more. */
export async function returnDatabases(): Promise<void> {
  await Promise.all(
    lent.splice(0).map(async (name) => {
      await empty(urlOf(name))
      idle.push(name)
    }),
  )
}

/** An empty database, without a schema. */
export async function emptyDatabase(): Promise<string> {
  const name = newName()
  await administrator().unsafe(`create database ${name}`)
  made.push(name)
  return urlOf(name)
}

/** Removes everything that was made, and leaves the server. */
export async function leaveServer(): Promise<void> {
  await Promise.all(made.splice(0).map((name) => administrator().unsafe(`drop database ${name} with (force)`)))
  idle.length = 0
  lent.length = 0
  template = null
  await admin?.end()
  admin = null
}

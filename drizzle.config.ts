import { defineConfig } from 'drizzle-kit'

// The dialect follows DATABASE_URL: postgres://… is PostgreSQL, anything else a SQLite file.
const url = process.env.DATABASE_URL ?? './memory.db'
const postgresql = /^postgres(ql)?:\/\//.test(url)
const file = url.replace(/^(sqlite|file):(\/\/)?/, '')

export default defineConfig({
  dialect: postgresql ? 'postgresql' : 'sqlite',
  schema: postgresql ? './schema/postgresql.ts' : './schema/sqlite.ts',
  out: postgresql ? './migrations/postgresql' : './migrations/sqlite',
  dbCredentials: { url: postgresql ? url : file },
  // An application keeps its own Drizzle journal in the same database.
  migrations: { table: 'bruno_migrations', schema: 'public' },
})

import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

// drizzle-kit reads paths from where it is started, which is not this folder in a program that depends on the package.
const folder = typeof __dirname === 'string' ? __dirname : dirname(fileURLToPath(import.meta.url))
const here = (path: string): string => `./${relative(process.cwd(), join(folder, path)).replaceAll('\\', '/')}`

// The dialect follows DATABASE_URL: postgres://… is PostgreSQL, anything else a SQLite file.
const url = process.env.DATABASE_URL ?? './memory.db'
const dialect = /^postgres(ql)?:\/\//.test(url) ? 'postgresql' : 'sqlite'

export default {
  dialect,
  schema: here(`schema/${dialect}.ts`),
  out: here(`migrations/${dialect}`),
  dbCredentials: { url: dialect === 'postgresql' ? url : url.replace(/^(sqlite|file):(\/\/)?/, '') },
  // An application keeps its own Drizzle journal in the same database.
  migrations: { table: 'bruno_migrations', schema: 'public' },
}

import { ConfigurationError } from '../errors.js'
import { LANGGRAPH } from './langgraph/layout.js'
import { MASTRA } from './mastra/layout.js'
import { MEM0 } from './mem0/layout.js'
import { checkLayout, isOf, type Layout, marksOf, SqliteFile } from './sqlite.js'
import { type ImportFormat, SQLITE_FORMATS, type SqliteFormat } from './types.js'

const LAYOUTS: Readonly<Record<SqliteFormat, Layout>> = { mastra: MASTRA, langgraph: LANGGRAPH, mem0: MEM0 }

export const isSqliteFormat = (format: ImportFormat): format is SqliteFormat =>
  (SQLITE_FORMATS as readonly string[]).includes(format)

/** What an SQLite file holds, by its tables. It has the columns that are read then, or this throws. */
export async function formatOfDatabase(path: string, asked?: ImportFormat): Promise<SqliteFormat> {
  if (asked && !isSqliteFormat(asked)) throw new ConfigurationError(`${path} is an SQLite file, not one of ${asked}`)
  const file = await SqliteFile.open(path)
  try {
    const format = asked ?? only(file)
    checkLayout(file, LAYOUTS[format])
    return format
  } finally {
    file.close()
  }
}

function only(file: SqliteFile): SqliteFormat {
  const found = SQLITE_FORMATS.filter((format) => isOf(file, LAYOUTS[format]))
  if (found.length > 1)
    throw new ConfigurationError(`${file.path} holds ${found.join(' and ')}: import it with --format for each`)
  const [format] = found
  if (format) return format
  if (file.tables.has('bruno_conversations'))
    throw new ConfigurationError(`${file.path} is a memory itself: \`bruno-memory export\` makes an archive of it`)
  const known = SQLITE_FORMATS.map((name) => `${LAYOUTS[name].what} (table ${marksOf(LAYOUTS[name])})`)
  throw new ConfigurationError(`${file.path} is an SQLite file of something else; expected ${known.join(', or ')}`)
}

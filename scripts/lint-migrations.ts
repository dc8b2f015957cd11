/** Refuses migrations that would lose data, differ between the dialects, or change what has landed. */
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { readMigrations } from '../src/migrate/folder.js'
import { lintFolders } from './lib/migration-folders.js'
import { lintSqlite } from './lib/migration-probe.js'

/** Everything wrong with the migrations under `root`; empty when they may land. */
export function lintMigrations(root: string): string[] {
  const problems = lintFolders(root)
  if (problems.some((p) => p.endsWith('its file is missing'))) return problems
  return [...problems, ...lintSqlite(readMigrations(join(root, 'sqlite')).migrations)]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = process.argv[2] ?? fileURLToPath(new URL('../migrations', import.meta.url))
  const problems = lintMigrations(root)
  for (const p of problems) console.error(p)
  if (problems.length === 0) console.log('migrations: nothing to refuse')
  process.exitCode = problems.length === 0 ? 0 : 1
}

/**
 * Writes src/migrate/bundled/*.ts from migrations/*, so that a bundled application carries its migrations in its code,
 * and adds new migrations to migrations/frozen.json. What is frozen already is never changed.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BundledMigration } from '../src/migrate/bundle.js'
import { readMigrations } from '../src/migrate/folder.js'
import { type Dialect, dialects, type FrozenFile, frozenFile, readFrozen } from './lib/migration-folders.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'migrations')
const bundledFile = (dialect: Dialect): string => join(root, 'src', 'migrate', 'bundled', `${dialect}.ts`)

const template = (text: string): string => `\`${text.replace(/[\\`]|\$\{/g, '\\$&')}\``

const entry = (m: BundledMigration): string => `  {
    tag: '${m.tag}',
    when: ${m.when},
    hash: '${m.hash}',
    statements: [
${m.statements.map((s) => `      ${template(s)},`).join('\n')}
    ],
  },
`

/** The text that the embedded module of a dialect should have. */
export const embedded = (
  dialect: Dialect,
): string => `// Made by \`npm run migrations:embed\` from migrations/${dialect}.
import type { BundledMigration } from '../bundle.js'

export const migrations: readonly BundledMigration[] = [
${readMigrations(join(folder, dialect)).migrations.map(entry).join('')}]
`

/** The dialects whose embedded module is not what the folder makes. */
export const stale = (): Dialect[] => dialects.filter((d) => readFileSync(bundledFile(d), 'utf8') !== embedded(d))

/** The frozen file of a folder of migrations, with those that are new in it. */
export function frozen(migrations: string): FrozenFile {
  const before = existsSync(frozenFile(migrations)) ? readFrozen(migrations) : {}
  return Object.fromEntries(
    dialects.map((d) => {
      const now = readMigrations(join(migrations, d)).migrations.map(
        (m) => [m.tag, { when: m.when, hash: m.hash }] as const,
      )
      return [d, { ...Object.fromEntries(now), ...before[d] }]
    }),
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(frozenFile(folder), `${JSON.stringify(frozen(folder), null, 2)}\n`)
  for (const dialect of dialects) writeFileSync(bundledFile(dialect), embedded(dialect))
}

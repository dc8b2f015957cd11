import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MigrationError } from '../errors.js'
import { type Bundle, type BundledMigration, breakpoint } from './bundle.js'

/** One line of drizzle-kit's `meta/_journal.json`. */
export interface FolderEntry {
  readonly idx: number
  readonly when: number
  readonly tag: string
  readonly breakpoints: boolean
}

/** The entries of a folder's journal file, in its order. */
export function readEntries(folder: string): readonly FolderEntry[] {
  const journal: unknown = JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8'))
  return (journal as { entries: FolderEntry[] }).entries
}

/** The journal's hash of a migration file, as Drizzle computes it. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The statements of a migration file. A trailing breakpoint leaves an empty one, which no engine runs. */
export const statementsOf = (text: string): string[] =>
  text
    .split(breakpoint)
    .map((s) => s.trim())
    .filter((s) => s !== '')

/** The migrations of a folder that drizzle-kit keeps. */
export function readMigrations(folder: string): Bundle {
  return { migrations: readEntries(folder).map((entry) => readMigration(folder, entry)) }
}

function readMigration(folder: string, { tag, when }: FolderEntry): BundledMigration {
  try {
    const text = readFileSync(join(folder, `${tag}.sql`), 'utf8')
    return { tag, when, hash: hashOf(text), statements: statementsOf(text) }
  } catch (cause) {
    throw new MigrationError(`the file of migration ${tag} cannot be read`, tag, { cause })
  }
}

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { breakpoint } from '../../src/migrate/bundle.js'
import { hashOf, readEntries } from '../../src/migrate/folder.js'

export const dialects = ['sqlite', 'postgresql'] as const
export type Dialect = (typeof dialects)[number]

/** What a landed migration may never change. */
export interface Frozen {
  readonly when: number
  readonly hash: string
}
export type FrozenFile = Partial<Record<Dialect, Readonly<Record<string, Frozen>>>>

export const frozenFile = (root: string): string => join(root, 'frozen.json')
export const readFrozen = (root: string): FrozenFile => JSON.parse(readFileSync(frozenFile(root), 'utf8')) as FrozenFile

/** Problems that need no engine: names, order, statement breakpoints, and the text of landed files. */
export function lintFolders(root: string): string[] {
  const frozen = readFrozen(root)
  return [...sameNames(root), ...dialects.flatMap((d) => lintFolder(join(root, d), d, frozen[d] ?? {}))]
}

function sameNames(root: string): string[] {
  const [sqlite = [], postgresql = []] = dialects.map((d) => readEntries(join(root, d)).map((e) => e.tag))
  const longest = sqlite.length > postgresql.length ? sqlite : postgresql
  return longest
    .map((_, i) => ({ s: sqlite[i], p: postgresql[i] }))
    .filter(({ s, p }) => s !== p)
    .map(({ s, p }) => `sqlite has ${s ?? 'nothing'} where postgresql has ${p ?? 'nothing'}: name both alike`)
}

function lintFolder(folder: string, dialect: Dialect, frozen: Readonly<Record<string, Frozen>>): string[] {
  const entries = readEntries(folder)
  const files = readdirSync(folder).filter((f) => f.endsWith('.sql'))
  const problems: string[] = []
  const say = (tag: string, problem: string) => problems.push(`${dialect}/${tag}: ${problem}`)
  for (const [i, e] of entries.entries()) {
    const before = entries[i - 1]
    if (e.idx !== i || !e.tag.startsWith(`${String(i).padStart(4, '0')}_`))
      say(e.tag, `its number is not its place (${i})`)
    if (before && e.when <= before.when) say(e.tag, `its time is not after that of ${before.tag}: generate it again`)
    if (!files.includes(`${e.tag}.sql`)) say(e.tag, 'its file is missing')
    else for (const p of lintText(readFileSync(join(folder, `${e.tag}.sql`), 'utf8'), dialect)) say(e.tag, p)
  }
  for (const f of files)
    if (!entries.some((e) => `${e.tag}.sql` === f)) say(f.slice(0, -4), 'it is not in the journal file')
  for (const [tag, p] of thawed(folder, frozen)) say(tag, p)
  return problems
}

function thawed(folder: string, frozen: Readonly<Record<string, Frozen>>): [tag: string, problem: string][] {
  const entries = new Map(readEntries(folder).map((e) => [e.tag, e]))
  const found = Object.entries(frozen).flatMap(([tag, { when, hash }]): [string, string][] => {
    const entry = entries.get(tag)
    if (!entry) return [[tag, 'it has landed and is gone from the journal file']]
    if (entry.when !== when) return [[tag, 'it has landed and its time was changed']]
    const text = readFileSync(join(folder, `${tag}.sql`), 'utf8')
    return hashOf(text) === hash ? [] : [[tag, 'it has landed and was edited: restore it and write a new migration']]
  })
  const fresh = [...entries.keys()].filter((tag) => !frozen[tag])
  return [
    ...found,
    ...fresh.map((tag): [string, string] => [tag, 'it is not in frozen.json: run `npm run migrations:embed`']),
  ]
}

function lintText(text: string, dialect: Dialect): string[] {
  const problems: string[] = []
  for (const [i, statement] of text.split(breakpoint).entries()) {
    const bare = withoutLiterals(statement)
    if (bare.replaceAll(';', '').trim() === '') problems.push(`statement ${i + 1} is empty`)
    // A trigger's body holds semicolons of its own; SQLite itself is asked about those.
    if (dialect === 'postgresql' && /;\s*\S/.test(bare))
      problems.push(`statement ${i + 1} is several: put \`${breakpoint}\` between`)
    if (/\bconcurrently\b/i.test(bare)) {
      problems.push('CONCURRENTLY cannot run inside a transaction, which drizzle-kit puts around all migrations')
    }
    if (/^\s*truncate\b/i.test(bare)) problems.push('TRUNCATE empties tables that reference this one too')
  }
  return problems
}

/** The statement without comments, strings, quoted names and dollar-quoted bodies. */
const withoutLiterals = (sql: string): string =>
  sql.replace(/--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|(\$\w*\$)[\s\S]*?\1/g, (literal) =>
    /^['"`$]/.test(literal) ? 'x' : ' ',
  )

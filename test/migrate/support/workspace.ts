import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bundle } from '../../../src/migrate/bundle.js'
import { type FolderEntry, readEntries, readMigrations } from '../../../src/migrate/folder.js'
import type { Dialect } from './databases.js'

export const repository = fileURLToPath(new URL('../../..', import.meta.url))
const dialects: readonly Dialect[] = ['sqlite', 'postgresql']

export interface KitRun {
  readonly exitCode: number
  readonly output: string
}

/** A copy of the schema and the migrations in which a test may write, with the real drizzle-kit over it. */
export class Workspace implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'bruno-memory-kit-'))

  constructor() {
    for (const name of ['schema', 'migrations', 'drizzle.config.ts', 'package.json', 'tsconfig.json']) {
      cpSync(join(repository, name), join(this.root, name), { recursive: true })
    }
    symlinkSync(join(repository, 'node_modules'), join(this.root, 'node_modules'))
  }

  get migrations(): string {
    return join(this.root, 'migrations')
  }

  bundle(dialect: Dialect): Bundle {
    return readMigrations(join(this.migrations, dialect))
  }

  /** Keeps the first migrations only, as the folder was when they were the newest. */
  cut(count: number): this {
    for (const dialect of dialects) this.#write(dialect, readEntries(join(this.migrations, dialect)).slice(0, count))
    return this
  }

  /** Puts all migrations of the repository back. */
  restore(): this {
    for (const d of dialects) cpSync(join(repository, 'migrations', d), join(this.migrations, d), { recursive: true })
    return this
  }

  /** Adds a migration at the end, an hour after the one before it unless told otherwise. */
  add(dialect: Dialect, name: string, text: string, when?: number): string {
    const entries = readEntries(join(this.migrations, dialect))
    const tag = `${String(entries.length).padStart(4, '0')}_${name}`
    writeFileSync(join(this.migrations, dialect, `${tag}.sql`), text)
    const at = when ?? (entries.at(-1)?.when ?? 0) + 3_600_000
    this.#write(dialect, [...entries, { idx: entries.length, when: at, tag, breakpoints: true }])
    return tag
  }

  /** `npx drizzle-kit …` in the copy. */
  kit(args: readonly string[], url: string): Promise<KitRun> {
    const bin = join(repository, 'node_modules', 'drizzle-kit', 'bin.cjs')
    const env = { ...process.env, DATABASE_URL: url, NO_COLOR: '1' }
    return new Promise((resolve) => {
      execFile(process.execPath, [bin, ...args], { cwd: this.root, env }, (error, stdout, stderr) =>
        resolve({ exitCode: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
      )
    })
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }

  #write(dialect: Dialect, entries: readonly FolderEntry[]): void {
    const file = join(this.migrations, dialect, 'meta', '_journal.json')
    const journal = JSON.parse(readFileSync(file, 'utf8')) as { entries: readonly FolderEntry[] }
    const versioned = entries.map((e) => ({ version: dialect === 'sqlite' ? '6' : '7', ...e }))
    writeFileSync(file, JSON.stringify({ ...journal, entries: versioned }, null, 2))
  }
}

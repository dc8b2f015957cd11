import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { frozen } from '../../scripts/embed-migrations.js'
import { type Dialect, dialects, frozenFile, readFrozen } from '../../scripts/lib/migration-folders.js'
import { lintMigrations } from '../../scripts/lint-migrations.js'
import { breakpoint } from '../../src/migrate/bundle.js'
import { bareRebuild, generatedRebuild, safeRebuild, staleRebuild } from './support/rebuild.js'
import { repository, Workspace } from './support/workspace.js'

function workspace(): Workspace {
  const made = new Workspace()
  onTestFinished(() => made[Symbol.dispose]())
  return made
}

/** What the lint says of a next migration, apart from what it says of any that is not frozen yet. */
function lint(sqlite: string, postgresql = 'SELECT 1'): string[] {
  const made = workspace()
  made.add('sqlite', 'change', sqlite)
  made.add('postgresql', 'change', postgresql)
  return unfrozen(made.migrations)
}

/** The number that the next migration gets, and the name of the newest. */
const names = Object.keys(readFrozen(join(repository, 'migrations')).sqlite ?? {}).sort()
const NEXT = String(names.length).padStart(4, '0')
const LAST = names.at(-1) ?? ''

const statements = (...list: string[]): string => list.join(`\n${breakpoint}\n`)
const unfrozen = (root: string) => lintMigrations(root).filter((p) => !p.includes('is not in frozen.json'))

describe('the lint of migrations', () => {
  test("finds nothing in the repository's own", () => {
    expect(lintMigrations(join(repository, 'migrations'))).toEqual([])
  })

  test('lets harmless changes pass', () => {
    expect(lint('ALTER TABLE bruno_users ADD nickname text', 'ALTER TABLE bruno_users ADD nickname text')).toEqual([])
    expect(lint('DROP INDEX bruno_messages_parent')).toEqual([])
    expect(lint('DROP TABLE bruno_operations')).toEqual([])
    expect(lint("-- it's; fine\nCREATE TRIGGER t AFTER INSERT ON bruno_users BEGIN SELECT 1; SELECT 2; END")).toEqual(
      [],
    )
    expect(lint('SELECT 1', "-- it's; fine\nDO $$ BEGIN PERFORM 1; PERFORM 2; END $$;")).toEqual([])
  })

  test('refuses the rebuild of a referenced table as drizzle-kit generates it', () => {
    const lost = ['bruno_embedding_bits', 'bruno_embeddings', 'bruno_messages']
    expect(lint(generatedRebuild).sort()).toEqual(
      lost.map((t) => expect.stringContaining(`sqlite/${NEXT}_change: rows of ${t} are lost under drizzle-kit`)),
    )
  })

  test('lets a rebuild pass that saves and restores the children', () => {
    expect(lint(safeRebuild)).toEqual([])
  })

  test.each(['bruno_embeddings', 'bruno_embedding_bits'])(
    'refuses a rebuild that loses what only a trigger ties to the children: %s',
    (table) => {
      const all = safeRebuild.split(`\n${breakpoint}\n`)
      expect(lint(statements(...all.filter((s) => !s.includes(table))))).toEqual([
        expect.stringContaining(`rows of ${table} are lost under drizzle-kit`),
      ])
    },
  )

  test('refuses a rebuild that loses grandchildren, or the key that others reference', () => {
    const saved = 'CREATE TABLE saved AS SELECT * FROM bruno_users'
    const rename = 'ALTER TABLE saved RENAME TO bruno_users'
    const key = 'CREATE UNIQUE INDEX bruno_users_id ON bruno_users (tenant_id, id)'
    const lost = ['conversations', 'memories', 'messages', 'sessions'].map((t) => `rows of bruno_${t} are lost`)
    for (const problem of lost) {
      expect(lint(statements(saved, 'DROP TABLE bruno_users', rename, key)).join('\n')).toContain(problem)
    }
    expect(lint(statements(saved, 'DROP TABLE bruno_users', rename)).join('\n')).toContain(
      'a foreign key is left without the unique key',
    )
  })

  test('refuses a restore that fails where the children were never lost', () => {
    const problems = lint(safeRebuild.replace('INSERT OR IGNORE', 'INSERT'))
    expect(problems).toEqual([expect.stringMatching(/statement \d+ fails over filled tables \(SQLITE_CONSTRAINT/)])
  })

  test('refuses a rebuild that leaves the search index, its triggers or indexes behind', () => {
    expect(lint(staleRebuild)).toEqual([
      expect.stringContaining('bruno_messages_search no longer agrees with its table'),
    ])
    expect(lint(bareRebuild)).toEqual([
      expect.stringContaining('index bruno_conversations_created is gone with its table'),
      expect.stringContaining('index bruno_conversations_user is gone with its table'),
      expect.stringContaining('index bruno_conversations_expiry is gone with its table'),
    ])
    const documents = [
      'DROP VIEW bruno_documents_indexed',
      'CREATE TABLE saved AS SELECT * FROM bruno_documents',
      'DROP TABLE bruno_documents',
      'ALTER TABLE saved RENAME TO bruno_documents',
    ]
    expect(lint(statements(...documents))).toEqual(
      expect.arrayContaining([
        expect.stringContaining('trigger bruno_documents_search_update is gone'),
        expect.stringContaining('trigger bruno_documents_search_delete is gone'),
      ]),
    )
  })

  test('refuses statements without a breakpoint between, and empty ones', () => {
    expect(lint('SELECT 1; SELECT 2')).toEqual([
      expect.stringContaining(`sqlite/${NEXT}_change: statement 1 is several or none`),
    ])
    expect(lint('SELECT 1', 'SELECT 1; SELECT 2')).toEqual([
      expect.stringContaining(`postgresql/${NEXT}_change: statement 1 is several`),
    ])
    expect(lint('SELECT 1\n--> statement-breakpoint\n-- nothing')).toContain(
      `sqlite/${NEXT}_change: statement 2 is empty`,
    )
  })

  test('refuses what drizzle-kit cannot run, and what empties more than it names', () => {
    expect(lint('SELECT 1', 'CREATE INDEX CONCURRENTLY i ON bruno_users (name)')).toEqual([
      expect.stringContaining('CONCURRENTLY'),
    ])
    expect(lint('SELECT 1', 'TRUNCATE bruno_outbox CASCADE')).toEqual([expect.stringContaining('TRUNCATE')])
  })

  test('refuses names that differ between the dialects', () => {
    const made = workspace()
    made.add('sqlite', 'one', 'SELECT 1')
    made.add('postgresql', 'other', 'SELECT 1')
    expect(unfrozen(made.migrations)).toEqual([
      `sqlite has ${NEXT}_one where postgresql has ${NEXT}_other: name both alike`,
    ])
  })

  test('refuses a migration in one dialect only', () => {
    const made = workspace()
    made.add('sqlite', 'one', 'SELECT 1')
    expect(unfrozen(made.migrations)).toEqual([`sqlite has ${NEXT}_one where postgresql has nothing: name both alike`])
  })

  test('refuses times that do not rise', () => {
    const made = workspace()
    for (const dialect of dialects) made.add(dialect, 'late', 'SELECT 1', 1)
    expect(unfrozen(made.migrations)).toEqual([
      `sqlite/${NEXT}_late: its time is not after that of ${LAST}: generate it again`,
      `postgresql/${NEXT}_late: its time is not after that of ${LAST}: generate it again`,
    ])
  })

  test('refuses files that the journal does not name, and names without a file', () => {
    const made = workspace()
    writeFileSync(join(made.migrations, 'sqlite', `${NEXT}_stray.sql`), 'SELECT 1')
    rmSync(join(made.migrations, 'postgresql', '0001_search.sql'))
    writeFileSync(frozenFile(made.migrations), '{}')
    expect(unfrozen(made.migrations)).toEqual([
      `sqlite/${NEXT}_stray: it is not in the journal file`,
      'postgresql/0001_search: its file is missing',
    ])
  })

  test('refuses a landed migration that is edited, given another time, or gone', () => {
    const edited = workspace()
    const file = join(edited.migrations, 'sqlite', '0001_search.sql')
    writeFileSync(file, `-- edited\n${readFileSync(file, 'utf8')}`)
    expect(lintMigrations(edited.migrations)).toEqual([
      expect.stringContaining('sqlite/0001_search: it has landed and was edited'),
    ])
    const retimed = workspace()
    replaceIn(
      retimed,
      'sqlite',
      String(retimed.bundle('sqlite').migrations[1]?.when),
      String((retimed.bundle('sqlite').migrations[1]?.when ?? 0) + 1),
    )
    expect(lintMigrations(retimed.migrations)).toEqual(['sqlite/0001_search: it has landed and its time was changed'])
    const gone = workspace().cut(1)
    expect(lintMigrations(gone.migrations)).toContain(
      'sqlite/0001_search: it has landed and is gone from the journal file',
    )
  })

  test('freezing adds what is new and never changes what has landed', () => {
    const made = workspace()
    for (const dialect of dialects) made.add(dialect, 'new', 'SELECT 1')
    expect(lintMigrations(made.migrations)).toContain(
      `sqlite/${NEXT}_new: it is not in frozen.json: run \`npm run migrations:embed\``,
    )
    writeFileSync(frozenFile(made.migrations), JSON.stringify(frozen(made.migrations)))
    expect(lintMigrations(made.migrations)).toEqual([])
    const file = join(made.migrations, 'sqlite', '0001_search.sql')
    writeFileSync(file, `-- edited\n${readFileSync(file, 'utf8')}`)
    writeFileSync(frozenFile(made.migrations), JSON.stringify(frozen(made.migrations)))
    expect(lintMigrations(made.migrations)).toEqual([
      expect.stringContaining('sqlite/0001_search: it has landed and was edited'),
    ])
  })
})

function replaceIn(made: Workspace, dialect: Dialect, from: string, to: string): void {
  const file = join(made.migrations, dialect, 'meta', '_journal.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace(from, to))
}

/** Rebuilds of `bruno_conversations`, whose rows messages hang on: as drizzle-kit generates one, and as it has to be. */
import { readFileSync } from 'node:fs'
import { breakpoint } from '../../../src/migrate/bundle.js'

const columns = [
  'tenant_id',
  'id',
  'user_id',
  'title',
  'summary',
  'tags',
  'metadata',
  'language',
  'message_count',
  'last_position',
  'expires_at',
  'created_at',
  'updated_at',
  'version',
  'revision',
].join(', ')

const rebuild = [
  'PRAGMA foreign_keys=OFF;',
  `CREATE TABLE __new_bruno_conversations (tenant_id text NOT NULL, id text NOT NULL, user_id text NOT NULL, title text,
    summary text, tags text NOT NULL, metadata text NOT NULL, language text, message_count integer NOT NULL, last_position integer NOT NULL,
    expires_at integer, created_at integer NOT NULL, updated_at integer NOT NULL, version integer NOT NULL,
    revision integer NOT NULL, PRIMARY KEY(tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES bruno_users(tenant_id, id) ON UPDATE no action ON DELETE cascade,
    CHECK (last_position >= 0))`,
  `INSERT INTO __new_bruno_conversations(${columns}) SELECT ${columns} FROM bruno_conversations`,
  'DROP TABLE bruno_conversations',
  'ALTER TABLE __new_bruno_conversations RENAME TO bruno_conversations',
  'PRAGMA foreign_keys=ON;',
]

const indexes = [
  'CREATE INDEX bruno_conversations_created ON bruno_conversations (tenant_id, created_at, id)',
  'CREATE INDEX bruno_conversations_user ON bruno_conversations (tenant_id, user_id, created_at, id)',
  'CREATE INDEX bruno_conversations_expiry ON bruno_conversations (tenant_id, expires_at) WHERE expires_at is not null',
]

/** The triggers that were made with an earlier migration, as they stand there. */
const triggers = readFileSync(new URL('../../../migrations/sqlite/0007_followers.sql', import.meta.url), 'utf8')
  .split(breakpoint)
  .map((statement) => statement.trim().replace(/^--.*\n/, ''))
  .filter((statement) => statement.startsWith('CREATE TRIGGER `bruno_conversations_'))

const join = (...statements: string[]): string => statements.join(`\n${breakpoint}\n`)

const children = ['bruno_messages', 'bruno_embeddings', 'bruno_embedding_bits']

/** What drizzle-kit generates: inside its transaction the pragma does nothing, and the DROP deletes all messages. */
export const generatedRebuild = join(...rebuild, ...indexes, ...triggers)

/**
 * Children saved and restored, with the vectors that go with a message's row and the bits that go with a vector; with
 * foreign keys off they are still there, hence OR IGNORE.
 */
export const safeRebuild = join(
  ...children.map((table) => `CREATE TABLE __saved_${table} AS SELECT * FROM ${table}`),
  ...rebuild,
  ...indexes,
  ...triggers,
  ...children.map((table) => `INSERT OR IGNORE INTO ${table} SELECT * FROM __saved_${table}`),
  ...children.map((table) => `DROP TABLE __saved_${table}`),
  "INSERT INTO bruno_messages_search(bruno_messages_search) VALUES ('rebuild')",
)

/** The safe one without the search index at its end. */
export const staleRebuild = safeRebuild.slice(0, safeRebuild.lastIndexOf(breakpoint))

/** The safe one without the table's indexes. */
export const bareRebuild = indexes.reduce((text, i) => text.replace(`${breakpoint}\n${i}\n`, ''), safeRebuild)

import { describe, expect, test } from 'vitest'
import { engines, fresh, migratorOf } from './support/fresh.js'

describe.each(engines())('drift on $dialect', (engine) => {
  const sqlite = engine.dialect === 'sqlite'

  async function changed(...statements: string[]): Promise<string[]> {
    const database = await fresh(engine)
    const migrator = migratorOf(database)
    await migrator.up()
    for (const s of statements) await database.exec(s)
    const differences = await migrator.drift()
    expect((await migrator.verify()).ok).toBe(differences.length === 0)
    return differences.map((d) => `${d.problem} ${d.object}`)
  }

  test('finds nothing in a database that was only migrated', async () => {
    expect(await changed()).toEqual([])
  })

  test('ignores the tables of the application, also those that reference ours', async () => {
    expect(
      await changed(
        'CREATE TABLE users (id integer PRIMARY KEY)',
        'CREATE TABLE brunosfriends (id integer)',
        `CREATE TABLE sessions (id integer, tenant text ${sqlite ? '' : 'COLLATE "C"'}, owner text ${sqlite ? '' : 'COLLATE "C"'},
          FOREIGN KEY (tenant, owner) REFERENCES bruno_users (tenant_id, id))`,
        'CREATE INDEX sessions_owner ON sessions (owner)',
      ),
    ).toEqual([])
  })

  test('names tables, columns and indexes that are missing or extra', async () => {
    expect(
      await changed(
        'DROP TABLE bruno_operations',
        'CREATE TABLE bruno_new (id integer)',
        'ALTER TABLE bruno_users ADD COLUMN nickname text',
        'ALTER TABLE bruno_documents DROP COLUMN metadata',
        'DROP INDEX bruno_messages_parent',
        'CREATE UNIQUE INDEX mine ON bruno_memories (source)',
      ),
    ).toEqual([
      'missing column bruno_documents.metadata',
      'extra column bruno_users.nickname',
      'extra index bruno_memories.mine',
      'missing index bruno_messages.bruno_messages_parent',
      'extra table bruno_new',
      'missing table bruno_operations',
    ])
  })

  test('names an index of another shape, but not one of another wording', async () => {
    const database = await fresh(engine)
    const migrator = migratorOf(database)
    await migrator.up()
    const shaped = async (shape: string) => {
      await database.exec('DROP INDEX bruno_messages_parent')
      await database.exec(`CREATE INDEX bruno_messages_parent ON bruno_messages ${shape}`)
      return (await migrator.drift()).map((d) => `${d.problem} ${d.object}`)
    }
    const changed = ['changed index bruno_messages.bruno_messages_parent']
    expect(await shaped('(tenant_id, parent_id)')).toEqual(changed)
    expect(await shaped('(tenant_id, conversation_id, parent_id)')).toEqual(changed)
    expect(await shaped('(tenant_id, conversation_id, parent_id DESC) WHERE parent_id IS NOT NULL')).toEqual(changed)
    expect(await shaped('("tenant_id", conversation_id,  parent_id) WHERE parent_id IS NOT  NULL')).toEqual([])
  })

  test.runIf(sqlite)('names triggers, views, full-text tables, keys and nullability in SQLite', async () => {
    expect(await changed('DROP TRIGGER bruno_messages_search_delete', 'DROP TABLE bruno_memories_search')).toEqual([
      'missing full-text table bruno_memories_search',
      'missing trigger bruno_messages.bruno_messages_search_delete',
    ])
    const view = 'CREATE VIEW bruno_documents_indexed AS SELECT seq, search_text FROM bruno_documents'
    expect(
      await changed(
        'DROP VIEW bruno_messages_indexed',
        'DROP VIEW bruno_documents_indexed',
        view,
        'DROP TABLE bruno_memories_words',
        'DROP TRIGGER bruno_documents_follow_delete',
        'DROP TRIGGER bruno_embeddings_bits_delete',
        'CREATE TRIGGER bruno_embeddings_bits_delete AFTER DELETE ON bruno_embeddings BEGIN SELECT 1; END',
        'CREATE TRIGGER mine AFTER INSERT ON bruno_users BEGIN SELECT 1; END',
      ),
    ).toEqual([
      'missing full-text table bruno_memories_words',
      'missing trigger bruno_documents.bruno_documents_follow_delete',
      'changed trigger bruno_embeddings.bruno_embeddings_bits_delete',
      'extra trigger bruno_users.mine',
      'changed view bruno_documents_indexed.bruno_documents_indexed',
      'missing view bruno_messages_indexed.bruno_messages_indexed',
    ])
    expect(await changed('DROP TABLE bruno_embedding_bits')).toEqual(['missing table bruno_embedding_bits'])
    expect(
      await changed(
        'DROP TABLE bruno_spaces',
        `CREATE TABLE bruno_spaces (id text NOT NULL, provider text, model text NOT NULL, dimensions integer DEFAULT 3 NOT NULL,
          metric text NOT NULL, normalized integer NOT NULL, state text NOT NULL CHECK (state <> ''), created_at integer NOT NULL,
          updated_at integer NOT NULL, version integer NOT NULL, revision text NOT NULL)`,
      ),
    ).toEqual([
      'changed column bruno_spaces.dimensions',
      'changed column bruno_spaces.provider',
      'changed column bruno_spaces.revision',
      'missing primary key bruno_spaces.',
      'changed table bruno_spaces',
    ])
  })

  test.runIf(!sqlite)('names triggers, sequences, keys, nullability, types and collations in PostgreSQL', async () => {
    expect(
      await changed(
        'ALTER TABLE bruno_users ALTER COLUMN preferences DROP NOT NULL',
        "ALTER TABLE bruno_users ALTER COLUMN name SET DEFAULT 'x'",
        'ALTER TABLE bruno_sessions ALTER COLUMN ended_at TYPE timestamptz',
        'ALTER TABLE bruno_sessions ALTER COLUMN conversation_id TYPE text COLLATE "default"',
        'ALTER TABLE bruno_messages DROP CONSTRAINT bruno_messages_conversation_fk',
        'ALTER TABLE bruno_messages ADD CONSTRAINT bruno_messages_conversation_fk FOREIGN KEY (tenant_id, conversation_id) REFERENCES bruno_conversations (tenant_id, id)',
        'ALTER TABLE bruno_followers DROP CONSTRAINT bruno_followers_key',
        'ALTER TABLE bruno_memories ADD CONSTRAINT sure CHECK (confidence >= 0)',
        'DROP SEQUENCE bruno_revision',
        "CREATE FUNCTION bruno_noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        'CREATE TRIGGER noop BEFORE INSERT ON bruno_users FOR EACH ROW EXECUTE FUNCTION bruno_noop()',
        'ALTER TABLE bruno_documents DROP COLUMN search_vector',
      ),
    ).toEqual([
      'extra check bruno_memories.sure',
      'missing column bruno_documents.search_vector',
      'changed column bruno_sessions.conversation_id',
      'changed column bruno_sessions.ended_at',
      'changed column bruno_users.name',
      'changed column bruno_users.preferences',
      'changed foreign key bruno_messages.bruno_messages_conversation_fk',
      'extra function bruno_noop()',
      'missing index bruno_documents.bruno_documents_search',
      'missing primary key bruno_followers.bruno_followers_key',
      'missing sequence bruno_revision',
      'extra trigger bruno_users.noop',
    ])
  })

  test.runIf(!sqlite)('names triggers and functions that are gone, changed or switched off in PostgreSQL', async () => {
    const body = "LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    expect(
      await changed(
        'DROP TRIGGER bruno_messages_follow_insert ON bruno_messages',
        'DROP TRIGGER bruno_messages_vector_update ON bruno_messages',
        'CREATE TRIGGER bruno_messages_vector_update AFTER UPDATE ON bruno_messages FOR EACH ROW EXECUTE FUNCTION bruno_messages_forget_vector()',
        'ALTER TABLE bruno_memories DISABLE TRIGGER bruno_memories_follow_delete',
        'ALTER TABLE bruno_memories ENABLE REPLICA TRIGGER bruno_memories_follow_insert',
        'ALTER TABLE bruno_documents ENABLE ALWAYS TRIGGER bruno_documents_follow_insert',
        `CREATE OR REPLACE FUNCTION bruno_documents_follow() RETURNS trigger ${body}`,
        'ALTER FUNCTION bruno_documents_forget_vector() SECURITY DEFINER',
        'DROP FUNCTION bruno_tell_followers',
        'ALTER TABLE bruno_sessions DISABLE TRIGGER ALL',
      ),
    ).toEqual([
      'changed foreign key bruno_sessions.bruno_sessions_user_fk',
      'changed function bruno_documents_follow()',
      'changed function bruno_documents_forget_vector()',
      expect.stringMatching(/^missing function bruno_tell_followers\(/),
      'changed trigger bruno_documents.bruno_documents_follow_insert',
      'changed trigger bruno_memories.bruno_memories_follow_delete',
      'changed trigger bruno_memories.bruno_memories_follow_insert',
      'missing trigger bruno_messages.bruno_messages_follow_insert',
      'changed trigger bruno_messages.bruno_messages_vector_update',
    ])
  })

  test('leaves nothing behind', async () => {
    const database = await fresh(engine)
    await migratorOf(database).up()
    const before = Object.fromEntries(await database.target.catalog())
    await migratorOf(database).drift()
    expect(Object.fromEntries(await database.target.catalog())).toEqual(before)
    if (!sqlite) expect(await database.all("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'bruno%'")).toEqual([])
  })
})

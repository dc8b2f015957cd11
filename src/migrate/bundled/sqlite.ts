// Made by `npm run migrations:embed` from migrations/sqlite.
import type { BundledMigration } from '../bundle.js'

export const migrations: readonly BundledMigration[] = [
  {
    tag: '0000_initial',
    when: 1795407437985,
    hash: '1b33cb4f38a72a5486d0fe5da920651a15e4155ca9c246b170cd14b16bebe754',
    statements: [
      `CREATE TABLE \`bruno_analyzers\` (
	\`id\` text PRIMARY KEY NOT NULL,
	\`stemmer\` text NOT NULL,
	\`stemmer_version\` text NOT NULL,
	\`language\` text NOT NULL,
	\`cjk\` text NOT NULL,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL
);`,
      `CREATE TABLE \`bruno_conversations\` (
	\`tenant_id\` text NOT NULL,
	\`id\` text NOT NULL,
	\`user_id\` text NOT NULL,
	\`title\` text,
	\`summary\` text,
	\`tags\` text NOT NULL,
	\`metadata\` text NOT NULL,
	\`message_count\` integer NOT NULL,
	\`last_position\` integer NOT NULL,
	\`expires_at\` integer,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL,
	PRIMARY KEY(\`tenant_id\`, \`id\`),
	FOREIGN KEY (\`tenant_id\`,\`user_id\`) REFERENCES \`bruno_users\`(\`tenant_id\`,\`id\`) ON UPDATE no action ON DELETE cascade
);`,
      `CREATE INDEX \`bruno_conversations_created\` ON \`bruno_conversations\` (\`tenant_id\`,\`created_at\`,\`id\`);`,
      `CREATE INDEX \`bruno_conversations_user\` ON \`bruno_conversations\` (\`tenant_id\`,\`user_id\`,\`created_at\`,\`id\`);`,
      `CREATE INDEX \`bruno_conversations_expiry\` ON \`bruno_conversations\` (\`tenant_id\`,\`expires_at\`) WHERE "expires_at" is not null;`,
      `CREATE TABLE \`bruno_documents\` (
	\`seq\` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	\`tenant_id\` text NOT NULL,
	\`namespace\` text NOT NULL,
	\`id\` text NOT NULL,
	\`content\` text NOT NULL,
	\`metadata\` text NOT NULL,
	\`expires_at\` integer,
	\`search_text\` text NOT NULL,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL
);`,
      `CREATE UNIQUE INDEX \`bruno_documents_key\` ON \`bruno_documents\` (\`tenant_id\`,\`namespace\`,\`id\`);`,
      `CREATE INDEX \`bruno_documents_expiry\` ON \`bruno_documents\` (\`tenant_id\`,\`expires_at\`) WHERE "expires_at" is not null;`,
      `CREATE TABLE \`bruno_embeddings\` (
	\`tenant_id\` text NOT NULL,
	\`space\` text NOT NULL,
	\`kind\` text NOT NULL,
	\`scope\` text NOT NULL,
	\`record_id\` text NOT NULL,
	\`user_id\` text,
	\`content_hash\` blob NOT NULL,
	\`vector\` blob NOT NULL,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL,
	PRIMARY KEY(\`tenant_id\`, \`space\`, \`kind\`, \`scope\`, \`record_id\`)
);`,
      `CREATE INDEX \`bruno_embeddings_user\` ON \`bruno_embeddings\` (\`tenant_id\`,\`space\`,\`kind\`,\`user_id\`) WHERE "user_id" is not null;`,
      `CREATE INDEX \`bruno_embeddings_record\` ON \`bruno_embeddings\` (\`tenant_id\`,\`kind\`,\`scope\`,\`record_id\`);`,
      `CREATE INDEX \`bruno_embeddings_content\` ON \`bruno_embeddings\` (\`tenant_id\`,\`space\`,\`content_hash\`);`,
      `CREATE TABLE \`bruno_followers\` (
	\`name\` text PRIMARY KEY NOT NULL,
	\`kind\` text NOT NULL,
	\`state\` text NOT NULL,
	\`kinds\` text NOT NULL,
	\`settings\` text NOT NULL,
	\`seeded_revision\` integer NOT NULL,
	\`lease_owner\` text,
	\`lease_epoch\` integer NOT NULL,
	\`lease_until\` integer,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL
);`,
      `CREATE TABLE \`bruno_memories\` (
	\`seq\` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	\`tenant_id\` text NOT NULL,
	\`id\` text NOT NULL,
	\`user_id\` text NOT NULL,
	\`conversation_id\` text,
	\`type\` text NOT NULL,
	\`content\` text NOT NULL,
	\`source\` text,
	\`category\` text,
	\`tags\` text NOT NULL,
	\`confidence\` real NOT NULL,
	\`importance\` real NOT NULL,
	\`access_count\` integer NOT NULL,
	\`related_ids\` text NOT NULL,
	\`metadata\` text NOT NULL,
	\`last_accessed_at\` integer,
	\`expires_at\` integer,
	\`search_text\` text NOT NULL,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL,
	FOREIGN KEY (\`tenant_id\`,\`user_id\`) REFERENCES \`bruno_users\`(\`tenant_id\`,\`id\`) ON UPDATE no action ON DELETE cascade
);`,
      `CREATE UNIQUE INDEX \`bruno_memories_key\` ON \`bruno_memories\` (\`tenant_id\`,\`id\`);`,
      `CREATE INDEX \`bruno_memories_importance\` ON \`bruno_memories\` (\`tenant_id\`,\`importance\`,\`created_at\`,\`id\`);`,
      `CREATE INDEX \`bruno_memories_user\` ON \`bruno_memories\` (\`tenant_id\`,\`user_id\`,\`importance\`,\`created_at\`,\`id\`);`,
      `CREATE INDEX \`bruno_memories_conversation\` ON \`bruno_memories\` (\`tenant_id\`,\`conversation_id\`) WHERE "conversation_id" is not null;`,
      `CREATE INDEX \`bruno_memories_expiry\` ON \`bruno_memories\` (\`tenant_id\`,\`expires_at\`) WHERE "expires_at" is not null;`,
      `CREATE TABLE \`bruno_messages\` (
	\`seq\` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	\`tenant_id\` text NOT NULL,
	\`conversation_id\` text NOT NULL,
	\`id\` text NOT NULL,
	\`position\` integer NOT NULL,
	\`parent_id\` text,
	\`role\` text NOT NULL,
	\`type\` text NOT NULL,
	\`content\` text NOT NULL,
	\`parts\` text,
	\`name\` text,
	\`tool_call_id\` text,
	\`status\` text NOT NULL,
	\`metadata\` text NOT NULL,
	\`search_text\` text NOT NULL,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL,
	FOREIGN KEY (\`tenant_id\`,\`conversation_id\`) REFERENCES \`bruno_conversations\`(\`tenant_id\`,\`id\`) ON UPDATE no action ON DELETE cascade
);`,
      `CREATE UNIQUE INDEX \`bruno_messages_key\` ON \`bruno_messages\` (\`tenant_id\`,\`conversation_id\`,\`id\`);`,
      `CREATE UNIQUE INDEX \`bruno_messages_position\` ON \`bruno_messages\` (\`tenant_id\`,\`conversation_id\`,\`position\`);`,
      `CREATE INDEX \`bruno_messages_parent\` ON \`bruno_messages\` (\`tenant_id\`,\`conversation_id\`,\`parent_id\`) WHERE "parent_id" is not null;`,
      `CREATE TABLE \`bruno_operations\` (
	\`tenant_id\` text NOT NULL,
	\`operation_id\` text NOT NULL,
	\`fingerprint\` text,
	\`result\` text,
	\`records\` text NOT NULL,
	\`created_at\` integer NOT NULL,
	\`expires_at\` integer NOT NULL,
	PRIMARY KEY(\`tenant_id\`, \`operation_id\`)
);`,
      `CREATE INDEX \`bruno_operations_expiry\` ON \`bruno_operations\` (\`tenant_id\`,\`expires_at\`);`,
      `CREATE TABLE \`bruno_outbox\` (
	\`follower\` text NOT NULL,
	\`tenant_id\` text NOT NULL,
	\`kind\` text NOT NULL,
	\`scope\` text NOT NULL,
	\`record_id\` text NOT NULL,
	\`revision\` integer NOT NULL,
	\`attempts\` integer NOT NULL,
	\`created_at\` integer NOT NULL,
	\`next_attempt_at\` integer NOT NULL,
	\`parked_at\` integer,
	\`error_code\` text,
	\`lease_owner\` text,
	\`lease_until\` integer,
	PRIMARY KEY(\`follower\`, \`tenant_id\`, \`kind\`, \`scope\`, \`record_id\`)
);`,
      `CREATE INDEX \`bruno_outbox_due\` ON \`bruno_outbox\` (\`follower\`,\`next_attempt_at\`);`,
      `CREATE INDEX \`bruno_outbox_tenant\` ON \`bruno_outbox\` (\`tenant_id\`,\`follower\`);`,
      `CREATE TABLE \`bruno_revision\` (
	\`value\` integer NOT NULL
);`,
      `CREATE TABLE \`bruno_sessions\` (
	\`tenant_id\` text NOT NULL,
	\`id\` text NOT NULL,
	\`user_id\` text NOT NULL,
	\`conversation_id\` text,
	\`state\` text NOT NULL,
	\`metadata\` text NOT NULL,
	\`started_at\` integer NOT NULL,
	\`last_activity_at\` integer NOT NULL,
	\`ended_at\` integer,
	\`expires_at\` integer,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL,
	PRIMARY KEY(\`tenant_id\`, \`id\`),
	FOREIGN KEY (\`tenant_id\`,\`user_id\`) REFERENCES \`bruno_users\`(\`tenant_id\`,\`id\`) ON UPDATE no action ON DELETE cascade
);`,
      `CREATE INDEX \`bruno_sessions_started\` ON \`bruno_sessions\` (\`tenant_id\`,\`started_at\`,\`id\`);`,
      `CREATE INDEX \`bruno_sessions_user\` ON \`bruno_sessions\` (\`tenant_id\`,\`user_id\`,\`started_at\`,\`id\`);`,
      `CREATE INDEX \`bruno_sessions_conversation\` ON \`bruno_sessions\` (\`tenant_id\`,\`conversation_id\`) WHERE "conversation_id" is not null;`,
      `CREATE INDEX \`bruno_sessions_expiry\` ON \`bruno_sessions\` (\`tenant_id\`,\`expires_at\`) WHERE "expires_at" is not null;`,
      `CREATE TABLE \`bruno_spaces\` (
	\`id\` text PRIMARY KEY NOT NULL,
	\`provider\` text NOT NULL,
	\`model\` text NOT NULL,
	\`dimensions\` integer NOT NULL,
	\`metric\` text NOT NULL,
	\`normalized\` integer NOT NULL,
	\`state\` text NOT NULL,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL
);`,
      `CREATE TABLE \`bruno_users\` (
	\`tenant_id\` text NOT NULL,
	\`id\` text NOT NULL,
	\`name\` text,
	\`preferences\` text NOT NULL,
	\`profile\` text NOT NULL,
	\`metadata\` text NOT NULL,
	\`last_active_at\` integer,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL,
	PRIMARY KEY(\`tenant_id\`, \`id\`)
);`,
    ],
  },
  {
    tag: '0001_search',
    when: 1795407495440,
    hash: 'c7e32aa6a0383879c183d9eaa1a0f135e992d191ad7473def8d7f7797d62708b',
    statements: [
      `-- Full-text indexes over the text that the application prepared. Rows are added to an index by the statement that
-- inserts the batch (a trigger per inserted row makes a batch of 1,000 three times dearer); updates and deletes,
-- cascades included, are followed by triggers. The text is tokens between spaces already: the ascii tokenizer takes
-- every other character as part of a token, whatever the engine's Unicode tables know.
INSERT INTO \`bruno_revision\` (\`value\`) VALUES (0);`,
      `CREATE VIRTUAL TABLE \`bruno_messages_search\` USING fts5(search_text, content='bruno_messages', content_rowid='seq', tokenize='ascii');`,
      `CREATE TRIGGER \`bruno_messages_search_update\` AFTER UPDATE OF search_text ON \`bruno_messages\` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
	INSERT INTO bruno_messages_search(rowid, search_text) VALUES (new.seq, new.search_text);
END;`,
      `CREATE TRIGGER \`bruno_messages_search_delete\` AFTER DELETE ON \`bruno_messages\` BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
END;`,
      `CREATE VIRTUAL TABLE \`bruno_memories_search\` USING fts5(search_text, content='bruno_memories', content_rowid='seq', tokenize='ascii');`,
      `CREATE TRIGGER \`bruno_memories_search_update\` AFTER UPDATE OF search_text ON \`bruno_memories\` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
	INSERT INTO bruno_memories_search(rowid, search_text) VALUES (new.seq, new.search_text);
END;`,
      `CREATE TRIGGER \`bruno_memories_search_delete\` AFTER DELETE ON \`bruno_memories\` BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
END;`,
      `CREATE VIRTUAL TABLE \`bruno_documents_search\` USING fts5(search_text, content='bruno_documents', content_rowid='seq', tokenize='ascii');`,
      `CREATE TRIGGER \`bruno_documents_search_update\` AFTER UPDATE OF search_text ON \`bruno_documents\` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
	INSERT INTO bruno_documents_search(rowid, search_text) VALUES (new.seq, new.search_text);
END;`,
      `CREATE TRIGGER \`bruno_documents_search_delete\` AFTER DELETE ON \`bruno_documents\` BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
END;`,
      `-- Rows that were there before this migration.
INSERT INTO bruno_messages_search(bruno_messages_search) VALUES ('rebuild');`,
      `INSERT INTO bruno_memories_search(bruno_memories_search) VALUES ('rebuild');`,
      `INSERT INTO bruno_documents_search(bruno_documents_search) VALUES ('rebuild');`,
    ],
  },
  {
    tag: '0002_language',
    when: 1795421258825,
    hash: 'd95b051d524d512ed976111be5245644e3416f2ab2182716050368112515ef19',
    statements: [
      `ALTER TABLE \`bruno_conversations\` ADD \`language\` text;`,
    ],
  },
  {
    tag: '0003_ranking',
    when: 1795421260822,
    hash: '8ff81806a3078e84534fbac977536f36b897d510b644406c20c17aa7657bdada',
    statements: [
      `-- The tenant stands in every indexed term: a search walks its own tenant's postings, and how often a term occurs is the
-- tenant's own number. \`search_text\` begins with the tenant's token of eight letters, and the index puts it in front of
-- each term; it reads its rows through a view, so that SQLite can check and rebuild it by itself. Texts that were
-- analysed before have another token: \`bruno-memory reindex\` makes them anew, and the store is not opened before.
DROP TRIGGER \`bruno_messages_search_update\`;`,
      `DROP TRIGGER \`bruno_messages_search_delete\`;`,
      `DROP TABLE \`bruno_messages_search\`;`,
      `CREATE VIEW \`bruno_messages_indexed\` AS SELECT seq, replace(substr(search_text, 9), ' ', ' ' || substr(search_text, 1, 8)) AS search_text FROM bruno_messages;`,
      `CREATE VIRTUAL TABLE \`bruno_messages_search\` USING fts5(search_text, content='bruno_messages_indexed', content_rowid='seq', tokenize='ascii');`,
      `CREATE VIRTUAL TABLE \`bruno_messages_words\` USING fts5vocab(bruno_messages_search, row);`,
      `CREATE TRIGGER \`bruno_messages_search_update\` AFTER UPDATE OF search_text ON \`bruno_messages\` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
	INSERT INTO bruno_messages_search(rowid, search_text) VALUES (new.seq, replace(substr(new.search_text, 9), ' ', ' ' || substr(new.search_text, 1, 8)));
END;`,
      `CREATE TRIGGER \`bruno_messages_search_delete\` AFTER DELETE ON \`bruno_messages\` BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
END;`,
      `INSERT INTO bruno_messages_search(bruno_messages_search) VALUES ('rebuild');`,
      `DROP TRIGGER \`bruno_memories_search_update\`;`,
      `DROP TRIGGER \`bruno_memories_search_delete\`;`,
      `DROP TABLE \`bruno_memories_search\`;`,
      `CREATE VIEW \`bruno_memories_indexed\` AS SELECT seq, replace(substr(search_text, 9), ' ', ' ' || substr(search_text, 1, 8)) AS search_text FROM bruno_memories;`,
      `CREATE VIRTUAL TABLE \`bruno_memories_search\` USING fts5(search_text, content='bruno_memories_indexed', content_rowid='seq', tokenize='ascii');`,
      `CREATE VIRTUAL TABLE \`bruno_memories_words\` USING fts5vocab(bruno_memories_search, row);`,
      `CREATE TRIGGER \`bruno_memories_search_update\` AFTER UPDATE OF search_text ON \`bruno_memories\` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
	INSERT INTO bruno_memories_search(rowid, search_text) VALUES (new.seq, replace(substr(new.search_text, 9), ' ', ' ' || substr(new.search_text, 1, 8)));
END;`,
      `CREATE TRIGGER \`bruno_memories_search_delete\` AFTER DELETE ON \`bruno_memories\` BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
END;`,
      `INSERT INTO bruno_memories_search(bruno_memories_search) VALUES ('rebuild');`,
      `DROP TRIGGER \`bruno_documents_search_update\`;`,
      `DROP TRIGGER \`bruno_documents_search_delete\`;`,
      `DROP TABLE \`bruno_documents_search\`;`,
      `CREATE VIEW \`bruno_documents_indexed\` AS SELECT seq, replace(substr(search_text, 9), ' ', ' ' || substr(search_text, 1, 8)) AS search_text FROM bruno_documents;`,
      `CREATE VIRTUAL TABLE \`bruno_documents_search\` USING fts5(search_text, content='bruno_documents_indexed', content_rowid='seq', tokenize='ascii');`,
      `CREATE VIRTUAL TABLE \`bruno_documents_words\` USING fts5vocab(bruno_documents_search, row);`,
      `CREATE TRIGGER \`bruno_documents_search_update\` AFTER UPDATE OF search_text ON \`bruno_documents\` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
	INSERT INTO bruno_documents_search(rowid, search_text) VALUES (new.seq, replace(substr(new.search_text, 9), ' ', ' ' || substr(new.search_text, 1, 8)));
END;`,
      `CREATE TRIGGER \`bruno_documents_search_delete\` AFTER DELETE ON \`bruno_documents\` BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
END;`,
      `INSERT INTO bruno_documents_search(bruno_documents_search) VALUES ('rebuild');`,
    ],
  },
  {
    tag: '0004_vectors',
    when: 1795421818310,
    hash: '6426ba49c3733e2d667f0d4ea3f07a26dafb66865d062c13fb2a1bc277b895de',
    statements: [
      `-- The table of vectors gets a row number that VACUUM keeps, because the index of sign bits names its rows by it. No
-- version before this wrote vectors; rows that are there all the same are kept, and are embedded again by \`reembed\`.
-- Made under its name, not renamed: a rename is refused where any view or trigger of the application names what is gone.
CREATE TABLE \`bruno_embeddings_before\` AS SELECT * FROM \`bruno_embeddings\`;`,
      `DROP TABLE \`bruno_embeddings\`;`,
      `CREATE TABLE \`bruno_embeddings\` (
	\`seq\` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	\`tenant_id\` text NOT NULL,
	\`space\` text NOT NULL,
	\`kind\` text NOT NULL,
	\`scope\` text NOT NULL,
	\`record_id\` text NOT NULL,
	\`user_id\` text,
	\`record_seq\` integer NOT NULL,
	\`part\` integer NOT NULL,
	\`content_hash\` blob NOT NULL,
	\`vector\` blob NOT NULL,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL,
	\`version\` integer NOT NULL,
	\`revision\` integer NOT NULL
);`,
      `INSERT INTO \`bruno_embeddings\` (tenant_id, space, kind, scope, record_id, user_id, record_seq, part, content_hash, vector, created_at, updated_at, version, revision)
SELECT tenant_id, space, kind, scope, record_id, user_id, 0, 0, content_hash, vector, created_at, updated_at, version, revision FROM \`bruno_embeddings_before\`;`,
      `DROP TABLE \`bruno_embeddings_before\`;`,
      `CREATE UNIQUE INDEX \`bruno_embeddings_key\` ON \`bruno_embeddings\` (\`tenant_id\`,\`space\`,\`kind\`,\`scope\`,\`record_id\`);`,
      `CREATE INDEX \`bruno_embeddings_user\` ON \`bruno_embeddings\` (\`tenant_id\`,\`space\`,\`kind\`,\`user_id\`) WHERE "user_id" is not null;`,
      `CREATE INDEX \`bruno_embeddings_record\` ON \`bruno_embeddings\` (\`tenant_id\`,\`kind\`,\`scope\`,\`record_id\`);`,
      `CREATE INDEX \`bruno_embeddings_content\` ON \`bruno_embeddings\` (\`tenant_id\`,\`space\`,\`content_hash\`);`,
      `-- One bit a dimension, its sign: a first look over many vectors reads a thirty-second of them. Kept with each vector.
CREATE TABLE \`bruno_embedding_bits\` (
	\`part\` integer NOT NULL,
	\`seq\` integer NOT NULL,
	\`record_seq\` integer NOT NULL,
	\`bits\` blob NOT NULL,
	PRIMARY KEY (\`part\`, \`seq\`)
) WITHOUT ROWID;`,
      `CREATE TRIGGER \`bruno_embeddings_bits_delete\` AFTER DELETE ON \`bruno_embeddings\` BEGIN
	DELETE FROM bruno_embedding_bits WHERE part = old.part AND seq = old.seq;
END;`,
      `-- A vector goes with the text that it was made of. Followers are told of what changed: one row for each and record, in the
-- transaction of the change, deletes by a cascade included. The rows of an insert are added with their search index.
CREATE TRIGGER \`bruno_messages_vector_update\` AFTER UPDATE ON \`bruno_messages\` WHEN new.content IS NOT old.content OR new.name IS NOT old.name OR new.status IS NOT old.status BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = new.tenant_id AND kind = 'message' AND scope = new.conversation_id AND record_id = new.id;
END;`,
      `CREATE TRIGGER \`bruno_messages_follow_update\` AFTER UPDATE ON \`bruno_messages\` WHEN new.revision IS NOT old.revision AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'message', new.conversation_id, new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND (f.kind <> 'local' OR new.content IS NOT old.content OR new.name IS NOT old.name OR new.status IS NOT old.status) AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'message')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
      `CREATE TRIGGER \`bruno_messages_follow_delete\` AFTER DELETE ON \`bruno_messages\` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'message' AND scope = old.conversation_id AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'message', old.conversation_id, old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'message')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
      `CREATE TRIGGER \`bruno_memories_vector_update\` AFTER UPDATE ON \`bruno_memories\` WHEN new.content IS NOT old.content BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = new.tenant_id AND kind = 'memory' AND scope = '' AND record_id = new.id;
END;`,
      `CREATE TRIGGER \`bruno_memories_follow_update\` AFTER UPDATE ON \`bruno_memories\` WHEN new.revision IS NOT old.revision AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'memory', '', new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND (f.kind <> 'local' OR new.content IS NOT old.content) AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'memory')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
      `CREATE TRIGGER \`bruno_memories_follow_delete\` AFTER DELETE ON \`bruno_memories\` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'memory' AND scope = '' AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'memory', '', old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'memory')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
      `CREATE TRIGGER \`bruno_documents_vector_update\` AFTER UPDATE ON \`bruno_documents\` WHEN new.content IS NOT old.content BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = new.tenant_id AND kind = 'document' AND scope = new.namespace AND record_id = new.id;
END;`,
      `CREATE TRIGGER \`bruno_documents_follow_update\` AFTER UPDATE ON \`bruno_documents\` WHEN new.revision IS NOT old.revision AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'document', new.namespace, new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND (f.kind <> 'local' OR new.content IS NOT old.content) AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'document')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
      `CREATE TRIGGER \`bruno_documents_follow_delete\` AFTER DELETE ON \`bruno_documents\` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'document' AND scope = old.namespace AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'document', old.namespace, old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'document')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
    ],
  },
  {
    tag: '0005_rows',
    when: 1795435356660,
    hash: 'f5a3be23e11835f08e0ca2451980c1efdc92b3c8e61b74c1819c0d3d75924130',
    statements: [
      `-- The other engine gets an index over each table's row numbers, which are the primary key here: nothing changes.
DELETE FROM "bruno_outbox" WHERE false;`,
    ],
  },
  {
    tag: '0006_journal',
    when: 1795448986205,
    hash: '8afe9b2c1b658921eae8b22540bbdb590b5445838f062e9f217f24ed1859ab2e',
    statements: [
      `CREATE TABLE \`bruno_fallback_state\` (
	\`id\` text PRIMARY KEY NOT NULL,
	\`epoch\` integer NOT NULL,
	\`phase\` text NOT NULL,
	\`lease_owner\` text,
	\`lease_until\` integer
);`,
      `CREATE TABLE \`bruno_journal\` (
	\`seq\` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	\`tenant_id\` text NOT NULL,
	\`id\` text NOT NULL,
	\`epoch\` integer NOT NULL,
	\`state\` text NOT NULL,
	\`what\` text NOT NULL,
	\`reason\` text,
	\`created_at\` integer NOT NULL
);`,
      `CREATE UNIQUE INDEX \`bruno_journal_key\` ON \`bruno_journal\` (\`tenant_id\`,\`id\`);`,
      `CREATE INDEX \`bruno_journal_state\` ON \`bruno_journal\` (\`state\`,\`seq\`);`,
    ],
  },
  {
    tag: '0007_followers',
    when: 1795481668463,
    hash: 'ba8a1f2447217cd2514cc68c9b7b1cd1c665a066d7aca66955bb370f99f1d714',
    statements: [
      `DROP INDEX \`bruno_outbox_due\`;`,
      `CREATE INDEX \`bruno_outbox_due\` ON \`bruno_outbox\` (\`follower\`,\`next_attempt_at\`,\`revision\`);`,
      `-- Caches forget by conversation: they are told of one row for each, however many messages are deleted.
DROP TRIGGER \`bruno_messages_follow_delete\`;`,
      `CREATE TRIGGER \`bruno_messages_follow_delete\` AFTER DELETE ON \`bruno_messages\` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'message' AND scope = old.conversation_id AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'message', old.conversation_id, CASE WHEN f.kind = 'cache' THEN '' ELSE old.id END, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'message')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
      `-- What is shown of a conversation's messages and found by its words changes with it; its counters say nothing of that: an append does not come to the condition.
CREATE TRIGGER \`bruno_conversations_follow_update\` AFTER UPDATE OF title, tags, expires_at, language, user_id ON \`bruno_conversations\` WHEN (new.title IS NOT old.title OR new.tags IS NOT old.tags OR new.expires_at IS NOT old.expires_at OR new.language IS NOT old.language OR new.user_id IS NOT old.user_id) AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'conversation', '', new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'conversation')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
      `CREATE TRIGGER \`bruno_conversations_follow_delete\` AFTER DELETE ON \`bruno_conversations\` WHEN EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	UPDATE bruno_revision SET value = value + 1;
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'conversation', '', old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'conversation')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;`,
    ],
  },
  {
    tag: '0008_outbox_by_key',
    when: 1795491241302,
    hash: 'deb695fe59d7ff84dd9161ed5481be4cbb49caba7a0f37e595c5b880704d9e0a',
    statements: [
      `DROP INDEX \`bruno_outbox_tenant\`;`,
    ],
  },
  {
    tag: '0009_transfers',
    when: 1795508594176,
    hash: '51a23784def629911bc50cd252edc4ffd40ba92350140c93238710e0bffb3ec6',
    statements: [
      `CREATE TABLE \`bruno_transfers\` (
	\`id\` text PRIMARY KEY NOT NULL,
	\`state\` text NOT NULL,
	\`plan\` text NOT NULL,
	\`checkpoint\` text,
	\`rebuild\` text,
	\`owner\` text,
	\`epoch\` integer NOT NULL,
	\`lease_until\` integer,
	\`created_at\` integer NOT NULL,
	\`updated_at\` integer NOT NULL
);`,
    ],
  },
]

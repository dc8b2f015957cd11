-- The table of vectors gets a row number that VACUUM keeps, because the index of sign bits names its rows by it. No
-- version before this wrote vectors; rows that are there all the same are kept, and are embedded again by `reembed`.
-- Made under its name, not renamed: a rename is refused where any view or trigger of the application names what is gone.
CREATE TABLE `bruno_embeddings_before` AS SELECT * FROM `bruno_embeddings`;
--> statement-breakpoint
DROP TABLE `bruno_embeddings`;
--> statement-breakpoint
CREATE TABLE `bruno_embeddings` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant_id` text NOT NULL,
	`space` text NOT NULL,
	`kind` text NOT NULL,
	`scope` text NOT NULL,
	`record_id` text NOT NULL,
	`user_id` text,
	`record_seq` integer NOT NULL,
	`part` integer NOT NULL,
	`content_hash` blob NOT NULL,
	`vector` blob NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
INSERT INTO `bruno_embeddings` (tenant_id, space, kind, scope, record_id, user_id, record_seq, part, content_hash, vector, created_at, updated_at, version, revision)
SELECT tenant_id, space, kind, scope, record_id, user_id, 0, 0, content_hash, vector, created_at, updated_at, version, revision FROM `bruno_embeddings_before`;
--> statement-breakpoint
DROP TABLE `bruno_embeddings_before`;
--> statement-breakpoint
CREATE UNIQUE INDEX `bruno_embeddings_key` ON `bruno_embeddings` (`tenant_id`,`space`,`kind`,`scope`,`record_id`);
--> statement-breakpoint
CREATE INDEX `bruno_embeddings_user` ON `bruno_embeddings` (`tenant_id`,`space`,`kind`,`user_id`) WHERE "user_id" is not null;
--> statement-breakpoint
CREATE INDEX `bruno_embeddings_record` ON `bruno_embeddings` (`tenant_id`,`kind`,`scope`,`record_id`);
--> statement-breakpoint
CREATE INDEX `bruno_embeddings_content` ON `bruno_embeddings` (`tenant_id`,`space`,`content_hash`);
--> statement-breakpoint
-- One bit a dimension, its sign: a first look over many vectors reads a thirty-second of them. Kept with each vector.
CREATE TABLE `bruno_embedding_bits` (
	`part` integer NOT NULL,
	`seq` integer NOT NULL,
	`record_seq` integer NOT NULL,
	`bits` blob NOT NULL,
	PRIMARY KEY (`part`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TRIGGER `bruno_embeddings_bits_delete` AFTER DELETE ON `bruno_embeddings` BEGIN
	DELETE FROM bruno_embedding_bits WHERE part = old.part AND seq = old.seq;
END;
--> statement-breakpoint
-- A vector goes with the text that it was made of. Followers are told of what changed: one row for each and record, in the
-- transaction of the change, deletes by a cascade included. The rows of an insert are added with their search index.
CREATE TRIGGER `bruno_messages_vector_update` AFTER UPDATE ON `bruno_messages` WHEN new.content IS NOT old.content OR new.name IS NOT old.name OR new.status IS NOT old.status BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = new.tenant_id AND kind = 'message' AND scope = new.conversation_id AND record_id = new.id;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_messages_follow_update` AFTER UPDATE ON `bruno_messages` WHEN new.revision IS NOT old.revision AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'message', new.conversation_id, new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND (f.kind <> 'local' OR new.content IS NOT old.content OR new.name IS NOT old.name OR new.status IS NOT old.status) AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'message')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_messages_follow_delete` AFTER DELETE ON `bruno_messages` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'message' AND scope = old.conversation_id AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'message', old.conversation_id, old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'message')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_memories_vector_update` AFTER UPDATE ON `bruno_memories` WHEN new.content IS NOT old.content BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = new.tenant_id AND kind = 'memory' AND scope = '' AND record_id = new.id;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_memories_follow_update` AFTER UPDATE ON `bruno_memories` WHEN new.revision IS NOT old.revision AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'memory', '', new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND (f.kind <> 'local' OR new.content IS NOT old.content) AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'memory')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_memories_follow_delete` AFTER DELETE ON `bruno_memories` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'memory' AND scope = '' AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'memory', '', old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'memory')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_documents_vector_update` AFTER UPDATE ON `bruno_documents` WHEN new.content IS NOT old.content BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = new.tenant_id AND kind = 'document' AND scope = new.namespace AND record_id = new.id;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_documents_follow_update` AFTER UPDATE ON `bruno_documents` WHEN new.revision IS NOT old.revision AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'document', new.namespace, new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND (f.kind <> 'local' OR new.content IS NOT old.content) AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'document')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_documents_follow_delete` AFTER DELETE ON `bruno_documents` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'document' AND scope = old.namespace AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'document', old.namespace, old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'document')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;

DROP INDEX `bruno_outbox_due`;
--> statement-breakpoint
CREATE INDEX `bruno_outbox_due` ON `bruno_outbox` (`follower`,`next_attempt_at`,`revision`);
--> statement-breakpoint
-- Caches forget by conversation: they are told of one row for each, however many messages are deleted.
DROP TRIGGER `bruno_messages_follow_delete`;
--> statement-breakpoint
CREATE TRIGGER `bruno_messages_follow_delete` AFTER DELETE ON `bruno_messages` BEGIN
	DELETE FROM bruno_embeddings WHERE tenant_id = old.tenant_id AND kind = 'message' AND scope = old.conversation_id AND record_id = old.id;
	UPDATE bruno_revision SET value = value + 1 WHERE EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired');
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'message', old.conversation_id, CASE WHEN f.kind = 'cache' THEN '' ELSE old.id END, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'message')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;
--> statement-breakpoint
-- What is shown of a conversation's messages and found by its words changes with it; its counters say nothing of that: an append does not come to the condition.
CREATE TRIGGER `bruno_conversations_follow_update` AFTER UPDATE OF title, tags, expires_at, language, user_id ON `bruno_conversations` WHEN (new.title IS NOT old.title OR new.tags IS NOT old.tags OR new.expires_at IS NOT old.expires_at OR new.language IS NOT old.language OR new.user_id IS NOT old.user_id) AND EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, new.tenant_id, 'conversation', '', new.id, new.revision, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'conversation')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_conversations_follow_delete` AFTER DELETE ON `bruno_conversations` WHEN EXISTS (SELECT 1 FROM bruno_followers WHERE state <> 'retired') BEGIN
	UPDATE bruno_revision SET value = value + 1;
	INSERT INTO bruno_outbox (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, old.tenant_id, 'conversation', '', old.id, r.value, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM bruno_followers f, bruno_revision r
	WHERE f.state <> 'retired' AND EXISTS (SELECT 1 FROM json_each(f.kinds) WHERE value = 'conversation')
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = excluded.revision, attempts = 0, next_attempt_at = 0, parked_at = NULL, error_code = NULL;
END;

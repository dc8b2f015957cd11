DROP INDEX "bruno_outbox_due";
--> statement-breakpoint
CREATE INDEX "bruno_outbox_due" ON "bruno_outbox" USING btree ("follower","next_attempt_at","revision");
--> statement-breakpoint
-- In the order of their keys: two transactions that tell of the same records wait for one another, and never both.
CREATE OR REPLACE FUNCTION "public"."bruno_tell_followers"(wanted text, tenants text[], scopes text[], ids text[], revisions bigint[], texts boolean[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO "public".bruno_outbox AS o (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, r.tenant_id, wanted, r.scope, r.id, r.revision, 0, clock_timestamp(), to_timestamp(0)
	FROM "public".bruno_followers f, unnest(tenants, scopes, ids, revisions, texts) AS r(tenant_id, scope, id, revision, text)
	WHERE f.state <> 'retired' AND (f.kind <> 'local' OR r.text) AND f.kinds @> to_jsonb(wanted)
	ORDER BY 1, 2, 4, 5
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = greatest(o.revision, excluded.revision), attempts = 0, next_attempt_at = to_timestamp(0), parked_at = NULL, error_code = NULL
$$;
--> statement-breakpoint
-- Caches forget by conversation: they are told of one row for each, however many messages are added or deleted at once.
CREATE FUNCTION "public"."bruno_tell_of_messages"(tenants text[], scopes text[], ids text[], revisions bigint[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO "public".bruno_outbox AS o (follower, tenant_id, kind, scope, record_id, revision, attempts, created_at, next_attempt_at)
	SELECT f.name, r.tenant_id, 'message', r.scope, CASE WHEN f.kind = 'cache' THEN '' ELSE r.id END, max(r.revision), 0, clock_timestamp(), to_timestamp(0)
	FROM "public".bruno_followers f, unnest(tenants, scopes, ids, revisions) AS r(tenant_id, scope, id, revision)
	WHERE f.state <> 'retired' AND f.kinds @> '"message"'
	GROUP BY 1, 2, 4, 5
	ORDER BY 1, 2, 4, 5
	ON CONFLICT (follower, tenant_id, kind, scope, record_id) DO UPDATE SET revision = greatest(o.revision, excluded.revision), attempts = 0, next_attempt_at = to_timestamp(0), parked_at = NULL, error_code = NULL
$$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "public"."bruno_messages_follow"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_OP = 'DELETE' THEN
		DELETE FROM "public".bruno_embeddings e USING gone g WHERE e.tenant_id = g.tenant_id AND e.kind = 'message' AND e.scope = g.conversation_id AND e.record_id = g.id;
	END IF;
	IF NOT EXISTS (SELECT 1 FROM "public".bruno_followers WHERE state <> 'retired') THEN RETURN NULL; END IF;
	IF TG_OP = 'DELETE' THEN
		PERFORM "public".bruno_tell_of_messages(array_agg(g.tenant_id::text), array_agg(g.conversation_id::text), array_agg(g.id::text), array_agg(nextval('"public".bruno_revision'))) FROM gone g HAVING count(*) > 0;
	ELSIF TG_OP = 'UPDATE' THEN
		PERFORM "public".bruno_tell_followers('message', array_agg(w.tenant_id::text), array_agg(w.conversation_id::text), array_agg(w.id::text), array_agg(w.revision), array_agg(w.content IS DISTINCT FROM g.content OR w.name IS DISTINCT FROM g.name OR w.status IS DISTINCT FROM g.status))
		FROM written w JOIN gone g USING (seq) WHERE w.revision IS DISTINCT FROM g.revision HAVING count(*) > 0;
	ELSE
		PERFORM "public".bruno_tell_of_messages(array_agg(w.tenant_id::text), array_agg(w.conversation_id::text), array_agg(w.id::text), array_agg(w.revision)) FROM written w HAVING count(*) > 0;
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
-- What is shown of a conversation's messages and found by its words changes with it; its counters say nothing of that: an append does not come to the condition.
CREATE FUNCTION "public"."bruno_conversations_follow"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NOT EXISTS (SELECT 1 FROM "public".bruno_followers WHERE state <> 'retired') THEN RETURN NULL; END IF;
	IF TG_OP = 'DELETE' THEN
		PERFORM "public".bruno_tell_followers('conversation', ARRAY[old.tenant_id::text], ARRAY[''], ARRAY[old.id::text], ARRAY[nextval('"public".bruno_revision')], ARRAY[true]);
	ELSE
		PERFORM "public".bruno_tell_followers('conversation', ARRAY[new.tenant_id::text], ARRAY[''], ARRAY[new.id::text], ARRAY[new.revision], ARRAY[true]);
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "bruno_conversations_follow_update" AFTER UPDATE OF "title", "tags", "expires_at", "language", "user_id" ON "bruno_conversations" FOR EACH ROW WHEN (new.title IS DISTINCT FROM old.title OR new.tags IS DISTINCT FROM old.tags OR new.expires_at IS DISTINCT FROM old.expires_at OR new.language IS DISTINCT FROM old.language OR new.user_id IS DISTINCT FROM old.user_id) EXECUTE FUNCTION "public"."bruno_conversations_follow"();
--> statement-breakpoint
CREATE TRIGGER "bruno_conversations_follow_delete" AFTER DELETE ON "bruno_conversations" FOR EACH ROW EXECUTE FUNCTION "public"."bruno_conversations_follow"();

-- A tsvector holds at most 1,048,575 bytes: without the cut a long text makes the INSERT itself fail.
ALTER TABLE "bruno_messages" ADD COLUMN "search_vector" tsvector GENERATED ALWAYS AS (to_tsvector('simple', left("search_text", 250000))) STORED;
--> statement-breakpoint
CREATE INDEX "bruno_messages_search" ON "bruno_messages" USING gin ("search_vector");
--> statement-breakpoint
-- A tsvector holds at most 1,048,575 bytes: without the cut a long text makes the INSERT itself fail.
ALTER TABLE "bruno_memories" ADD COLUMN "search_vector" tsvector GENERATED ALWAYS AS (to_tsvector('simple', left("search_text", 250000))) STORED;
--> statement-breakpoint
CREATE INDEX "bruno_memories_search" ON "bruno_memories" USING gin ("search_vector");
--> statement-breakpoint
-- A tsvector holds at most 1,048,575 bytes: without the cut a long text makes the INSERT itself fail.
ALTER TABLE "bruno_documents" ADD COLUMN "search_vector" tsvector GENERATED ALWAYS AS (to_tsvector('simple', left("search_text", 250000))) STORED;
--> statement-breakpoint
CREATE INDEX "bruno_documents_search" ON "bruno_documents" USING gin ("search_vector");

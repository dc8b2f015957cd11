-- The tenant stands in every indexed term, as in the other engine: `search_text` begins with the tenant's token of eight
-- letters. No parser looks at the text, so that both engines have the same terms; positions are not kept, for ranking
-- counts in `search_text`. The analyzer keeps the vector under its limit of 1,048,575 bytes; the cut is for rows that
-- were made before it did.
ALTER TABLE "bruno_messages" DROP COLUMN "search_vector";
--> statement-breakpoint
ALTER TABLE "bruno_messages" ADD COLUMN "search_vector" tsvector GENERATED ALWAYS AS (array_to_tsvector(string_to_array(ltrim(replace(substr(left("search_text", 250000), 9), ' ', ' ' || substr("search_text", 1, 8))), ' '))) STORED;
--> statement-breakpoint
CREATE INDEX "bruno_messages_search" ON "bruno_messages" USING gin ("search_vector");
--> statement-breakpoint
ALTER TABLE "bruno_memories" DROP COLUMN "search_vector";
--> statement-breakpoint
ALTER TABLE "bruno_memories" ADD COLUMN "search_vector" tsvector GENERATED ALWAYS AS (array_to_tsvector(string_to_array(ltrim(replace(substr(left("search_text", 250000), 9), ' ', ' ' || substr("search_text", 1, 8))), ' '))) STORED;
--> statement-breakpoint
CREATE INDEX "bruno_memories_search" ON "bruno_memories" USING gin ("search_vector");
--> statement-breakpoint
ALTER TABLE "bruno_documents" DROP COLUMN "search_vector";
--> statement-breakpoint
ALTER TABLE "bruno_documents" ADD COLUMN "search_vector" tsvector GENERATED ALWAYS AS (array_to_tsvector(string_to_array(ltrim(replace(substr(left("search_text", 250000), 9), ' ', ' ' || substr("search_text", 1, 8))), ' '))) STORED;
--> statement-breakpoint
CREATE INDEX "bruno_documents_search" ON "bruno_documents" USING gin ("search_vector");

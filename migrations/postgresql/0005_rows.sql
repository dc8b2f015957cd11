-- Searches read their hits by row number. Behind the tenant, as every key is.
CREATE UNIQUE INDEX "bruno_documents_seq" ON "bruno_documents" USING btree ("tenant_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "bruno_embeddings_seq" ON "bruno_embeddings" USING btree ("tenant_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "bruno_memories_seq" ON "bruno_memories" USING btree ("tenant_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "bruno_messages_seq" ON "bruno_messages" USING btree ("tenant_id","seq");
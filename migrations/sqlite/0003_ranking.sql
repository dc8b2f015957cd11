-- The tenant stands in every indexed term: a search walks its own tenant's postings, and how often a term occurs is the
-- tenant's own number. `search_text` begins with the tenant's token of eight letters, and the index puts it in front of
-- each term; it reads its rows through a view, so that SQLite can check and rebuild it by itself. Texts that were
-- analysed before have another token: `bruno-memory reindex` makes them anew, and the store is not opened before.
DROP TRIGGER `bruno_messages_search_update`;
--> statement-breakpoint
DROP TRIGGER `bruno_messages_search_delete`;
--> statement-breakpoint
DROP TABLE `bruno_messages_search`;
--> statement-breakpoint
CREATE VIEW `bruno_messages_indexed` AS SELECT seq, replace(substr(search_text, 9), ' ', ' ' || substr(search_text, 1, 8)) AS search_text FROM bruno_messages;
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_messages_search` USING fts5(search_text, content='bruno_messages_indexed', content_rowid='seq', tokenize='ascii');
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_messages_words` USING fts5vocab(bruno_messages_search, row);
--> statement-breakpoint
CREATE TRIGGER `bruno_messages_search_update` AFTER UPDATE OF search_text ON `bruno_messages` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
	INSERT INTO bruno_messages_search(rowid, search_text) VALUES (new.seq, replace(substr(new.search_text, 9), ' ', ' ' || substr(new.search_text, 1, 8)));
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_messages_search_delete` AFTER DELETE ON `bruno_messages` BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
END;
--> statement-breakpoint
INSERT INTO bruno_messages_search(bruno_messages_search) VALUES ('rebuild');
--> statement-breakpoint
DROP TRIGGER `bruno_memories_search_update`;
--> statement-breakpoint
DROP TRIGGER `bruno_memories_search_delete`;
--> statement-breakpoint
DROP TABLE `bruno_memories_search`;
--> statement-breakpoint
CREATE VIEW `bruno_memories_indexed` AS SELECT seq, replace(substr(search_text, 9), ' ', ' ' || substr(search_text, 1, 8)) AS search_text FROM bruno_memories;
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_memories_search` USING fts5(search_text, content='bruno_memories_indexed', content_rowid='seq', tokenize='ascii');
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_memories_words` USING fts5vocab(bruno_memories_search, row);
--> statement-breakpoint
CREATE TRIGGER `bruno_memories_search_update` AFTER UPDATE OF search_text ON `bruno_memories` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
	INSERT INTO bruno_memories_search(rowid, search_text) VALUES (new.seq, replace(substr(new.search_text, 9), ' ', ' ' || substr(new.search_text, 1, 8)));
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_memories_search_delete` AFTER DELETE ON `bruno_memories` BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
END;
--> statement-breakpoint
INSERT INTO bruno_memories_search(bruno_memories_search) VALUES ('rebuild');
--> statement-breakpoint
DROP TRIGGER `bruno_documents_search_update`;
--> statement-breakpoint
DROP TRIGGER `bruno_documents_search_delete`;
--> statement-breakpoint
DROP TABLE `bruno_documents_search`;
--> statement-breakpoint
CREATE VIEW `bruno_documents_indexed` AS SELECT seq, replace(substr(search_text, 9), ' ', ' ' || substr(search_text, 1, 8)) AS search_text FROM bruno_documents;
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_documents_search` USING fts5(search_text, content='bruno_documents_indexed', content_rowid='seq', tokenize='ascii');
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_documents_words` USING fts5vocab(bruno_documents_search, row);
--> statement-breakpoint
CREATE TRIGGER `bruno_documents_search_update` AFTER UPDATE OF search_text ON `bruno_documents` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
	INSERT INTO bruno_documents_search(rowid, search_text) VALUES (new.seq, replace(substr(new.search_text, 9), ' ', ' ' || substr(new.search_text, 1, 8)));
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_documents_search_delete` AFTER DELETE ON `bruno_documents` BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, replace(substr(old.search_text, 9), ' ', ' ' || substr(old.search_text, 1, 8)));
END;
--> statement-breakpoint
INSERT INTO bruno_documents_search(bruno_documents_search) VALUES ('rebuild');

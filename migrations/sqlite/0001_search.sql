-- Full-text indexes over the text that the application prepared. Rows are added to an index by the statement that
-- inserts the batch (a trigger per inserted row makes a batch of 1,000 three times dearer); updates and deletes,
-- cascades included, are followed by triggers. The text is tokens between spaces already: the ascii tokenizer takes
-- every other character as part of a token, whatever the engine's Unicode tables know.
INSERT INTO `bruno_revision` (`value`) VALUES (0);
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_messages_search` USING fts5(search_text, content='bruno_messages', content_rowid='seq', tokenize='ascii');
--> statement-breakpoint
CREATE TRIGGER `bruno_messages_search_update` AFTER UPDATE OF search_text ON `bruno_messages` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
	INSERT INTO bruno_messages_search(rowid, search_text) VALUES (new.seq, new.search_text);
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_messages_search_delete` AFTER DELETE ON `bruno_messages` BEGIN
	INSERT INTO bruno_messages_search(bruno_messages_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
END;
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_memories_search` USING fts5(search_text, content='bruno_memories', content_rowid='seq', tokenize='ascii');
--> statement-breakpoint
CREATE TRIGGER `bruno_memories_search_update` AFTER UPDATE OF search_text ON `bruno_memories` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
	INSERT INTO bruno_memories_search(rowid, search_text) VALUES (new.seq, new.search_text);
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_memories_search_delete` AFTER DELETE ON `bruno_memories` BEGIN
	INSERT INTO bruno_memories_search(bruno_memories_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
END;
--> statement-breakpoint
CREATE VIRTUAL TABLE `bruno_documents_search` USING fts5(search_text, content='bruno_documents', content_rowid='seq', tokenize='ascii');
--> statement-breakpoint
CREATE TRIGGER `bruno_documents_search_update` AFTER UPDATE OF search_text ON `bruno_documents` WHEN old.search_text IS NOT new.search_text BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
	INSERT INTO bruno_documents_search(rowid, search_text) VALUES (new.seq, new.search_text);
END;
--> statement-breakpoint
CREATE TRIGGER `bruno_documents_search_delete` AFTER DELETE ON `bruno_documents` BEGIN
	INSERT INTO bruno_documents_search(bruno_documents_search, rowid, search_text) VALUES ('delete', old.seq, old.search_text);
END;
--> statement-breakpoint
-- Rows that were there before this migration.
INSERT INTO bruno_messages_search(bruno_messages_search) VALUES ('rebuild');
--> statement-breakpoint
INSERT INTO bruno_memories_search(bruno_memories_search) VALUES ('rebuild');
--> statement-breakpoint
INSERT INTO bruno_documents_search(bruno_documents_search) VALUES ('rebuild');

CREATE TABLE `bruno_analyzers` (
	`id` text PRIMARY KEY NOT NULL,
	`stemmer` text NOT NULL,
	`stemmer_version` text NOT NULL,
	`language` text NOT NULL,
	`cjk` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `bruno_conversations` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`title` text,
	`summary` text,
	`tags` text NOT NULL,
	`metadata` text NOT NULL,
	`message_count` integer NOT NULL,
	`last_position` integer NOT NULL,
	`expires_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`),
	FOREIGN KEY (`tenant_id`,`user_id`) REFERENCES `bruno_users`(`tenant_id`,`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `bruno_conversations_created` ON `bruno_conversations` (`tenant_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_conversations_user` ON `bruno_conversations` (`tenant_id`,`user_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_conversations_expiry` ON `bruno_conversations` (`tenant_id`,`expires_at`) WHERE "expires_at" is not null;--> statement-breakpoint
CREATE TABLE `bruno_documents` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant_id` text NOT NULL,
	`namespace` text NOT NULL,
	`id` text NOT NULL,
	`content` text NOT NULL,
	`metadata` text NOT NULL,
	`expires_at` integer,
	`search_text` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `bruno_documents_key` ON `bruno_documents` (`tenant_id`,`namespace`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_documents_expiry` ON `bruno_documents` (`tenant_id`,`expires_at`) WHERE "expires_at" is not null;--> statement-breakpoint
CREATE TABLE `bruno_embeddings` (
	`tenant_id` text NOT NULL,
	`space` text NOT NULL,
	`kind` text NOT NULL,
	`scope` text NOT NULL,
	`record_id` text NOT NULL,
	`user_id` text,
	`content_hash` blob NOT NULL,
	`vector` blob NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `space`, `kind`, `scope`, `record_id`)
);
--> statement-breakpoint
CREATE INDEX `bruno_embeddings_user` ON `bruno_embeddings` (`tenant_id`,`space`,`kind`,`user_id`) WHERE "user_id" is not null;--> statement-breakpoint
CREATE INDEX `bruno_embeddings_record` ON `bruno_embeddings` (`tenant_id`,`kind`,`scope`,`record_id`);--> statement-breakpoint
CREATE INDEX `bruno_embeddings_content` ON `bruno_embeddings` (`tenant_id`,`space`,`content_hash`);--> statement-breakpoint
CREATE TABLE `bruno_followers` (
	`name` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`state` text NOT NULL,
	`kinds` text NOT NULL,
	`settings` text NOT NULL,
	`seeded_revision` integer NOT NULL,
	`lease_owner` text,
	`lease_epoch` integer NOT NULL,
	`lease_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `bruno_memories` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`conversation_id` text,
	`type` text NOT NULL,
	`content` text NOT NULL,
	`source` text,
	`category` text,
	`tags` text NOT NULL,
	`confidence` real NOT NULL,
	`importance` real NOT NULL,
	`access_count` integer NOT NULL,
	`related_ids` text NOT NULL,
	`metadata` text NOT NULL,
	`last_accessed_at` integer,
	`expires_at` integer,
	`search_text` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL,
	FOREIGN KEY (`tenant_id`,`user_id`) REFERENCES `bruno_users`(`tenant_id`,`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `bruno_memories_key` ON `bruno_memories` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_memories_importance` ON `bruno_memories` (`tenant_id`,`importance`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_memories_user` ON `bruno_memories` (`tenant_id`,`user_id`,`importance`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_memories_conversation` ON `bruno_memories` (`tenant_id`,`conversation_id`) WHERE "conversation_id" is not null;--> statement-breakpoint
CREATE INDEX `bruno_memories_expiry` ON `bruno_memories` (`tenant_id`,`expires_at`) WHERE "expires_at" is not null;--> statement-breakpoint
CREATE TABLE `bruno_messages` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant_id` text NOT NULL,
	`conversation_id` text NOT NULL,
	`id` text NOT NULL,
	`position` integer NOT NULL,
	`parent_id` text,
	`role` text NOT NULL,
	`type` text NOT NULL,
	`content` text NOT NULL,
	`parts` text,
	`name` text,
	`tool_call_id` text,
	`status` text NOT NULL,
	`metadata` text NOT NULL,
	`search_text` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL,
	FOREIGN KEY (`tenant_id`,`conversation_id`) REFERENCES `bruno_conversations`(`tenant_id`,`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `bruno_messages_key` ON `bruno_messages` (`tenant_id`,`conversation_id`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `bruno_messages_position` ON `bruno_messages` (`tenant_id`,`conversation_id`,`position`);--> statement-breakpoint
CREATE INDEX `bruno_messages_parent` ON `bruno_messages` (`tenant_id`,`conversation_id`,`parent_id`) WHERE "parent_id" is not null;--> statement-breakpoint
CREATE TABLE `bruno_operations` (
	`tenant_id` text NOT NULL,
	`operation_id` text NOT NULL,
	`fingerprint` text,
	`result` text,
	`records` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `operation_id`)
);
--> statement-breakpoint
CREATE INDEX `bruno_operations_expiry` ON `bruno_operations` (`tenant_id`,`expires_at`);--> statement-breakpoint
CREATE TABLE `bruno_outbox` (
	`follower` text NOT NULL,
	`tenant_id` text NOT NULL,
	`kind` text NOT NULL,
	`scope` text NOT NULL,
	`record_id` text NOT NULL,
	`revision` integer NOT NULL,
	`attempts` integer NOT NULL,
	`created_at` integer NOT NULL,
	`next_attempt_at` integer NOT NULL,
	`parked_at` integer,
	`error_code` text,
	`lease_owner` text,
	`lease_until` integer,
	PRIMARY KEY(`follower`, `tenant_id`, `kind`, `scope`, `record_id`)
);
--> statement-breakpoint
CREATE INDEX `bruno_outbox_due` ON `bruno_outbox` (`follower`,`next_attempt_at`);--> statement-breakpoint
CREATE INDEX `bruno_outbox_tenant` ON `bruno_outbox` (`tenant_id`,`follower`);--> statement-breakpoint
CREATE TABLE `bruno_revision` (
	`value` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `bruno_sessions` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`conversation_id` text,
	`state` text NOT NULL,
	`metadata` text NOT NULL,
	`started_at` integer NOT NULL,
	`last_activity_at` integer NOT NULL,
	`ended_at` integer,
	`expires_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`),
	FOREIGN KEY (`tenant_id`,`user_id`) REFERENCES `bruno_users`(`tenant_id`,`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `bruno_sessions_started` ON `bruno_sessions` (`tenant_id`,`started_at`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_sessions_user` ON `bruno_sessions` (`tenant_id`,`user_id`,`started_at`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_sessions_conversation` ON `bruno_sessions` (`tenant_id`,`conversation_id`) WHERE "conversation_id" is not null;--> statement-breakpoint
CREATE INDEX `bruno_sessions_expiry` ON `bruno_sessions` (`tenant_id`,`expires_at`) WHERE "expires_at" is not null;--> statement-breakpoint
CREATE TABLE `bruno_spaces` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`dimensions` integer NOT NULL,
	`metric` text NOT NULL,
	`normalized` integer NOT NULL,
	`state` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `bruno_users` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text,
	`preferences` text NOT NULL,
	`profile` text NOT NULL,
	`metadata` text NOT NULL,
	`last_active_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`revision` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
);

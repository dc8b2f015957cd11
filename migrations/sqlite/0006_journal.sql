CREATE TABLE `bruno_fallback_state` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`phase` text NOT NULL,
	`lease_owner` text,
	`lease_until` integer
);
--> statement-breakpoint
CREATE TABLE `bruno_journal` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`epoch` integer NOT NULL,
	`state` text NOT NULL,
	`what` text NOT NULL,
	`reason` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `bruno_journal_key` ON `bruno_journal` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `bruno_journal_state` ON `bruno_journal` (`state`,`seq`);
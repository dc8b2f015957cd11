CREATE TABLE `bruno_transfers` (
	`id` text PRIMARY KEY NOT NULL,
	`state` text NOT NULL,
	`plan` text NOT NULL,
	`checkpoint` text,
	`rebuild` text,
	`owner` text,
	`epoch` integer NOT NULL,
	`lease_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);

CREATE TABLE "bruno_transfers" (
	"id" text COLLATE "C" NOT NULL,
	"state" text NOT NULL,
	"plan" text NOT NULL,
	"checkpoint" text,
	"rebuild" text,
	"owner" text,
	"epoch" bigint NOT NULL,
	"lease_until" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "bruno_transfers_key" PRIMARY KEY("id")
);

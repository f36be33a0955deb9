CREATE TABLE `revoked_tokens` (
	`jti` text PRIMARY KEY NOT NULL,
	`expires_at` text NOT NULL,
	`revoked_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `signing_keys` (
	`kid` text PRIMARY KEY NOT NULL,
	`alg` text NOT NULL,
	`public_jwk` text NOT NULL,
	`private_sealed` text NOT NULL,
	`status` text NOT NULL,
	`created_at` text NOT NULL,
	`published_until` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `signing_keys_one_active` ON `signing_keys` (`alg`) WHERE "signing_keys"."status" = 'active';--> statement-breakpoint
CREATE TABLE `consent_evidence` (
	`wa_message_id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`content_sha256` text NOT NULL,
	`answer` text NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `consent_records` (
	`retailer_id` text NOT NULL,
	`seq` integer NOT NULL,
	`consent_id` text NOT NULL,
	`canonical` text NOT NULL,
	`record_hash` text NOT NULL,
	`signature` text NOT NULL,
	`key_id` text NOT NULL,
	`created_at` text NOT NULL,
	PRIMARY KEY(`retailer_id`, `seq`)
);
--> statement-breakpoint
CREATE INDEX `consent_records_by_consent` ON `consent_records` (`consent_id`);--> statement-breakpoint
CREATE TABLE `consents` (
	`consent_id` text PRIMARY KEY NOT NULL,
	`retailer_id` text NOT NULL,
	`chain_retailer_id` text NOT NULL,
	`lender_id` text NOT NULL,
	`purposes` text NOT NULL,
	`status` text NOT NULL,
	`grant_group` text NOT NULL,
	`granted_at` text NOT NULL,
	`expires_at` text NOT NULL,
	`revoked_at` text
);
--> statement-breakpoint
CREATE INDEX `consents_by_retailer_lender` ON `consents` (`retailer_id`,`lender_id`);--> statement-breakpoint
CREATE TABLE `dead_letters` (
	`message_id` text PRIMARY KEY NOT NULL,
	`queue` text NOT NULL,
	`body` text NOT NULL,
	`attempts` integer NOT NULL,
	`received_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `handled_events` (
	`consumer` text NOT NULL,
	`event_id` text NOT NULL,
	`handled_at` text NOT NULL,
	PRIMARY KEY(`consumer`, `event_id`)
);
--> statement-breakpoint
CREATE INDEX `handled_events_by_time` ON `handled_events` (`handled_at`);--> statement-breakpoint
CREATE TABLE `outbox` (
	`event_id` text PRIMARY KEY NOT NULL,
	`envelope` text NOT NULL,
	`created_at` text NOT NULL,
	`next_attempt_ms` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX `outbox_by_next_attempt` ON `outbox` (`next_attempt_ms`);--> statement-breakpoint
CREATE TABLE `distributor_syncs` (
	`distributor_id` text PRIMARY KEY NOT NULL,
	`newest_sync_to` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `clients` (
	`client_id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`secret_sha256` text NOT NULL,
	`scope` text NOT NULL,
	`created_at` text NOT NULL,
	`revoked_at` text
);
--> statement-breakpoint
CREATE TABLE `distributor_api_keys` (
	`key_sha256` text PRIMARY KEY NOT NULL,
	`distributor_id` text NOT NULL,
	`active_until` text,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `distributor_api_keys_by_distributor` ON `distributor_api_keys` (`distributor_id`);--> statement-breakpoint
CREATE TABLE `distributor_certificates` (
	`fingerprint` text PRIMARY KEY NOT NULL,
	`distributor_id` text NOT NULL,
	`serial` text NOT NULL,
	`not_after` text NOT NULL,
	`active_until` text,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `distributor_certificates_by_distributor` ON `distributor_certificates` (`distributor_id`);--> statement-breakpoint
CREATE TABLE `distributor_signing_secrets` (
	`secret_id` text PRIMARY KEY NOT NULL,
	`distributor_id` text NOT NULL,
	`sealed` text NOT NULL,
	`active_until` text,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `distributor_signing_secrets_by_distributor` ON `distributor_signing_secrets` (`distributor_id`);--> statement-breakpoint
CREATE TABLE `distributors` (
	`distributor_id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`erp_type` text NOT NULL,
	`batches_per_hour` integer DEFAULT 10 NOT NULL,
	`max_amount_inr` integer DEFAULT 5000000 NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `lenders` (
	`lender_id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`score_per_minute` integer DEFAULT 100 NOT NULL,
	`score_per_day` integer DEFAULT 5000 NOT NULL,
	`lookup_per_minute` integer DEFAULT 20 NOT NULL,
	`lookup_per_day` integer DEFAULT 500 NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `notices` (
	`notice_id` text NOT NULL,
	`notice_version` text NOT NULL,
	`language` text NOT NULL,
	`text` text NOT NULL,
	`sha256` text NOT NULL,
	`created_at` text NOT NULL,
	`withdrawn_at` text,
	PRIMARY KEY(`notice_id`, `notice_version`, `language`)
);
--> statement-breakpoint
CREATE TABLE `retailer_distributors` (
	`retailer_id` text NOT NULL,
	`distributor_id` text NOT NULL,
	`first_seen_at` text NOT NULL,
	PRIMARY KEY(`retailer_id`, `distributor_id`)
);
--> statement-breakpoint
CREATE TABLE `retailer_identifiers` (
	`kind` text NOT NULL,
	`blind_index` text NOT NULL,
	`retailer_id` text NOT NULL,
	`key_id` text NOT NULL,
	`created_at` text NOT NULL,
	PRIMARY KEY(`kind`, `blind_index`, `retailer_id`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `retailer_identifiers_one_per_gstin` ON `retailer_identifiers` (`blind_index`) WHERE "retailer_identifiers"."kind" = 'gstin';--> statement-breakpoint
CREATE TABLE `retailers` (
	`retailer_id` text PRIMARY KEY NOT NULL,
	`provisional` integer NOT NULL,
	`phone_verified` integer DEFAULT false NOT NULL,
	`merged_into` text,
	`merged_at` text,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `retailers_by_merged_into` ON `retailers` (`merged_into`);--> statement-breakpoint
CREATE TABLE `latest_scores` (
	`retailer_id` text PRIMARY KEY NOT NULL,
	`score_id` text NOT NULL,
	`as_of_day` integer NOT NULL,
	`ledger_revision` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `scores` (
	`score_id` text PRIMARY KEY NOT NULL,
	`retailer_id` text NOT NULL,
	`input_hash` text NOT NULL,
	`as_of_day` integer NOT NULL,
	`ledger_revision` integer NOT NULL,
	`watermarks` text NOT NULL,
	`model_id` text NOT NULL,
	`model_sha256` text NOT NULL,
	`engine_version` text NOT NULL,
	`score_version` text NOT NULL,
	`status` text NOT NULL,
	`altscore` integer,
	`risk_band` text,
	`probability_of_default` real,
	`replay_inputs` text NOT NULL,
	`scorecard` text NOT NULL,
	`scored_at` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `scores_by_input` ON `scores` (`retailer_id`,`input_hash`);--> statement-breakpoint
CREATE INDEX `scores_by_retailer_time` ON `scores` (`retailer_id`,`scored_at`);--> statement-breakpoint
CREATE TRIGGER `consent_records_no_update` BEFORE UPDATE ON `consent_records`
BEGIN SELECT RAISE(ABORT, 'consent_records is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `consent_records_no_delete` BEFORE DELETE ON `consent_records`
BEGIN SELECT RAISE(ABORT, 'consent_records is append-only'); END;

CREATE TABLE `audit_anchors` (
	`seq` integer PRIMARY KEY NOT NULL,
	`anchored_at` text NOT NULL,
	`canonical` text NOT NULL,
	`anchor_hash` text NOT NULL,
	`signature` text NOT NULL,
	`key_id` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `audit_events` (
	`stream` text NOT NULL,
	`seq` integer NOT NULL,
	`at` text NOT NULL,
	`type` text NOT NULL,
	`actor_kind` text NOT NULL,
	`actor_id` text,
	`subject` text,
	`outcome` text NOT NULL,
	`canonical` text NOT NULL,
	`row_hash` text NOT NULL,
	PRIMARY KEY(`stream`, `seq`)
);
--> statement-breakpoint
CREATE INDEX `audit_events_by_time` ON `audit_events` (`at`);--> statement-breakpoint
CREATE INDEX `audit_events_by_subject` ON `audit_events` (`subject`,`at`);--> statement-breakpoint
CREATE INDEX `audit_events_by_type` ON `audit_events` (`type`,`at`);--> statement-breakpoint
CREATE TABLE `audit_streams` (
	`stream` text PRIMARY KEY NOT NULL,
	`registered_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `grievance_steps` (
	`grievance_id` text NOT NULL,
	`seq` integer NOT NULL,
	`step` text NOT NULL,
	`at` text NOT NULL,
	`actor_kind` text NOT NULL,
	`actor_id` text,
	`outcome` text,
	PRIMARY KEY(`grievance_id`, `seq`)
);
--> statement-breakpoint
CREATE TABLE `grievance_texts` (
	`grievance_id` text NOT NULL,
	`seq` integer NOT NULL,
	`sealed` text NOT NULL,
	PRIMARY KEY(`grievance_id`, `seq`)
);
--> statement-breakpoint
CREATE TABLE `grievances` (
	`grievance_id` text PRIMARY KEY NOT NULL,
	`retailer_id` text NOT NULL,
	`score_id` text,
	`grievance_type` text NOT NULL,
	`filer_kind` text NOT NULL,
	`filer_id` text NOT NULL,
	`contact_phone_hash` text,
	`language` text NOT NULL,
	`wamid` text,
	`stage` text NOT NULL,
	`seq` integer NOT NULL,
	`filed_at` text NOT NULL,
	`ack_by` text NOT NULL,
	`resolution_sla` text NOT NULL,
	`acknowledged_at` text,
	`closed_at` text,
	`outcome` text,
	`escalates_at` text,
	`escalated_at` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `grievances_wamid_unique` ON `grievances` (`wamid`);--> statement-breakpoint
CREATE INDEX `grievances_by_retailer` ON `grievances` (`retailer_id`);--> statement-breakpoint
CREATE INDEX `grievances_to_escalate` ON `grievances` (`escalates_at`) WHERE "grievances"."escalated_at" IS NULL;--> statement-breakpoint
CREATE TABLE `lender_notices` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`notice_id` text NOT NULL,
	`lender_id` text NOT NULL,
	`type` text NOT NULL,
	`retailer_id` text NOT NULL,
	`data` text NOT NULL,
	`dedupe_key` text NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `lender_notices_notice_id_unique` ON `lender_notices` (`notice_id`);--> statement-breakpoint
CREATE INDEX `lender_notices_by_lender` ON `lender_notices` (`lender_id`,`seq`);--> statement-breakpoint
CREATE UNIQUE INDEX `lender_notices_once` ON `lender_notices` (`lender_id`,`dedupe_key`);--> statement-breakpoint
CREATE TABLE `nominees` (
	`retailer_id` text PRIMARY KEY NOT NULL,
	`sealed_name` text NOT NULL,
	`relation` text NOT NULL,
	`phone_hash` text NOT NULL,
	`set_by` text NOT NULL,
	`set_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `rights_decisions` (
	`request_id` text PRIMARY KEY NOT NULL,
	`decision` text NOT NULL,
	`sealed_note` text NOT NULL,
	`decided_by` text NOT NULL,
	`decided_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `rights_requests` (
	`request_id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`retailer_id` text NOT NULL,
	`field` text,
	`sealed_text` text,
	`opened_by_kind` text NOT NULL,
	`opened_by` text NOT NULL,
	`language` text NOT NULL,
	`wamid` text,
	`opened_at` text NOT NULL,
	`due_by` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `rights_requests_wamid_unique` ON `rights_requests` (`wamid`);--> statement-breakpoint
CREATE INDEX `rights_requests_by_retailer` ON `rights_requests` (`retailer_id`);--> statement-breakpoint
CREATE TABLE `webhook_attempts` (
	`webhook_id` text NOT NULL,
	`message_id` text NOT NULL,
	`attempt` integer NOT NULL,
	`started_at` text NOT NULL,
	`duration_ms` integer,
	`status` integer,
	`failure` text,
	PRIMARY KEY(`webhook_id`, `message_id`, `attempt`)
);
--> statement-breakpoint
CREATE INDEX `webhook_attempts_by_time` ON `webhook_attempts` (`started_at`);--> statement-breakpoint
CREATE TABLE `webhook_deliveries` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`webhook_id` text NOT NULL,
	`message_id` text NOT NULL,
	`type` text NOT NULL,
	`body` text NOT NULL,
	`state` text NOT NULL,
	`attempts` integer NOT NULL,
	`earlier_attempts` integer NOT NULL,
	`next_attempt_ms` integer NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `webhook_deliveries_once` ON `webhook_deliveries` (`webhook_id`,`message_id`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_by_webhook` ON `webhook_deliveries` (`webhook_id`,`seq`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_due` ON `webhook_deliveries` (`webhook_id`,`state`,`next_attempt_ms`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_by_time` ON `webhook_deliveries` (`created_at`);--> statement-breakpoint
CREATE TABLE `webhooks` (
	`webhook_id` text PRIMARY KEY NOT NULL,
	`lender_id` text NOT NULL,
	`url` text NOT NULL,
	`status` text NOT NULL,
	`paused_reason` text,
	`secret_sealed` text NOT NULL,
	`previous_secret_sealed` text,
	`previous_secret_until` text,
	`failing_since_ms` integer,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `webhooks_by_lender` ON `webhooks` (`lender_id`);--> statement-breakpoint
CREATE TABLE `wa_conversations` (
	`phone_hash` text PRIMARY KEY NOT NULL,
	`language` text NOT NULL,
	`language_s` integer DEFAULT 0 NOT NULL,
	`stopped_s` integer DEFAULT 0 NOT NULL,
	`heard_s` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `wa_grants` (
	`invitation_id` text PRIMARY KEY NOT NULL,
	`retailer_id` text NOT NULL,
	`consent_ids` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `wa_inbox` (
	`wamid` text PRIMARY KEY NOT NULL,
	`phone_hash` text NOT NULL,
	`at_s` integer NOT NULL,
	`sealed` text,
	`received_at` text NOT NULL,
	`next_attempt_ms` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`done_at` text
);
--> statement-breakpoint
CREATE INDEX `wa_inbox_open` ON `wa_inbox` (`next_attempt_ms`) WHERE "wa_inbox"."done_at" IS NULL;--> statement-breakpoint
CREATE INDEX `wa_inbox_done` ON `wa_inbox` (`done_at`);--> statement-breakpoint
CREATE TABLE `wa_invitations` (
	`invitation_id` text PRIMARY KEY NOT NULL,
	`phone_hash` text NOT NULL,
	`retailer_id` text,
	`distributor_id` text NOT NULL,
	`lender_ids` text NOT NULL,
	`purposes` text NOT NULL,
	`notice_id` text NOT NULL,
	`notice_version` text NOT NULL,
	`expires_at` text NOT NULL,
	`invited_by` text NOT NULL,
	`invited_s` integer NOT NULL,
	`answer_by_s` integer NOT NULL,
	`sole` integer NOT NULL,
	`allowed_s` integer,
	`denied_s` integer,
	`asks` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX `wa_invitations_by_phone` ON `wa_invitations` (`phone_hash`);--> statement-breakpoint
CREATE TABLE `wa_notices` (
	`instance_id` text PRIMARY KEY NOT NULL,
	`invitation_id` text NOT NULL,
	`language` text NOT NULL,
	`wamid` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `wa_notices_one_per_language` ON `wa_notices` (`invitation_id`,`language`);--> statement-breakpoint
CREATE TABLE `wa_outbox` (
	`message_id` text PRIMARY KEY NOT NULL,
	`dedupe_key` text NOT NULL,
	`phone_hash` text NOT NULL,
	`sealed_phone` text,
	`retailer_id` text,
	`kind` text NOT NULL,
	`language` text NOT NULL,
	`content` text NOT NULL,
	`instance_id` text,
	`state` text NOT NULL,
	`next_attempt_ms` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`wamid` text,
	`delivery` integer DEFAULT 0 NOT NULL,
	`error_code` integer,
	`created_at` text NOT NULL,
	`sent_at` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `wa_outbox_dedupe_key_unique` ON `wa_outbox` (`dedupe_key`);--> statement-breakpoint
CREATE INDEX `wa_outbox_pending` ON `wa_outbox` (`next_attempt_ms`) WHERE "wa_outbox"."state" = 'pending';--> statement-breakpoint
CREATE INDEX `wa_outbox_by_phone` ON `wa_outbox` (`phone_hash`);--> statement-breakpoint
CREATE INDEX `wa_outbox_by_wamid` ON `wa_outbox` (`wamid`);--> statement-breakpoint
CREATE INDEX `consents_by_expiry` ON `consents` (`expires_at`) WHERE "consents"."revoked_at" IS NULL;--> statement-breakpoint
CREATE INDEX `retailer_identifiers_by_retailer` ON `retailer_identifiers` (`retailer_id`);--> statement-breakpoint
-- Append-only, also against INSERT OR REPLACE, which deletes without asking the delete triggers.
CREATE TRIGGER `audit_streams_no_update` BEFORE UPDATE ON `audit_streams`
BEGIN SELECT RAISE(ABORT, 'audit_streams is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_streams_no_delete` BEFORE DELETE ON `audit_streams`
BEGIN SELECT RAISE(ABORT, 'audit_streams is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_events_no_update` BEFORE UPDATE ON `audit_events`
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_events_no_delete` BEFORE DELETE ON `audit_events`
BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_anchors_no_update` BEFORE UPDATE ON `audit_anchors`
BEGIN SELECT RAISE(ABORT, 'audit_anchors is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `audit_anchors_no_delete` BEFORE DELETE ON `audit_anchors`
BEGIN SELECT RAISE(ABORT, 'audit_anchors is append-only'); END;
--> statement-breakpoint
CREATE TRIGGER `audit_streams_no_replace` BEFORE INSERT ON `audit_streams`
WHEN EXISTS (SELECT 1 FROM `audit_streams` WHERE `stream` = NEW.`stream`)
BEGIN SELECT RAISE(IGNORE); END;--> statement-breakpoint
CREATE TRIGGER `audit_events_no_replace` BEFORE INSERT ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `audit_events` WHERE `stream` = NEW.`stream` AND `seq` = NEW.`seq`)
BEGIN
  SELECT CASE WHEN `row_hash` = NEW.`row_hash` THEN RAISE(IGNORE) ELSE RAISE(ABORT, 'audit_events is append-only') END
  FROM `audit_events` WHERE `stream` = NEW.`stream` AND `seq` = NEW.`seq`;
END;--> statement-breakpoint
CREATE TRIGGER `audit_anchors_no_replace` BEFORE INSERT ON `audit_anchors`
WHEN EXISTS (SELECT 1 FROM `audit_anchors` WHERE `seq` = NEW.`seq`)
BEGIN SELECT RAISE(ABORT, 'audit_anchors is append-only'); END;

--> statement-breakpoint
CREATE TRIGGER `grievance_steps_no_update` BEFORE UPDATE ON `grievance_steps`
BEGIN SELECT RAISE(ABORT, 'grievance_steps is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `grievance_steps_no_delete` BEFORE DELETE ON `grievance_steps`
BEGIN SELECT RAISE(ABORT, 'grievance_steps is append-only'); END;--> statement-breakpoint
-- INSERT OR REPLACE deletes without asking the delete trigger. Writers know a number that is taken by this message.
CREATE TRIGGER `grievance_steps_no_replace` BEFORE INSERT ON `grievance_steps`
WHEN EXISTS (SELECT 1 FROM `grievance_steps` WHERE `grievance_id` = NEW.`grievance_id` AND `seq` = NEW.`seq`)
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: grievance_steps.seq'); END;

--> statement-breakpoint
-- Append-only also against INSERT OR REPLACE, which deletes without asking the delete trigger. In the words of the key's own
-- refusal, because that is what it is: a writer who was second takes his turn again.
CREATE TRIGGER `consent_records_no_replace` BEFORE INSERT ON `consent_records`
WHEN EXISTS (SELECT 1 FROM `consent_records` WHERE `retailer_id` = NEW.`retailer_id` AND `seq` = NEW.`seq`)
BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: consent_records.retailer_id, consent_records.seq'); END;

--> statement-breakpoint
-- Lenders' clients of before may read their notices and register webhooks as well.
UPDATE clients SET scope = scope || ' notification:read webhook:write'
WHERE kind = 'lender' AND instr(scope, 'webhook:write') = 0;

--> statement-breakpoint
-- What came before gets the same: INSERT OR REPLACE deletes without asking the delete trigger.
CREATE TRIGGER `model_changes_no_replace` BEFORE INSERT ON `model_changes`
WHEN EXISTS (SELECT 1 FROM `model_changes` WHERE `change_id` = NEW.`change_id`)
BEGIN SELECT RAISE(ABORT, 'model_changes is append-only'); END;

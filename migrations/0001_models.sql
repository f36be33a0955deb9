CREATE TABLE `drift_reports` (
	`month` text NOT NULL,
	`model_id` text NOT NULL,
	`status` text NOT NULL,
	`report` text NOT NULL,
	`created_at` text NOT NULL,
	PRIMARY KEY(`month`, `model_id`)
);
--> statement-breakpoint
CREATE TABLE `model_changes` (
	`change_id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`model_id` text NOT NULL,
	`from_status` text,
	`to_status` text NOT NULL,
	`changed_by` text NOT NULL,
	`reason` text NOT NULL,
	`changed_at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `model_changes_by_model` ON `model_changes` (`model_id`);--> statement-breakpoint
CREATE TABLE `models` (
	`model_id` text PRIMARY KEY NOT NULL,
	`version` text NOT NULL,
	`sha256` text NOT NULL,
	`feature_list_version` text NOT NULL,
	`feature_names` text NOT NULL,
	`card` text NOT NULL,
	`status` text NOT NULL,
	`shadow_since` text NOT NULL,
	`created_at` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `models_by_sha256` ON `models` (`sha256`);--> statement-breakpoint
CREATE UNIQUE INDEX `models_one_champion` ON `models` (`status`) WHERE "models"."status" = 'champion';--> statement-breakpoint
CREATE TABLE `shadow_scores` (
	`score_id` text NOT NULL,
	`model_id` text NOT NULL,
	`model_sha256` text NOT NULL,
	`as_of_day` integer NOT NULL,
	`status` text NOT NULL,
	`altscore` integer,
	`risk_band` text,
	`probability_of_default` real,
	`margin` real,
	PRIMARY KEY(`score_id`, `model_id`)
);
--> statement-breakpoint
CREATE TRIGGER `models_card_fixed` BEFORE UPDATE OF `model_id`, `version`, `sha256`, `feature_list_version`, `feature_names`, `card`, `shadow_since`, `created_at` ON `models`
BEGIN SELECT RAISE(ABORT, 'a registered model does not change'); END;--> statement-breakpoint
CREATE TRIGGER `models_no_delete` BEFORE DELETE ON `models`
BEGIN SELECT RAISE(ABORT, 'a registered model is not removed'); END;--> statement-breakpoint
CREATE TRIGGER `models_status_by_change` BEFORE UPDATE OF `status` ON `models`
WHEN NEW.`status` IS NOT (SELECT `to_status` FROM `model_changes` WHERE `model_id` = NEW.`model_id` ORDER BY `change_id` DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'a status changes by a row of model_changes'); END;--> statement-breakpoint
CREATE TRIGGER `model_changes_from_present` BEFORE INSERT ON `model_changes`
WHEN NOT EXISTS (SELECT 1 FROM `models` WHERE `model_id` = NEW.`model_id`
  AND `status` = coalesce(NEW.`from_status`, NEW.`to_status`))
  OR (NEW.`from_status` IS NULL AND EXISTS (SELECT 1 FROM `model_changes` WHERE `model_id` = NEW.`model_id`))
BEGIN SELECT RAISE(ABORT, 'the model has another status by now'); END;--> statement-breakpoint
CREATE TRIGGER `model_changes_apply` AFTER INSERT ON `model_changes`
BEGIN UPDATE `models` SET `status` = NEW.`to_status` WHERE `model_id` = NEW.`model_id`; END;--> statement-breakpoint
CREATE TRIGGER `model_changes_no_update` BEFORE UPDATE ON `model_changes`
BEGIN SELECT RAISE(ABORT, 'model_changes is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `model_changes_no_delete` BEFORE DELETE ON `model_changes`
BEGIN SELECT RAISE(ABORT, 'model_changes is append-only'); END;--> statement-breakpoint
CREATE TRIGGER `scores_by_the_champion` BEFORE INSERT ON `scores`
WHEN NOT EXISTS (SELECT 1 FROM `models` WHERE `sha256` = NEW.`model_sha256` AND `status` = 'champion')
BEGIN SELECT RAISE(ABORT, 'the model of this score is not the champion'); END;

import type { z } from "@hono/zod-openapi";
import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { nowIso } from "../lib/seams.ts";
import { checked, ProvisioningError } from "./errors.ts";
import { publishNoticeInput, withdrawNoticeInput } from "./schemas.ts";
import { notices } from "./tables.ts";

/**
 * Publishes one language of a consent notice. A notice never changes: the same text again is the same notice, another
 * text (or one that was withdrawn) needs a new version: ProvisioningError NOTICE_EXISTS.
 * `sha256` is the hex digest of the text in UTF-8.
 */
export async function publishNotice(
  env: Env,
  given: z.input<typeof publishNoticeInput>,
): Promise<{ sha256: string }> {
  const { notice_id, notice_version, language, text } = checked(publishNoticeInput, given);
  const sha256 = sha256Hex(text);
  const db = drizzle(env.DB);
  const this_one = and(
    eq(notices.notice_id, notice_id),
    eq(notices.notice_version, notice_version),
    eq(notices.language, language),
  );
  const [, [row]] = await db.batch([
    db
      .insert(notices)
      .values({ notice_id, notice_version, language, text, sha256, created_at: nowIso() })
      .onConflictDoNothing(),
    db.select().from(notices).where(this_one),
  ]);
  if (!row || row.sha256 !== sha256 || row.withdrawn_at !== null) {
    throw new ProvisioningError(
      "NOTICE_EXISTS",
      `${notice_id} ${notice_version} (${language}) exists with another text or is withdrawn: publish a new version`,
    );
  }
  return { sha256 };
}

/** Takes a version of a notice out of force in all its languages; the first time stands. Throws NOTICE_UNKNOWN. */
export async function withdrawNotice(
  env: Env,
  given: z.input<typeof withdrawNoticeInput>,
): Promise<{ withdrawn_at: string }> {
  const { notice_id, notice_version } = checked(withdrawNoticeInput, given);
  const rows = await drizzle(env.DB)
    .update(notices)
    .set({ withdrawn_at: sql`coalesce(${notices.withdrawn_at}, ${nowIso()})` })
    .where(and(eq(notices.notice_id, notice_id), eq(notices.notice_version, notice_version)))
    .returning({ withdrawn_at: notices.withdrawn_at });
  const withdrawn_at = rows[0]?.withdrawn_at;
  if (!withdrawn_at)
    throw new ProvisioningError("NOTICE_UNKNOWN", `there is no notice ${notice_id} ${notice_version}`);
  return { withdrawn_at };
}

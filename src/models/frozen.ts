import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { causeText } from "../lib/cause.ts";
import { nowMs } from "../lib/seams.ts";
import { models } from "./tables.ts";

/** How long an isolate may go without asking: a freeze shows in every answer within this time. */
const ASK_EVERY_MS = 1_000;

/** Warnings of an answer whose model may have been frozen since. */
export type ModelWarning = "model_frozen" | "model_status_unknown";

let remembered: { warning: ModelWarning | null; until_ms: number } | undefined;

/**
 * The warning that stored scores are served with while their champion is frozen (api.md §7: scoring stops, the last
 * scores are served with a warning), null while one serves. A registry that cannot be read is a warning too.
 */
export async function modelWarning(env: Env): Promise<ModelWarning | null> {
  if (remembered && remembered.until_ms > nowMs()) return remembered.warning;
  const warning = await readWarning(env);
  remembered = { warning, until_ms: nowMs() + ASK_EVERY_MS };
  return warning;
}

async function readWarning(env: Env): Promise<ModelWarning | null> {
  try {
    const champion = await drizzle(env.DB)
      .select({ model_id: models.model_id })
      .from(models)
      .where(eq(models.status, "champion"))
      .get();
    return champion ? null : "model_frozen";
  } catch (cause) {
    console.error(JSON.stringify({ task: "model warning", cause: causeText(cause) }));
    return "model_status_unknown";
  }
}

/** Empties the isolate's memory, so that the next answer asks the registry. */
export function forgetModelWarning(): void {
  remembered = undefined;
}

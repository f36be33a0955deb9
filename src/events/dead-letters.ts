import { drizzle } from "drizzle-orm/d1";
import type { Env } from "../env.ts";
import { nowIso } from "../lib/seams.ts";
import { deadLetters } from "./tables.ts";

/** Keeps a message that failed every retry, for a person to look at; the same message is kept once. */
export async function keepDeadLetter(env: Env, queue: string, message: Message<unknown>): Promise<void> {
  await drizzle(env.DB)
    .insert(deadLetters)
    .values({
      message_id: message.id,
      queue,
      body: JSON.stringify(message.body),
      attempts: message.attempts,
      received_at: nowIso(),
    })
    .onConflictDoNothing();
}

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pause } from "../lib/concurrency.ts";
import { readJson, writePrivateJson } from "../lib/files.ts";

/** Something that the shop wrote or pressed, as its phone remembers it. */
export interface Said {
  at: string;
  text: string;
}

type Memory = Record<string, Said[]>;

const fileOf = (state_dir: string): string => join(state_dir, "whatsapp.json");

/** What this phone has said so far; AltScore itself keeps none of it. */
export function saidBy(state_dir: string, phone: string): Said[] {
  return readJson<Memory>(fileOf(state_dir), {})[phone] ?? [];
}

/**
 * Notes a new message of this phone and gives its id and time. WhatsApp counts in seconds, and of two messages of
 * one second a STOP would win: so the next message waits for the next second.
 */
export async function speak(
  state_dir: string,
  phone: string,
  text: string,
): Promise<{ id: string; timestamp: string }> {
  const memory = readJson<Memory>(fileOf(state_dir), {});
  const said = memory[phone] ?? [];
  const last_s = Math.floor(Date.parse(said.at(-1)?.at ?? "1970-01-01T00:00:00Z") / 1000);
  const wait_ms = (last_s + 1) * 1000 - Date.now();
  if (wait_ms > 0) await pause(wait_ms);
  const now = new Date();
  memory[phone] = [...said, { at: now.toISOString(), text }];
  writePrivateJson(fileOf(state_dir), memory);
  return {
    id: `wamid.${randomBytes(24).toString("base64url")}`,
    timestamp: String(Math.floor(now.getTime() / 1000)),
  };
}

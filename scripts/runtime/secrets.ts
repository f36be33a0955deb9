import { randomBytes } from "node:crypto";
import { readJson, writePrivateJson } from "../lib/files.ts";
import type { StateLayout } from "./layout.ts";

/** Random secrets of a local system; each is 32 bytes as hex. */
export interface LocalSecrets {
  KEY_ENCRYPTION_SECRET: string;
  GSTIN_INDEX_KEY: string;
  PHONE_PEPPER: string;
  QUARANTINE_KEY: string;
  WHATSAPP_APP_SECRET: string;
  WHATSAPP_VERIFY_TOKEN: string;
}

const NAMES: (keyof LocalSecrets)[] = [
  "KEY_ENCRYPTION_SECRET",
  "GSTIN_INDEX_KEY",
  "PHONE_PEPPER",
  "QUARANTINE_KEY",
  "WHATSAPP_APP_SECRET",
  "WHATSAPP_VERIFY_TOKEN",
];

/**
 * The secrets of this state folder, made at the first call and kept: stored data can be read only with the
 * keys it was written with. A secret that a later version adds is made when it is first missing.
 */
export function loadSecrets(layout: StateLayout): LocalSecrets {
  const known = readJson<Partial<LocalSecrets>>(layout.secrets, {});
  const missing = NAMES.filter((name) => known[name] === undefined);
  for (const name of missing) known[name] = randomBytes(32).toString("hex");
  if (missing.length > 0) writePrivateJson(layout.secrets, known);
  return known as LocalSecrets;
}

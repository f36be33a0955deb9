import type { Config } from "../config.ts";
import { gstinIndex, keyedHash, phoneIndex } from "../retailers/blind-index.ts";
import type { Identity } from "../retailers/identity.ts";
import type { CheckedInvoice, RejectedRecord } from "./records.ts";
import type { QuarantineRow } from "./types.ts";

/** The distinct identities of a batch, and which of them each invoice has. */
export interface PseudonymisedIdentities {
  identities: Identity[];
  /** Position in `identities`, one per invoice. */
  positions: number[];
}

/**
 * Turns GSTINs and phones into keyed blind indexes; from here on nobody needs them. A batch repeats its retailers,
 * so each distinct value is hashed once.
 */
export function pseudonymise(
  config: Config,
  invoices: readonly Pick<CheckedInvoice, "gstin" | "phone">[],
): PseudonymisedIdentities {
  const gstins = new Map<string, string>();
  const phones = new Map<string, string>();
  const known = new Map<string, number>();
  const identities: Identity[] = [];
  const positions = invoices.map(({ gstin, phone }) => {
    const key = `${gstin ?? ""}/${phone ?? ""}`;
    let position = known.get(key);
    if (position === undefined) {
      position = identities.length;
      known.set(key, position);
      identities.push({
        gstin_index: gstin && once(gstins, gstin, (value) => gstinIndex(config, value)),
        phone_index: phone && once(phones, phone, (value) => phoneIndex(config, value)),
      });
    }
    return position;
  });
  return { identities, positions };
}

/** A rejected record as the ledger keeps it: with a keyed hash in place of the bad value. */
export function quarantineRow(config: Config, rejected: RejectedRecord): QuarantineRow {
  const { kind, index, record_id, reason, bad_value } = rejected;
  return [kind, index, record_id, reason, keyedHash(config.QUARANTINE_KEY, hashableText(bad_value))];
}

function once(known: Map<string, string>, value: string, hash: (value: string) => string): string {
  let index = known.get(value);
  if (index === undefined) {
    index = hash(value);
    known.set(value, index);
  }
  return index;
}

/** A text for any JSON value. Structures are hashed by their JSON, unless they nest too deeply to be written. */
function hashableText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return "[too deep]";
  }
}

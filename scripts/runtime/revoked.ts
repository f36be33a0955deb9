import { readJson, writePrivateJson } from "../lib/files.ts";
import type { StateLayout } from "./layout.ts";

/**
 * Serial numbers of client certificates that the edge reports as revoked. On Cloudflare this is the zone's own
 * list; locally it is a file that the front reads at its start and that `provision revoke-certificate` extends.
 */
export interface RevokedSerials {
  has(serial: string): boolean;
  /** Adds a serial (hex, any case) for good. */
  add(serial: string): void;
}

/** Opens the list of this state folder. */
export function openRevokedSerials(layout: StateLayout): RevokedSerials {
  const serials = new Set(readJson<string[]>(layout.revoked, []));
  return {
    has: (serial) => serials.has(normalise(serial)),
    add(serial) {
      serials.add(normalise(serial));
      writePrivateJson(layout.revoked, [...serials]);
    },
  };
}

/** One serial number has many spellings: colons, upper case, leading zeros. */
function normalise(serial: string): string {
  return serial.replaceAll(":", "").toLowerCase().replace(/^0+/, "");
}

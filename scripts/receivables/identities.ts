import { createHash } from "node:crypto";
import { madeUpGstin } from "../../src/synthetic/gstin.ts";

/** The made-up identity under which a book's customer appears. */
export interface Identity {
  gstin: string;
  /** 10 digits. */
  phone: string;
}

/**
 * A valid made-up GSTIN and a made-up phone for each customer, the same ones for the same book and customer, all
 * phones different. The books' customers have neither, or may not be named.
 */
export function madeUpIdentities(book_name: string, customers: string[]): Map<string, Identity> {
  const phones = new Set<string>();
  return new Map(
    customers.map((customer) => {
      const seed = `${book_name} ${customer}`;
      let phone = madeUpPhone(seed, 0);
      for (let attempt = 1; phones.has(phone); attempt++) phone = madeUpPhone(seed, attempt);
      phones.add(phone);
      return [customer, { gstin: madeUpGstin(seed), phone }];
    }),
  );
}

function madeUpPhone(seed: string, attempt: number): string {
  const digest = createHash("sha256").update(`made-up phone ${seed} ${attempt}`).digest();
  return `6${String(digest.readUInt32BE(0) % 1_000_000_000).padStart(9, "0")}`;
}

import { readJson, writePrivateJson } from "../lib/files.ts";
import type { StateLayout } from "../runtime/layout.ts";
import type { GrantedConsent } from "./consents.ts";

/** How far one book (the demonstration's or a real one) has come; what is done is never done again. */
export interface BookProgress {
  /** The IST day number that the book ends on, fixed at the first start so that a repeat prepares the same bytes. */
  end_day: number;
  /** ISO time of the first start: the newest `sync_to`. */
  synced_at: string;
  /** Records sent, once all were. */
  uploaded_records?: number;
  /** The consents, in the order of the book's retailers, once all were recorded. */
  consents?: GrantedConsent[];
  /** When each distributor's upload allowance ends (ms since the epoch). */
  allowance_ends_ms?: Record<string, number>;
}

/** Progress by book; the demonstration's is `demo`. */
export type ProgressFile = Record<string, BookProgress>;

/** What was done on this state so far. */
export function readProgress(layout: StateLayout): ProgressFile {
  return readJson<ProgressFile>(layout.progress, {});
}

/** Remembers one book's progress. */
export function writeProgress(layout: StateLayout, book: string, progress: BookProgress): void {
  writePrivateJson(layout.progress, { ...readProgress(layout), [book]: progress });
}

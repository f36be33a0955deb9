import { readFileSync } from "node:fs";
import { istDay } from "../../src/lib/days.ts";
import { createHttpClient } from "../lib/http-client.ts";
import { startProgress } from "../lib/progress.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type BearerApi, openBearerApi } from "./api.ts";
import { type ConsentRequest, type GrantedConsent, grantConsents } from "./consents.ts";
import type { DistributorCredentials, LenderCredentials, ServiceCredentials } from "./parties.ts";
import { type BookProgress, readProgress, writeProgress } from "./progress-file.ts";
import { type DatedRecords, prepareBatches } from "./records.ts";
import { collectScores, type ScoreOutcome } from "./scores.ts";
import { type UploadResult, uploadBatches } from "./upload.ts";

const HOUR_MS = 3_600_000;

/** The runtime's own clients. */
export interface Desk {
  lender: LenderCredentials;
  service: ServiceCredentials;
}

/** A book to be taken through the whole path. */
export interface Book {
  /** Its name in the progress file. */
  name: string;
  /** The records of each distributor, ending on the day that is asked for. */
  records: (end_day: number) => { distributor: DistributorCredentials; records: DatedRecords }[];
  consents: (end_day: number) => ConsentRequest[];
}

/** What a book came to; consents and scores belong to its retailers in the book's order. */
export interface LoadedBook {
  end_day: number;
  consents: GrantedConsent[];
  scores: Map<string, ScoreOutcome>;
  lender: BearerApi;
}

/**
 * Takes a book through the public API: batches over mTLS, consents, then the desk's question for every
 * retailer's score over HTTPS. Each part is done once per state; a repeat goes straight to the scores.
 */
export async function loadBook(runtime: Runtime, book: Book, desk: Desk): Promise<LoadedBook> {
  const progress: BookProgress = readProgress(runtime.layout)[book.name] ?? {
    end_day: istDay(Date.now()) - 1,
    synced_at: new Date().toISOString(),
  };
  const remember = (): void => writeProgress(runtime.layout, book.name, progress);
  remember();

  const http = createHttpClient(runtime.mtls_url, { ca: readFileSync(runtime.ca_cert, "utf8") });
  if (progress.uploaded_records === undefined) {
    progress.uploaded_records = await upload(runtime, book, progress);
    remember();
  } else {
    process.stdout.write(`  Records: all ${progress.uploaded_records} were uploaded before\n`);
  }
  if (progress.consents === undefined) {
    const service = await openBearerApi(http, desk.service, desk.service.client_id);
    progress.consents = await consent(runtime, book, progress.end_day, service);
    remember();
  }
  const lender = await openBearerApi(http, desk.lender, desk.lender.lender_id);
  const retailer_ids = [...new Set(progress.consents.map((grant) => grant.retailer_id))];
  const bar = startProgress("Scores", retailer_ids.length);
  const scores = await collectScores(lender, retailer_ids, (done) => bar.update(done));
  bar.finish("over POST /v1/score");
  return { end_day: progress.end_day, consents: progress.consents, scores, lender };
}

async function upload(runtime: Runtime, book: Book, progress: BookProgress): Promise<number> {
  const jobs = book.records(progress.end_day).map(({ distributor, records }) => ({
    distributor,
    batches: prepareBatches(distributor.distributor_id, records, progress.synced_at),
  }));
  const batches = jobs.flatMap((job) => job.batches);
  const bar = startProgress("Batches over mTLS", batches.length);
  let done = 0;
  const results = await Promise.all(
    jobs.map((job) => uploadBatches(runtime, job.distributor, job.batches, () => bar.update(++done))),
  );
  const ends_ms = Date.now() + HOUR_MS;
  progress.allowance_ends_ms = Object.fromEntries(
    jobs.map((job) => [job.distributor.distributor_id, ends_ms]),
  );
  const records = batches.reduce((sum, batch) => sum + batch.records, 0);
  bar.finish(`${records} records${notesOn(results)}`);
  return records;
}

function notesOn(results: UploadResult[]): string {
  const sum = (pick: (result: UploadResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0);
  const notes = [
    { count: sum((result) => result.quarantined), text: "quarantined" },
    { count: sum((result) => result.held), text: "batches held for review" },
    { count: sum((result) => result.already_there), text: "batches were there already" },
  ];
  return notes
    .filter(({ count }) => count > 0)
    .map(({ count, text }) => `, ${count} ${text}`)
    .join("");
}

async function consent(
  runtime: Runtime,
  book: Book,
  end_day: number,
  service: BearerApi,
): Promise<GrantedConsent[]> {
  const requests = book.consents(end_day);
  const bar = startProgress("Consents", requests.length);
  const granted = await grantConsents(service, runtime.secrets.PHONE_PEPPER, requests, (done) =>
    bar.update(done),
  );
  bar.finish();
  return granted;
}

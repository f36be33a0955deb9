import type { Runtime } from "../runtime/runtime.ts";
import { curlCommands } from "./curl.ts";
import { demoLedger, recordsOf } from "./ledger.ts";
import { type Desk, loadBook } from "./load-book.ts";
import type { Parties } from "./parties.ts";
import { bandCounts, scoreText } from "./print-score.ts";

/** The retailer whose score is shown: an ordinary shop with strengths and weaknesses. */
const SHOWN_RETAILER = 0;
export const DEMO_BOOK = "demo";

/**
 * The demonstration: a made-up ledger of 60 kirana shops and two distributors goes in over mTLS, every shop
 * consents, all are scored, one answer is shown; with commands to try next if the server `goes_on` serving.
 */
export async function runDemo(
  runtime: Runtime,
  parties: Parties,
  desk: Desk,
  goes_on: boolean,
): Promise<void> {
  const distributors = Object.values(parties.distributors);
  const lender_ids = [...Object.values(parties.lenders), desk.lender].map((lender) => lender.lender_id);
  const { end_day, consents, scores } = await loadBook(
    runtime,
    {
      name: DEMO_BOOK,
      records: (day) => {
        const ledger = demoLedger(day);
        return distributors.map((distributor, index) => ({ distributor, records: recordsOf(ledger, index) }));
      },
      consents: (day) =>
        demoLedger(day).retailers.map(({ phone }) => ({
          phone,
          distributor_id: distributors[0]!.distributor_id,
          lender_ids,
        })),
    },
    desk,
  );
  const answers = [...scores.values()].flatMap((outcome) => ("score" in outcome ? [outcome.score] : []));
  const refused = scores.size - answers.length;
  const without = refused === 0 ? "" : `, ${refused} without a score (too little data)`;
  process.stdout.write(`  Bands of ${scores.size} retailers: ${bandCounts(answers)}${without}\n\n`);

  const grant = consents[SHOWN_RETAILER]!;
  const outcome = scores.get(grant.retailer_id);
  if (outcome === undefined || !("score" in outcome)) return;
  process.stdout.write(`POST /v1/score for ${grant.retailer_id} over ${runtime.mtls_url}:\n`);
  process.stdout.write(scoreText(outcome.score));
  if (!goes_on) return;
  const gstin = demoLedger(end_day).retailers[SHOWN_RETAILER]!.gstin;
  process.stdout.write(`\n${curlCommands(runtime, parties, grant, gstin)}\n`);
}

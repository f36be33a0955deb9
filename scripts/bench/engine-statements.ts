import { scoreStatement } from "../../src/scoring/engine.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import type { Statement, StatementInvoice, StatementPayment } from "../../src/scoring/types.ts";
import { createRandom } from "../../src/synthetic/random.ts";
import { shippedChampion } from "../engine/champion.ts";
import { cpuUs } from "./engine-cpu.ts";
import { median } from "./load.ts";

/** What a retailer of so many invoices costs; microseconds of CPU per retailer, medians over the rounds. */
export interface StatementFigures {
  invoices: number;
  features_us: number;
  score_us: number;
}

const INVOICES = [30, 300, 500, 3_000];
const ROUNDS = 7;
const RETAILERS = 16;
/** Of each size, so many invoices are scored a round. */
const INVOICES_PER_ROUND = 60_000;
const AS_OF_DAY = 20_600;
const STATEMENT_DAYS = 1_080;
const CREDIT_NOTE_SHARE = 0.03;
const UNPAID_SHARE = 0.03;
const PART_PAID_SHARE = 0.1;

/** A retailer of two distributors with `count` invoices and credit notes, spread over 36 months. */
function statementOf(count: number, seed: number): Statement {
  const random = createRandom(`bench:engine ${count} ${seed}`);
  const invoices: StatementInvoice[] = [];
  const payments: StatementPayment[] = [];
  for (let i = 0; i < count; i++) {
    const invoice_day = AS_OF_DAY - STATEMENT_DAYS + Math.floor((i * STATEMENT_DAYS) / count);
    const invoice: StatementInvoice = {
      distributor_id: `d${i % 2}`,
      invoice_id: `i${i}`,
      invoice_day,
      due_day: invoice_day + 21,
      amount_paise: random.integer(200_000, 3_000_000),
      is_return: random.chance(CREDIT_NOTE_SHARE),
      original_invoice_id: null,
      disputed: random.chance(0.01),
    };
    invoices.push(invoice);
    if (invoice.is_return || random.chance(UNPAID_SHARE)) continue;
    const parts = random.chance(PART_PAID_SHARE) ? 2 : 1;
    for (let part = 0; part < parts; part++) {
      payments.push({
        distributor_id: invoice.distributor_id,
        payment_id: `p${i}-${part}`,
        invoice_id: invoice.invoice_id,
        paid_day: invoice_day + 14 + part + Math.floor(random.exponential(8)),
        amount_paise: Math.ceil(invoice.amount_paise / parts),
        bounced: random.chance(0.01),
      });
    }
  }
  const sources = ["d0", "d1"].map((distributor_id) => ({
    distributor_id,
    erp_type: "tally_prime" as const,
    usual_term_days: 21,
    first_invoice_day: AS_OF_DAY - STATEMENT_DAYS,
    records_received: count,
    records_quarantined: 0,
  }));
  return { retailer_id: `ret_${seed}`, sources, invoices, payments, identity_verified: true };
}

/** Features alone, and the whole way from a statement to its card, for statements of growing length. */
export function benchStatements(progress: () => void): StatementFigures[] {
  const champion = shippedChampion();
  const sizes = INVOICES.map((invoices) => ({
    invoices,
    statements: Array.from({ length: RETAILERS }, (_, i) => statementOf(invoices, i)),
    passes: Math.max(1, Math.round(INVOICES_PER_ROUND / (invoices * RETAILERS))),
    features_us: [] as number[],
    score_us: [] as number[],
  }));
  const usPerRetailer = (statements: Statement[], passes: number, run: (statement: Statement) => void) => {
    const us = cpuUs(() => {
      for (let pass = 0; pass < passes; pass++) statements.forEach(run);
    });
    return us / (passes * statements.length);
  };
  // The first round warms up and is not counted.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { statements, passes, features_us, score_us } of sizes) {
      const features = usPerRetailer(statements, passes, (one) => computeFeatures(one, AS_OF_DAY));
      const score = usPerRetailer(statements, passes, (one) => scoreStatement(one, AS_OF_DAY, champion));
      if (round === 0) continue;
      features_us.push(features);
      score_us.push(score);
    }
    progress();
  }
  return sizes.map(({ invoices, features_us, score_us }) => ({
    invoices,
    features_us: median(features_us),
    score_us: median(score_us),
  }));
}

/** How often `benchStatements` reports progress. */
export const STATEMENT_ROUNDS = ROUNDS + 1;

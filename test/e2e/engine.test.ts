import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { INVOICE_COLUMNS } from "../../scripts/engine/book.ts";
import { shippedChampion } from "../../scripts/engine/champion.ts";
import { COMMANDS } from "../../scripts/engine/commands.ts";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { dayToIso, isoToDay } from "../../src/lib/days.ts";
import { FEATURE_NAMES } from "../../src/scoring/feature-table.ts";
import { computeFeatures } from "../../src/scoring/features.ts";
import type { Statement } from "../../src/scoring/types.ts";
import { engine, newInputs, records, regularShop } from "./support/engine.ts";

const { dir, remove, file, invoices, payments } = newInputs();
afterAll(remove);

/** Two shops of two distributors on 2026-03-31; shop B's id needs quoting, d2 never states a due day. */
const BOOK = [
  "--invoices",
  invoices(
    "A,d1,i1,2026-01-01,2026-01-16,1000.00,,,",
    "A,d1,i2,2026-02-01,2026-02-16,3000.50,false,,true",
    "A,d1,i3,2026-03-01,,500,,,",
    "A,d1,n1,2026-02-20,,1000.50,True,i2,",
    // After the as-of day: not there, and no vote for the usual term.
    "A,d1,i4,2026-04-01,2026-04-08,100,,,",
    "A,d1,i5,2026-04-02,2026-04-09,100,,,",
    "A,d1,i6,2026-04-03,2026-04-10,100,,,",
    '"B, and ""sons""",d2,i1,2026-02-01,,800,,,',
    "late,d1,x1,2026-05-01,2026-06-01,100,,,",
    "old,d1,x2,2020-05-01,2020-05-16,100,,,",
  ),
  "--payments",
  payments(
    "p1,d1,i1,2026-01-20,400,UPI,false",
    "p2,d1,i1,2026-01-26,600,cheque,",
    "p3,d1,i2,2026-02-18,2000,NEFT,true",
    "p4,d1,i2,2026-02-21,2000,,",
    "p1,d2,i1,2026-03-13,800,cash,",
    "p5,d1,i3,2026-04-05,500,UPI,",
  ),
  "--as-of",
  "2026-03-31",
];

describe("npm run engine -- features", () => {
  const result = engine("features", ...BOOK);
  const [a, b] = records(result.stdout.trim());

  it("prints the 42 features in their order, one row for every retailer with an invoice in the window", () => {
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(result.stdout.split("\n")[0]).toBe(["retailer_id", ...FEATURE_NAMES].join(","));
    expect(records(result.stdout.trim()).map((row) => row.retailer_id)).toEqual(["A", 'B, and "sons"']);
  });

  it("gives the values worked out by hand", () => {
    // i1 is settled on Jan 26, 10 days late, with two payments; i2 by credit note and payment on Feb 21, 5 days late;
    // i3 falls due 15 days after March 1, d1's usual term by the end of March, and is open: 15 days late.
    expect(a).toMatchObject({
      avg_payment_delay_days: "10",
      wavg_delay_180: String((10 * 100_000 + 5 * 300_050 + 15 * 50_000) / 450_050),
      max_delay_180: "15",
      zero_delay_rate: "0",
      late15_share_180: String(1 / 3),
      partial_payment_freq: String(1 / 3),
      partial_payment_ratio: "1",
      overdue_share: "1",
      oldest_overdue_days: "15",
      bounce_rate_180: "0.25",
      order_gap_median_days: "29.5",
      order_gap_cv: "",
      return_freq_pct: String(100 / 3),
      distributor_count: "1",
      distributor_tenure_months: "2",
      dispute_rate: String(1 / 3),
      recency_days: "30",
      croston_demand_rate: "",
    });
    expect(Number(a!.delay_std_180)).toBeCloseTo(Math.sqrt(50 / 3), 12);
    // d2 states no term: 30 days. Due March 3, paid on March 13, matched to d2's own invoice i1.
    expect(b).toMatchObject({ avg_payment_delay_days: "10", overdue_share: "0", bounce_rate_180: "0" });
  });

  it("does not show the order of the files' rows", () => {
    const turned = (path: string): string => {
      const [header, ...rows] = readFileSync(path, "utf8").trim().split("\n");
      return file([header, ...rows.reverse()].join("\r\n"));
    };
    const args = ["--invoices", turned(BOOK[1]!), "--payments", turned(BOOK[3]!), "--as-of", "2026-03-31"];
    expect(engine("features", ...args).stdout).toBe(result.stdout);
  });

  it("takes the shorter of two equally frequent terms", () => {
    const args = [
      "--invoices",
      invoices(
        "A,d,1,2026-01-01,2026-01-21,1,,,",
        "A,d,2,2026-01-01,2026-01-08,1,,,",
        "A,d,3,2026-01-01,,1,,,",
      ),
      "--payments",
      payments(),
    ];
    const [row] = records(engine("features", ...args, "--as-of", "2026-01-31").stdout.trim());
    expect(Number(row!.avg_payment_delay_days)).toBe((10 + 23 + 23) / 3);
  });

  it("leaves out what the ingestion API would, and counts it on stderr", () => {
    const I = invoices(
      "A,d,1,2026-01-01,2025-12-31,100,,,",
      "A,d,2,2026-01-01,2026-06-30,100,,,",
      "A,d,3,2026-01-01,2026-01-31,100,,,",
    );
    const P = payments("p1,d,3,2025-12-31,100,,", "p2,d,9,2026-01-05,100,,", "p3,e,3,2026-01-05,100,,");
    const left = engine("features", "--invoices", I, "--payments", P, "--as-of", "2026-02-10");
    expect(left.status).toBe(0);
    expect(left.stderr).toBe(
      `${I}: left out: 1 due dates before their invoice or more than 180 days after it\n` +
        `${P}: left out: 1 payments dated before their invoice\n` +
        `${P}: left out: 2 payments that name no invoice of their distributor\n`,
    );
    // Two due on January 31 (invoice 1 by the usual term), unpaid for 10 days; invoice 2 keeps its 180 days.
    expect(records(left.stdout.trim())[0]).toMatchObject({
      avg_payment_delay_days: "10",
      overdue_share: String(2 / 3),
    });
  });

  const GOOD_INVOICE = "A,d,1,2026-01-01,2026-01-31,100,,,";
  const GOOD_PAYMENT = "p1,d,1,2026-01-05,100,,";
  it.each([
    [",d,2,2026-01-01,,100,,,", "column retailer_id: is empty"],
    ["A, ,2,2026-01-01,,100,,,", "column distributor_id: is empty"],
    ["A,d,,2026-01-01,,100,,,", "column invoice_id: is empty"],
    ["A,d,1,2026-01-01,,100,,,", 'column invoice_id: "1" is in row 2 already for the same distributor'],
    ["A,d,2,2026-02-30,,100,,,", 'column invoice_date: "2026-02-30" is not a date'],
    ["A,d,2,01/02/2026,,100,,,", 'column invoice_date: "01/02/2026" is not a date'],
    ["A,d,2,0001-01-01,,100,,,", 'column invoice_date: "0001-01-01" is not a date'],
    ["A,d,2,,,100,,,", 'column invoice_date: "" is not a date'],
    ["A,d,2,2026-01-01,soon,100,,,", 'column due_date: "soon" is not a date'],
    ["A,d,2,2026-01-01,,-100,,,", 'column amount_inr: "-100" is not above 0'],
    ["A,d,2,2026-01-01,,0,,,", 'column amount_inr: "0" is not above 0'],
    ["A,d,2,2026-01-01,,1.005,,,", 'column amount_inr: "1.005" has more than two decimals'],
    ["A,d,2,2026-01-01,,1e15,,,", 'column amount_inr: "1e15" is too large'],
    ["A,d,2,2026-01-01,,NaN,,,", 'column amount_inr: "NaN" is not a number'],
    ["A,d,2,2026-01-01,,,,,", 'column amount_inr: "" is not a number'],
    ['A,d,2,2026-01-01,,"1,000",,,', 'column amount_inr: "1,000" is not a number'],
    ["A,d,2,2026-01-01,,100,yes,,", 'column is_return: "yes" is neither true nor false'],
    ["A,d,2,2026-01-01,,100,,,1", 'column disputed: "1" is neither true nor false'],
  ])("refuses the invoice %j with file, row and column", async (row, message) => {
    const I = invoices(GOOD_INVOICE, row);
    const values = { invoices: I, payments: payments(), "as-of": "2026-01-31" };
    await expect(COMMANDS.features!.run(values)).rejects.toThrow(`${I}: row 3, ${message}`);
  });

  it.each([
    [",d,1,2026-01-05,100,,", "column payment_id: is empty"],
    ["p1,d,1,2026-01-05,100,,", 'column payment_id: "p1" is in row 2 already for the same distributor'],
    ["p2,d,,2026-01-05,100,,", "column invoice_id: is empty"],
    ["p2,d,1,2026-13-05,100,,", 'column paid_date: "2026-13-05" is not a date'],
    ["p2,d,1,2026-01-05,-1,,", 'column amount_paid_inr: "-1" is not above 0'],
    ["p2,d,1,2026-01-05,0.001,,", 'column amount_paid_inr: "0.001" has more than two decimals'],
    ["p2,d,1,2026-01-05,Infinity,,", 'column amount_paid_inr: "Infinity" is not a number'],
    ["p2,d,1,2026-01-05,1,barter,", 'column payment_method: "barter" is none of NEFT'],
    ["p2,d,1,2026-01-05,1,,maybe", 'column bounced: "maybe" is neither true nor false'],
  ])("refuses the payment %j with file, row and column", async (row, message) => {
    const P = payments(GOOD_PAYMENT, row);
    const values = { invoices: invoices(GOOD_INVOICE), payments: P, "as-of": "2026-01-31" };
    await expect(COMMANDS.features!.run(values)).rejects.toThrow(`${P}: row 3, ${message}`);
  });

  it("refuses a retailer whose amounts add up beyond exact sums", async () => {
    const I = invoices("A,d,1,2026-01-01,,500000000000.00,,,", "A,d,2,2026-01-02,,500000000000.00,,,");
    const values = { invoices: I, payments: payments(), "as-of": "2026-01-31" };
    await expect(COMMANDS.features!.run(values)).rejects.toThrow('retailer "A": the statement is refused: ');
    await expect(COMMANDS.score!.run(values)).rejects.toThrow("beyond exact sums");
  });

  it.each([
    ["", "the file is empty"],
    [`${INVOICE_COLUMNS.join(",")},invoice_date\n`, 'row 1: the column "invoice_date" is there twice'],
  ])("refuses the invoice file %j", async (text, message) => {
    const I = file(text);
    const values = { invoices: I, payments: payments(), "as-of": "2026-01-31" };
    await expect(COMMANDS.features!.run(values)).rejects.toThrow(`${I}: ${message}`);
  });

  it("refuses an empty payment file, and prints no row for a book without rows", async () => {
    const args = ["--invoices", invoices(), "--as-of", "2026-01-31", "--payments"];
    expect(engine("features", ...args, payments()).stdout).toBe(`retailer_id,${FEATURE_NAMES.join(",")}\n`);
    const refused = engine("features", ...args, file("", "P.csv"));
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain("P.csv: the file is empty");
  });

  it("refuses files without all columns, and prints nothing", () => {
    const I = file("retailer_id,distributor_id,invoice_id,invoice_date,due_date,amount_inr,is_return\n");
    const refused = engine("features", "--invoices", I, "--payments", payments(), "--as-of", "2026-01-31");
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toBe(`${I}: row 1: the columns are missing: original_invoice_id, disputed\n`);
  });
});

describe("npm run engine -- score", () => {
  const shops = [regularShop("prompt", 0), regularShop("tardy", 45)];
  const I = invoices(...shops.flatMap((shop) => shop.invoices), "new,d2,n,2026-03-20,,100,,,");
  const P = payments(...shops.flatMap((shop) => shop.payments));
  const result = engine("score", "--invoices", I, "--payments", P, "--as-of", "2026-03-31");
  const [fresh, prompt, tardy] = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

  it("prints the body of POST /v1/score, without what only the server knows, for every retailer", () => {
    expect(result).toMatchObject({ status: 0, stderr: "" });
    const spec = JSON.parse(readFileSync(join(PROJECT_ROOT, "docs", "openapi.json"), "utf8"));
    const schema = spec.components.schemas.ScoreAnswer;
    const server_only = ["score_id", "scored_at", "consent", "receipt", "request_id"];
    const fields = schema.required.filter((name: string) => !server_only.includes(name));
    expect(Object.keys(prompt).sort()).toEqual(fields.sort());
    expect(prompt).toMatchObject({
      retailer_id: "prompt",
      risk_band: "A",
      data_freshness_days: 0,
      scoring_route: "primary",
      single_distributor: true,
      data_as_of: "2026-03-31",
    });
    expect(prompt.completeness).toMatchObject({
      score: prompt.completeness_score,
      identity: 100,
      schema: 100,
    });
    expect(tardy).toMatchObject({ retailer_id: "tardy" });
    expect(tardy.altscore).toBeLessThan(prompt.altscore);
  });

  it("refuses a champion that is not the registered one", () => {
    const models = join(PROJECT_ROOT, "models");
    cpSync(join(models, "champion.meta.json"), join(dir, "champion.meta.json"));
    expect(() => shippedChampion(dir)).toThrow(`no file ${join(dir, "champion.xgb")}`);
    writeFileSync(join(dir, "champion.xgb"), `${readFileSync(join(models, "champion.xgb"), "utf8")} `);
    expect(() => shippedChampion(dir)).toThrow(/champion\.xgb: the model's SHA-256 is \w{64}, registered is/);
  });

  it("says why a retailer has no score", () => {
    expect(fresh).toEqual({
      retailer_id: "new",
      error_code: "DATA_INSUFFICIENT",
      // 30 % of three quarters of the fields (no due date), identity and schema.
      completeness: { score: 42.5, invoice: 75, payment: 0, temporal: 0, identity: 100, schema: 100 },
    });
  });
});

describe("the engine's command line", () => {
  it("explains itself and every command with --help", () => {
    const overview = engine("--help");
    expect(overview).toMatchObject({ status: 0, stderr: "" });
    for (const name of ["model", "features", "score", "explain"]) {
      expect(overview.stdout).toContain(`  ${name}`);
      const help = engine(name, "--help");
      expect(help).toMatchObject({ status: 0, stderr: "" });
      expect(help.stdout).toContain(`npm run -s engine -- ${name} `);
    }
  });

  it.each([
    ["", "Usage:"],
    ["predict", "no command predict"],
    ["model --model M.json", "model needs --rows"],
    ["model --bogus", "--bogus"],
    ["features", "features needs --invoices, --payments, --as-of"],
    ["score I.csv", "I.csv"],
    ["explain", "explain needs one SCORE.json"],
    ["explain a.json b.json", "explain needs one SCORE.json"],
    ["explain a.json --lang ta", "--lang takes en or hi, not ta"],
    ["score --invoices I --payments P --as-of 2026-02-29", "--as-of takes a date (YYYY-MM-DD)"],
  ])("refuses `%s` with exit code 2", (line, message) => {
    const result = engine(...line.split(" ").filter((word) => word !== ""));
    expect(result).toMatchObject({ status: 2, stdout: "" });
    expect(result.stderr).toContain(message);
  });

  it("takes 100,000 invoices of one retailer in under 10 s", () => {
    const start = isoToDay("2023-04-01");
    const rows = Array.from({ length: 100_000 }, (_, i) => {
      const day = start + (i % 1_090);
      return [
        `A,d,${i},${dayToIso(day)},${dayToIso(day + 30)},100,,,`,
        `${i},d,${i},${dayToIso(day + 20)},100,UPI,`,
      ];
    });
    const I = invoices(...rows.map((row) => row[0]!));
    const P = payments(...rows.map((row) => row[1]!));
    const started = performance.now();
    const result = engine("features", "--invoices", I, "--payments", P, "--as-of", "2026-03-31");
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(records(result.stdout.trim())).toHaveLength(1);
  });
});

describe("the features of one retailer", () => {
  it("take time in proportion to its invoices: 100,000 in under 2 s, twice as many in little over twice that", () => {
    const seconds = (invoices_count: number): number => {
      const given = largeStatement(invoices_count);
      const started = performance.now();
      expect(computeFeatures(given, isoToDay("2026-03-31"))).not.toBeNull();
      return (performance.now() - started) / 1_000;
    };
    seconds(10_000);
    const once = seconds(100_000);
    expect(once).toBeLessThan(2);
    expect(seconds(200_000)).toBeLessThan(5 * Math.max(once, 0.1));
  });
});

/** One retailer's invoices over three years in no order, each paid. */
function largeStatement(invoices_count: number): Statement {
  const end = isoToDay("2026-03-31");
  const distributor_id = "d";
  const ids = Array.from({ length: invoices_count }, (_, i) => (i * 7_919) % invoices_count);
  return {
    retailer_id: "A",
    sources: [],
    identity_verified: true,
    invoices: ids.map((i) => ({
      distributor_id,
      invoice_id: `i${i}`,
      invoice_day: end - (i % 1_090),
      due_day: end - (i % 1_090) + 30,
      amount_paise: 10_000 + i,
      is_return: false,
      original_invoice_id: null,
      disputed: false,
    })),
    payments: ids.map((i) => ({
      distributor_id,
      payment_id: `p${i}`,
      invoice_id: `i${i}`,
      paid_day: end - (i % 1_090) + 20,
      amount_paise: 10_000 + i,
      bounced: false,
    })),
  };
}

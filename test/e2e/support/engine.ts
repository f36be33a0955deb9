import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CsvSplitter } from "../../../scripts/lib/csv.ts";
import { PROJECT_ROOT } from "../../../scripts/runtime/layout.ts";
import { dayToIso, isoToDay } from "../../../src/lib/days.ts";
import { newStateDir } from "./server.ts";

/** Runs `npm run engine` as its users do, without npm. */
export function engine(...args: string[]): SpawnSyncReturns<string> {
  const options = { cwd: PROJECT_ROOT, encoding: "utf8", maxBuffer: 1 << 26 } as const;
  return spawnSync(process.execPath, ["scripts/engine.ts", ...args], options);
}

const INVOICE_HEADER =
  "retailer_id,distributor_id,invoice_id,invoice_date,due_date,amount_inr,is_return,original_invoice_id,disputed";
const PAYMENT_HEADER =
  "payment_id,distributor_id,invoice_id,paid_date,amount_paid_inr,payment_method,bounced";

/** A folder of input files; every function that writes one returns its path. */
export function newInputs() {
  const folder = newStateDir();
  let files = 0;
  const file = (text: string | Uint8Array, name = "file.csv"): string => {
    const path = join(folder.dir, `${++files}-${name}`);
    writeFileSync(path, text);
    return path;
  };
  return {
    dir: folder.dir,
    remove: folder.remove,
    file,
    invoices: (...rows: string[]): string => file([INVOICE_HEADER, ...rows, ""].join("\n"), "I.csv"),
    payments: (...rows: string[]): string => file([PAYMENT_HEADER, ...rows, ""].join("\n"), "P.csv"),
  };
}

/** Orders twice a week up to 2026-03-31, each paid `late_days` after its due day (null: never paid). */
export function regularShop(
  id: string,
  late_days: number | null,
  known_days = 730,
): { invoices: string[]; payments: string[] } {
  const shop = { invoices: [] as string[], payments: [] as string[] };
  const end = isoToDay("2026-03-31");
  for (let day = end - known_days, i = 0; day <= end; day += 3 + (i % 2), i++) {
    const amount = 9000 + 10 * (i % 7);
    shop.invoices.push(`${id},d1,${id}-${i},${dayToIso(day)},${dayToIso(day + 14)},${amount},,,`);
    if (late_days === null || day + 14 + late_days > end) continue;
    shop.payments.push(`${id}-${i},d1,${id}-${i},${dayToIso(day + 14 + late_days)},${amount},UPI,`);
  }
  return shop;
}

/** The records of a CSV text. */
export function records(text: string): Record<string, string>[] {
  const splitter = new CsvSplitter();
  const [header, ...rows] = [...splitter.push(text), ...splitter.end()];
  return rows.map(({ cells }) => Object.fromEntries(header!.cells.map((name, i) => [name, cells[i]!])));
}

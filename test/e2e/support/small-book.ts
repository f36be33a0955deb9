import { dayToIso, isoToDay } from "../../../src/lib/days.ts";

export const IBM_HEADER =
  "countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate";

/** An IBM-style book: each customer's invoices run weekly over a year and are settled `delay` days after they are due. */
export function smallBook(delays: Record<string, number>): string {
  const first = isoToDay("2013-01-01");
  const rows = Object.entries(delays).flatMap(([customer, delay], c) =>
    Array.from({ length: 50 }, (_, i) => {
      const day = first + 7 * i;
      const dates = [day, day + 30, day + 30 + delay].map(dayToIso);
      return `391,${customer},2012-01-01,${c}${String(i).padStart(4, "0")},${dates[0]},${dates[1]},${(5000 + 137 * i).toFixed(2)},No,${dates[2]}`;
    }),
  );
  return `${IBM_HEADER}\n${rows.join("\n")}\n`;
}

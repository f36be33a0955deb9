import { convertV4MiniflareOptions, Miniflare } from "miniflare";

/**
 * The yardstick for a batch: a Durable Object that puts the same rows into one table by
 * `INSERT ... SELECT FROM json_each` and does nothing else.
 */
const SCRIPT = `
import { DurableObject } from "cloudflare:workers";
export class Bare extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY, ref TEXT, a TEXT, b TEXT, amount REAL, flag INTEGER)");
  }
  insert(text) {
    this.ctx.storage.sql.exec(
      "INSERT INTO rows SELECT coalesce(value->>'$.invoice_id', '') || coalesce(value->>'$.payment_id', ''), value->>'$.retailer_gst', value->>'$.invoice_date', value->>'$.due_date', value->>'$.amount_inr', 0 FROM json_each(?)",
      text,
    );
  }
}
export default {
  async fetch(request, env) {
    const body = await request.json();
    await env.BARE.get(env.BARE.idFromName("one")).insert(JSON.stringify([...body.invoices, ...body.payments]));
    return Response.json({ ok: true }, { status: 202 });
  },
};
`;

/** Starts the yardstick on its own workerd; `data_dir` keeps its SQLite file on disk, as the Worker's own. */
export async function startBareInsert(data_dir: string): Promise<{ port: number; mf: Miniflare }> {
  const mf = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      resourcePersistencePath: data_dir,
      telemetry: { enabled: false },
      workers: [
        {
          name: "bare",
          compatibilityDate: "2026-08-01",
          modules: [{ type: "ESModule", path: "bare.js", contents: SCRIPT }],
          durableObjects: { BARE: { className: "Bare", useSQLite: true } },
        },
      ],
    }),
  );
  const url = await mf.ready;
  return { port: Number(url.port), mf };
}

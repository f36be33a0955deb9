import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { chainProblem } from "../../src/audit/chain.ts";
import { askAs, askScore, codeOf, ingest, ledgerBody, seedScene } from "../support/scene.ts";

type Stub = Parameters<typeof runInDurableObject>[0];

/** Lets every write of an audit row fail. */
function breakAudit(object: Stub, table: "access_log" | "audit_log"): Promise<void> {
  return runInDurableObject(object, (_instance, state) => {
    state.storage.sql.exec(
      `CREATE TRIGGER broken BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'disk full'); END`,
    );
  });
}

function repair(object: Stub): Promise<void> {
  return runInDurableObject(object, (_instance, state) => {
    state.storage.sql.exec("DROP TRIGGER broken");
  });
}

describe("what cannot be recorded does not happen", () => {
  it("no score, no history and no look-up without a row in the lender's access log", async () => {
    const { lender, retailer_id, gstin } = await seedScene();
    const gate = env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender.lender_id));
    const request = { retailer_id, purpose: "term_loan", requested_limit_inr: 10_000 };
    await breakAudit(gate, "access_log");
    const answers = await Promise.all([
      askScore(lender, request),
      askAs(lender, `/v1/score/${retailer_id}/history`),
      askAs(lender, `/v1/retailers/lookup?gst=${gstin}`),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      const text = await answer.text();
      expect(JSON.parse(text).error_code).toBe("SERVICE_UNAVAILABLE");
      expect(text).not.toMatch(/altscore"|history"|ret_/);
    }
    await repair(gate);
    expect((await askScore(lender, request)).status).toBe(200);
    const rows = await gate.accessLog(1);
    expect(rows).toHaveLength(1);
    expect(chainProblem(rows)).toBeNull();
  });

  it("no batch without a row in the ledger's audit stream: nothing of it is stored, and it can be sent again", async () => {
    const { distributor, gstin } = await seedScene();
    const ledger = env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(distributor.distributor_id));
    const batches = () =>
      runInDurableObject(ledger, (_instance, state) =>
        state.storage.sql.exec("SELECT count(*) AS batches FROM batches").one(),
      );
    await breakAudit(ledger, "audit_log");
    const body = ledgerBody(distributor.distributor_id, gstin);
    const refused = await ingest(distributor, body);
    expect([refused.status, await codeOf(refused)]).toEqual([503, "SERVICE_UNAVAILABLE"]);
    expect(await batches()).toEqual({ batches: 1 });
    await repair(ledger);
    expect((await ingest(distributor, body)).status).toBe(202);
    expect(await batches()).toEqual({ batches: 2 });
    const rows = await ledger.auditRows(0);
    expect(rows).toHaveLength(2);
    expect(chainProblem(rows)).toBeNull();
  });
});

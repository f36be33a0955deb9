import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { describe, expect, it } from "vitest";
import { contentOf } from "../../src/audit/chain.ts";
import { appendAudit } from "../../src/audit/log.ts";
import { accessStream, ledgerStream } from "../../src/audit/rows.ts";
import { accessesOf, auditEventsPage, storeRows } from "../../src/audit/store.ts";
import type { Env } from "../../src/env.ts";
import { newEvent } from "../../src/events/envelope.ts";
import { outbox } from "../../src/events/tables.ts";
import type { EventEnvelope } from "../../src/events/types.ts";
import { newId } from "../../src/lib/seams.ts";
import { registerModel, retireModel } from "../../src/models/lifecycle.ts";
import { handleEvent } from "../../src/pipeline/consumers.ts";
import { otherModel } from "../models/support.ts";
import { askAs, askScore, revoke, seedScene } from "../support/scene.ts";
import { entry, streamOf } from "./support.ts";

const logs = Array.from("0123456789abcdef", (digit) =>
  env.AUDIT_LOG.get(env.AUDIT_LOG.idFromName(`events:${digit}`)),
);

/** Copies what all streams of the audit log have to D1. */
async function flush(): Promise<void> {
  await Promise.all(logs.map((log) => runDurableObjectAlarm(log)));
}

/** The audit log out of order, with the stores as they are. */
function withoutAudit(): Env {
  const AUDIT_LOG = {
    idFromName: () => "",
    get: () => ({ append: () => Promise.reject(new Error("audit is down")) }),
  };
  return { ...env, AUDIT_LOG } as unknown as Env;
}

describe("appendAudit", () => {
  it("keeps what is about one subject in one stream, in order, and finds it again by the subject", async () => {
    const subject = newId("grv");
    await appendAudit(env, entry({ subject, outcome: "open" }));
    await appendAudit(env, [entry({ subject, type: "grievance.resolved", outcome: "resolved" }), entry()]);
    await flush();
    const { events, next } = await auditEventsPage(env, { subject });
    expect(events.map((event) => event.outcome)).toEqual(["resolved", "open"]);
    expect(new Set(events.map((event) => event.stream)).size).toBe(1);
    expect(next).toBeNull();
  });

  it("throws if an entry could not be written", async () => {
    await expect(appendAudit(withoutAudit(), entry())).rejects.toThrow("audit is down");
  });
});

describe("consent events", () => {
  it("have one entry each, though they are delivered three times", async () => {
    const retailer_id = newId("ret");
    const event = newEvent("consent.revoked", retailer_id, {
      retailer_id,
      consent_ids: ["cns_a", "cns_b"],
      lender_ids: ["lender_a"],
    });
    await Promise.all([handleEvent(env, event), handleEvent(env, event)]);
    await handleEvent(env, event);
    await flush();
    const { events } = await auditEventsPage(env, { subject: retailer_id });
    expect(events).toHaveLength(1);
    expect(contentOf(events[0]!)).toMatchObject({
      type: "consent.revoked",
      actor: { kind: "retailer", id: retailer_id },
      details: {
        event_id: event.id,
        occurred_at: event.time,
        consent_ids: "cns_a cns_b",
        lender_ids: "lender_a",
      },
    });
  });

  it("of a hundred lenders fit into a row", async () => {
    const retailer_id = newId("ret");
    const lender_ids = Array.from({ length: 100 }, (_, index) => `lender_${"x".repeat(60)}${index}`);
    const event = newEvent("consent.revoked", retailer_id, { retailer_id, consent_ids: [], lender_ids });
    await handleEvent(env, event);
    await flush();
    const { events } = await auditEventsPage(env, { subject: retailer_id });
    expect(events[0]?.canonical).toContain("x19 and 80 more");
  });

  it("take effect while the audit is down, and get their entry when it is back", async () => {
    const { lender, service, retailer_id } = await seedScene();
    expect((await revoke(service, { retailer_id })).status).toBe(200);
    const row = await env.DB.prepare("SELECT envelope FROM outbox WHERE envelope LIKE ?")
      .bind(`%consent.revoked%${retailer_id}%`)
      .first<{ envelope: string }>();
    const event = JSON.parse(row?.envelope ?? "");
    await expect(handleEvent(withoutAudit(), event)).rejects.toThrow("audit is down");
    const answer = await askScore(lender, {
      retailer_id,
      purpose: "term_loan",
      requested_limit_inr: 10_000,
    });
    expect(answer.status).toBe(403);
    const left = await env.DB.prepare("SELECT 1 FROM outbox WHERE event_id = ?").bind(event.id).first();
    expect(left).not.toBeNull();
    await handleEvent(env, event);
    await flush();
    const { events } = await auditEventsPage(env, { subject: retailer_id, type: "consent.revoked" });
    expect(events).toHaveLength(1);
  });

  it("have their entry although their work fails", async () => {
    const retailer_id = newId("ret");
    const event = newEvent("consent.granted", retailer_id, { retailer_id, consent_ids: [], lender_ids: [] });
    const DISTRIBUTOR_LEDGER = null;
    const KV = null;
    const SCORING = null;
    await handleEvent({ ...env, DISTRIBUTOR_LEDGER, KV, SCORING } as unknown as Env, event).catch(() => {});
    await flush();
    expect((await auditEventsPage(env, { subject: retailer_id })).events).toHaveLength(1);
  });
});

describe("a change of a model's status", () => {
  it("is in the log once, with who made it and why, however often its event is delivered", async () => {
    const { artefact, card } = otherModel(0.25);
    const { model_id } = card;
    await registerModel(env, { artefact, card, by: "Asha Rao" });
    await retireModel(env, { model_id, by: "Asha Rao", reason: "drill" });
    const rows = await drizzle(env.DB).select().from(outbox);
    const told = rows.map((row) => JSON.parse(row.envelope) as EventEnvelope);
    for (const event of told.filter(({ subject }) => subject === model_id)) {
      await handleEvent(env, event);
      await handleEvent(env, event);
    }
    await flush();
    const { events } = await auditEventsPage(env, { subject: model_id });
    expect(events.map((event) => event.outcome).sort()).toEqual(["challenger", "retired"]);
    expect(contentOf(events.find((event) => event.outcome === "retired")!)).toMatchObject({
      type: "model.changed",
      actor: { kind: "system", id: "Asha Rao" },
      details: { from_status: "challenger", reason: "drill" },
    });
  });
});

describe("an ingested batch", () => {
  it("stands in its ledger's stream with what became of its records", async () => {
    const { distributor } = await seedScene();
    const { distributor_id } = distributor;
    await runDurableObjectAlarm(
      env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(distributor_id)),
    );
    const { events } = await auditEventsPage(env, { stream: ledgerStream(distributor_id) });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      seq: 1,
      type: "ingestion.accepted",
      actor_id: distributor_id,
      outcome: "processing",
    });
    expect(events[0]?.subject).toMatch(/^bat_/);
    expect(contentOf(events[0]!)).toMatchObject({ details: { quarantined: 0, duplicates: 0 } });
  });
});

describe("the access list of a retailer", () => {
  it("says which lender asked when, for what, and what came of it; nobody else's", async () => {
    const { lender, retailer_id } = await seedScene();
    const other = await seedScene();
    const request = { retailer_id, purpose: "term_loan", requested_limit_inr: 10_000 };
    expect((await askScore(lender, request)).status).toBe(200);
    expect((await askScore(other.lender, request)).status).toBe(403);
    expect((await askAs(lender, `/v1/score/${retailer_id}/history`)).status).toBe(200);
    for (const { lender_id } of [lender, other.lender]) {
      await runDurableObjectAlarm(env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id)));
    }
    const { events } = await accessesOf(env, [retailer_id]);
    const at = expect.stringMatching(/Z$/);
    expect(events).toHaveLength(3);
    expect(events).toEqual(
      expect.arrayContaining([
        { lender_id: lender.lender_id, at, route: "history", outcome: "OK", purpose: null },
        {
          lender_id: other.lender.lender_id,
          at,
          route: "score",
          outcome: "CONSENT_NOT_GRANTED",
          purpose: "term_loan",
        },
        { lender_id: lender.lender_id, at, route: "score", outcome: "OK", purpose: "term_loan" },
      ]),
    );
    const { events: rows } = await auditEventsPage(env, { stream: accessStream(lender.lender_id) });
    expect(rows.map((row) => row.type)).toEqual(["access.history", "access.score"]);
  });
});

describe("a query", () => {
  it("gives every row once over its pages, newest first, and takes no cursor that is none", async () => {
    const stream = "events:pages";
    await storeRows(
      env,
      stream,
      streamOf(
        stream,
        Array.from({ length: 250 }, (_, index) => String(index)),
      ),
    );
    const seqs: number[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof auditEventsPage>> = await auditEventsPage(
        env,
        { stream },
        cursor,
      );
      seqs.push(...page.events.map((event) => event.seq));
      cursor = page.next;
    } while (cursor !== null);
    expect(seqs).toEqual(Array.from({ length: 250 }, (_, index) => 250 - index));
    await expect(auditEventsPage(env, { stream }, "x")).rejects.toThrow(RangeError);
  });

  it("takes times, type, actor and subject together", async () => {
    const stream = "events:filter";
    await storeRows(env, stream, streamOf(stream, ["a"]));
    const at = "2026-11-20T12:00:00.000Z";
    const actor_id = "client_0123456789abcdef";
    const found = async (filter: object) => (await auditEventsPage(env, { stream, ...filter })).events.length;
    expect(await found({ from: at, type: "grievance.filed", actor_id })).toBe(1);
    expect(await found({ until: at })).toBe(0);
    expect(await found({ actor_id: "client_ffffffffffffffff" })).toBe(0);
    expect(await found({ subject: "grv_ffffffffffffffff" })).toBe(0);
  });
});

import { createExecutionContext, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import type { Env } from "../../src/env.ts";
import { newUuid } from "../../src/lib/seams.ts";
import { publishNotice } from "../../src/parties/provisioning.ts";
import { scoreRetailers } from "../../src/pipeline/score-retailer.ts";
import { madeUpGstin } from "../../src/synthetic/gstin.ts";
import { bearerHeaders, seedLender, type TestLender } from "../support/auth.ts";
import { ingest, ledgerBody, retailerOf, type Scene, seedScene } from "../support/scene.ts";
import { grantFor, NOTICE, NOTICE_TEXT_HI } from "./support.ts";

const RETAILERS = 10;
const LENDERS = 20;
/** Each round ends the consent of every lender and retailer once: 200 acts. */
const REVOKING_ROUNDS = 5;
const PAUSED_LENDERS = 5;
const MAX_DELAY_MS = 20;

let scene: Scene;
let retailer_ids: string[];
let lenders: TestLender[];
let headers: Map<string, Record<string, string>>;
let service_headers: Record<string, string>;

beforeAll(async () => {
  scene = await seedScene();
  const { distributor } = scene;
  retailer_ids = [scene.retailer_id];
  while (retailer_ids.length < RETAILERS) {
    const gstin = madeUpGstin(newUuid());
    await ingest(distributor, ledgerBody(distributor.distributor_id, gstin));
    retailer_ids.push(await retailerOf(gstin));
  }
  lenders = [];
  while (lenders.length < LENDERS) {
    lenders.push(await seedLender({ score_per_minute: 1_000_000, score_per_day: 1_000_000 }));
  }
  const all = await Promise.all(
    lenders.map(async (lender) => [lender.lender_id, await bearerHeaders(lender)] as const),
  );
  headers = new Map(all);
  service_headers = await bearerHeaders(scene.service);
  await publishNotice(env, { ...NOTICE, language: "hi", text: NOTICE_TEXT_HI });
}, 60_000);

/** A KV that never hears of a revocation: what was cached stays. */
const deaf: KVNamespace = new Proxy(env.KV, {
  get: (kv, name: keyof KVNamespace) =>
    name === "delete" ? async () => {} : (kv[name] as () => void).bind(kv),
});

/** D1 as it is read from afar: one answer in four is old by up to 20 ms when it arrives. */
function late(statement: D1PreparedStatement): D1PreparedStatement {
  return new Proxy(statement, {
    get(target, name: keyof D1PreparedStatement) {
      if (name === "bind") return (...values: unknown[]) => late(target.bind(...values));
      return async (...args: []) => {
        const answer = await (target[name] as (...args: []) => Promise<unknown>)(...args);
        if (Math.random() < 0.25) await scheduler.wait(Math.random() * MAX_DELAY_MS);
        return answer;
      };
    },
  });
}
const far: D1Database = new Proxy(env.DB, {
  get: (db, name: keyof D1Database) =>
    name === "prepare" ? (query: string) => late(db.prepare(query)) : (db[name] as () => void).bind(db),
});

/** The events' consumer would tell the gates once more: here the answer alone has to hold. */
const EVENTS = { sendBatch: async () => {} } as unknown as Env["EVENTS"];

async function send(
  path: string,
  with_headers: Record<string, string>,
  body: object,
  bindings: Env,
): Promise<{ status: number; body: unknown }> {
  const init = { method: "POST", headers: with_headers, body: JSON.stringify(body) };
  const request = new Request(`https://api.altscore.in${path}`, init);
  const response = await app.fetch(request, bindings, createExecutionContext());
  return { status: response.status, body: await response.json() };
}

interface Consent {
  lender_id: string;
  consent_id: string;
}

interface Tally {
  ended: number;
  given_before: number;
  given_after: number;
  refused_after: number;
}

/** Ends one consent with questions before, during and after the answer, and a gate that loses its memory. */
async function endOne(path: string, retailer_id: string, consent: Consent, tally: Tally): Promise<void> {
  const { lender_id, consent_id } = consent;
  const request = { retailer_id, purpose: "working_capital_loan" };
  const mine = headers.get(lender_id) as Record<string, string>;
  const ask = async () =>
    (await send("/v1/score", mine, request, { ...env, EVENTS, KV: deaf, DB: far })).status;
  const end = () => send(path, service_headers, { consent_id }, { ...env, EVENTS, KV: deaf });
  const gate = env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id));
  const before = await ask();
  const during = ask();
  const turn = tally.ended++;
  if (turn % 16 === 0) await evictDurableObject(gate);
  // A gate that is evicted in this moment makes it 503: nothing was answered, so it is sent again.
  while ((await end()).status !== 200);
  if (turn % 16 === 8) await evictDurableObject(gate);
  const after = await ask();
  await during;
  tally.given_before += Number(before === 200);
  tally.given_after += Number(after === 200);
  tally.refused_after += Number(after === 403);
}

/** Grants every retailer's consent to the lenders and ends them one by one, the retailers side by side. */
async function run(path: string, rounds: number, lender_scope: string[]): Promise<Tally> {
  const tally: Tally = { ended: 0, given_before: 0, given_after: 0, refused_after: 0 };
  const { distributor_id } = scene.distributor;
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      retailer_ids.map(async (retailer_id, index) => {
        const act = grantFor({ distributor_id }, { retailer_id, lender_scope });
        const granted = await send("/v1/consent/grant", service_headers, act, { ...env, EVENTS });
        const { consents } = granted.body as { consents: Consent[] };
        if (round === 0) await scoreRetailers(env, [retailer_id]);
        // Each retailer begins with another lender, so that the gates are shared out.
        const first = (index * 2) % consents.length;
        for (const consent of [...consents.slice(first), ...consents.slice(0, first)]) {
          await endOne(path, retailer_id, consent, tally);
        }
      }),
    );
  }
  return tally;
}

/** How often the gates alone stood between a stale cache and the score. */
async function deniedAtGates(): Promise<number> {
  const counts = await Promise.all(
    lenders.map(({ lender_id }) =>
      runInDurableObject(env.LENDER_GATE.get(env.LENDER_GATE.idFromName(lender_id)), (_gate, { storage }) => {
        const denied = "SELECT count(*) AS n FROM access_log WHERE canonical LIKE '%\"denied_at_gate\"%'";
        return storage.sql.exec<{ n: number }>(denied).one().n;
      }),
    ),
  );
  return counts.reduce((a, b) => a + b, 0);
}

describe("scores given after the answer", () => {
  it("to 1,000 revocations, under traffic, with stale caches, a late D1 and gates that forget: none", async () => {
    const { ended, given_before, given_after, refused_after } = await run(
      "/v1/consent/revoke",
      REVOKING_ROUNDS,
      lenders.map(({ lender_id }) => lender_id),
    );
    expect({ ended, given_before, given_after }).toEqual({
      ended: 1_000,
      given_before: 1_000,
      given_after: 0,
    });
    expect(refused_after).toBe(1_000);
    // The caches were stale indeed: it is the gates that refused.
    expect(await deniedAtGates()).toBeGreaterThanOrEqual(1_000);
  }, 120_000);

  it("to 50 pauses: none", async () => {
    const tally = await run(
      "/v1/consent/pause",
      1,
      lenders.slice(0, PAUSED_LENDERS).map(({ lender_id }) => lender_id),
    );
    expect(tally).toMatchObject({ ended: 50, given_before: 50, given_after: 0, refused_after: 50 });
  }, 120_000);
});

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { issueToken } from "../../src/auth/tokens.ts";
import { recordRevocation } from "../../src/consent/service.ts";
import { grievanceRouter } from "../../src/grievance/routes.ts";
import { newId } from "../../src/lib/seams.ts";
import { revokeClient } from "../../src/parties/provisioning.ts";
import { absorb, granted, newRetailer, type Parties, seedParties } from "../consent/support.ts";
import { appWith, callApp } from "../support/app.ts";
import { seedService } from "../support/auth.ts";
import { revoke, seedScene } from "../support/scene.ts";
import {
  call,
  complaint,
  eventsOf,
  filed,
  filers,
  keepEvents,
  refused,
  seen,
  take,
  workers,
} from "./support.ts";

beforeAll(keepEvents);

let parties: Parties;
beforeAll(async () => {
  parties = await seedParties();
});

const ID = "grv_0123456789abcdef";
const ROUTES = [
  ["POST", "/v1/grievances"],
  ["GET", `/v1/grievances/${ID}`],
  ["GET", `/v1/grievances/${ID}/explanation`],
  ["POST", `/v1/grievances/${ID}/acknowledge`],
  ["POST", `/v1/grievances/${ID}/review`],
  ["POST", `/v1/grievances/${ID}/resolve`],
  ["POST", `/v1/grievances/${ID}/reject`],
] as const;

describe.each(ROUTES)("%s %s", (method, path) => {
  it("is closed without a token, to other scopes and to a revoked client", async () => {
    const app = appWith(grievanceRouter);
    const anonymous = callApp(app, path, { method });
    expect(await refused(anonymous)).toEqual([401, "TOKEN_MISSING"]);

    const other = await seedService("consent:read consent:write rights:read rights:write");
    expect(await refused(call(other, method, path))).toEqual([403, "SCOPE_INSUFFICIENT"]);

    const { lender_id, client_id } = parties.lenders[0];
    const token = await issueToken(env, { subject: lender_id, client_id, scope: "score:read" });
    const headers = { Authorization: `Bearer ${token}`, "X-Client-ID": lender_id };
    expect(await refused(callApp(app, path, { method, headers }))).toEqual([403, "SCOPE_INSUFFICIENT"]);

    const gone = await seedService("grievance:write grievance:work");
    await revokeClient(env, { client_id: gone.client_id });
    expect(await refused(call(gone, method, path))).toEqual([401, "TOKEN_REVOKED"]);
  });
});

describe("the steps", () => {
  it("are closed to those who only file: to lenders and to services", async () => {
    const { retailer_id } = await granted(parties);
    const [lender] = parties.lenders;
    const service = await filers();
    for (const client of [lender, service]) {
      const { grievance_id } = await filed(client, retailer_id);
      for (const step of ["acknowledge", "review", "resolve", "reject"]) {
        expect(await refused(take(client as never, grievance_id, step))).toEqual([403, "SCOPE_INSUFFICIENT"]);
      }
      expect((await seen(client, grievance_id)).status).toBe("open");
    }
  });
});

describe("a lender that may not see a retailer", () => {
  it("gets one and the same 403, whatever the reason, and leaves nothing behind", async () => {
    const [lender, other] = parties.lenders;
    const elsewhere = await granted(parties, { lender_scope: [other.lender_id] });
    const revoked = await granted(parties);
    await recordRevocation(env, { consent_id: revoked.consent_id }, parties.service.client_id);
    const soon = new Date(Date.now() + 1_000).toISOString();
    const expired = await granted(parties, { expires_at: soon });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 });
    const named = [
      newId("ret"),
      await newRetailer(),
      elsewhere.retailer_id,
      revoked.retailer_id,
      expired.retailer_id,
    ];
    const answers = await Promise.all(
      named.map(async (retailer_id) => {
        // A score_id that is not the retailer's must not come to light either.
        const body = complaint(retailer_id, { score_id: newId("scr") });
        const response = await call(lender, "POST", "/v1/grievances", body);
        const { request_id: _, ...problem } = (await response.json()) as Record<string, unknown>;
        const headers = [...response.headers].filter(([name]) => name !== "x-request-id");
        return { status: response.status, problem, headers };
      }),
    );
    vi.useRealTimers();
    expect(answers[0]).toMatchObject({ status: 403, problem: { error_code: "CONSENT_NOT_GRANTED" } });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    for (const retailer_id of named) expect(await eventsOf("grievance.filed", retailer_id)).toEqual([]);
  });
});

describe("a grievance", () => {
  it("of lender A is as unknown as none to lender B and to services that did not file it", async () => {
    const [a, b] = parties.lenders;
    const { retailer_id } = await granted(parties, { lender_scope: [a.lender_id, b.lender_id] });
    const { grievance_id } = await filed(a, retailer_id);
    const problem = async (client: Parameters<typeof call>[0], path: string) => {
      const response = await call(client, "GET", path);
      const { request_id: _, ...rest } = (await response.json()) as Record<string, unknown>;
      return [response.status, rest];
    };
    for (const client of [b, await filers()]) {
      for (const path of ["", "/explanation"]) {
        const hidden = await problem(client, `/v1/grievances/${grievance_id}${path}`);
        expect(hidden[0]).toBe(404);
        expect(hidden).toEqual(await problem(client, `/v1/grievances/${newId("grv")}${path}`));
        expect(hidden).toEqual(await problem(client, `/v1/grievances/grv_x${path}`));
      }
    }
  });

  it("of one service is hidden from another, and open to those who work grievances", async () => {
    const service = await filers();
    const { grievance_id } = await filed(service, await newRetailer());
    expect((await call(await filers(), "GET", `/v1/grievances/${grievance_id}`)).status).toBe(404);
    expect((await seen(await workers(), grievance_id)).work?.steps).toHaveLength(1);
    expect(await seen(service, grievance_id)).not.toHaveProperty("work");
  });

  it("of a retailer is worked under the one that absorbed it", async () => {
    const alias = await newRetailer();
    const { grievance_id } = await filed(await filers(), alias);
    const retailer_id = await absorb(alias);
    expect((await seen(await workers(), grievance_id)).work?.retailer_id).toBe(retailer_id);
  });
});

describe("an explanation", () => {
  it("needs a consent at that moment: after a revocation a lender gets the uniform 403", async () => {
    const scene = await seedScene();
    const { grievance_id } = await filed(scene.lender, scene.retailer_id);
    const path = `/v1/grievances/${grievance_id}/explanation`;
    expect((await call(scene.lender, "GET", path)).status).toBe(200);
    expect((await revoke(scene.service, { consent_id: scene.consent_id })).status).toBe(200);
    expect(await refused(call(scene.lender, "GET", path))).toEqual([403, "CONSENT_NOT_GRANTED"]);
    // The grievance itself stays the lender's own.
    expect((await seen(scene.lender, grievance_id)).status).toBe("open");
  });
});

describe("what is logged", () => {
  it("holds nothing of the words or the phone", async () => {
    const lines: string[] = [];
    for (const method of ["log", "error", "warn", "info"] as const) {
      vi.spyOn(console, method).mockImplementation((...parts) => void lines.push(parts.join(" ")));
    }
    const service = await filers();
    const worker = await workers();
    const body = { description: "secret-description", contact_phone_hash: "ab".repeat(32) };
    const { grievance_id } = await filed(service, await newRetailer(), body);
    await take(worker, grievance_id, "acknowledge", { note: "secret-note" });
    await take(worker, grievance_id, "acknowledge", { note: "secret-note" });
    vi.restoreAllMocks();
    const events = await eventsOf("audit_event", grievance_id);
    expect(events).toHaveLength(2);
    expect(JSON.stringify([lines, events])).not.toMatch(/secret|abababab/);
  });
});

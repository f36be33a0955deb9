import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { revokeClient } from "../../src/parties/provisioning.ts";
import { rightsRouter } from "../../src/rights/routes.ts";
import { rightsDecisions, rightsRequests } from "../../src/rights/tables.ts";
import { newPhoneHash } from "../consent/support.ts";
import { answered, call, eventsOf, keepEvents, newRetailer, refused, workers } from "../grievance/support.ts";
import { appWith, callApp } from "../support/app.ts";
import { seedLender, seedService } from "../support/auth.ts";

beforeAll(keepEvents);

const ROUTES = [
  ["GET", "summary", "rights:read"],
  ["GET", "accesses", "rights:read"],
  ["GET", "corrections", "rights:read"],
  ["POST", "corrections", "rights:write"],
  ["POST", "corrections/cor_0123456789abcdef/decide", "grievance:work"],
  ["GET", "requests", "rights:read"],
  ["POST", "requests", "rights:write"],
  ["GET", "nominee", "rights:read"],
  ["PUT", "nominee", "rights:write"],
] as const;
const SCOPES = ["rights:read", "rights:write", "grievance:work", "grievance:write", "consent:write"];

describe.each(ROUTES)("%s %s", (method, rest, scope) => {
  const path = `/v1/rights/ret_0123456789abcdef/${rest}`;

  it("is closed without a token, to lenders, to every other scope and to a revoked client", async () => {
    const anonymous = callApp(appWith(rightsRouter), path, { method });
    expect(await refused(anonymous)).toEqual([401, "TOKEN_MISSING"]);
    expect(await refused(call(await seedLender(), method, path))).toEqual([403, "SCOPE_INSUFFICIENT"]);
    const others = await seedService(SCOPES.filter((given) => given !== scope).join(" "));
    expect(await refused(call(others, method, path))).toEqual([403, "SCOPE_INSUFFICIENT"]);
    const gone = await seedService(scope);
    await revokeClient(env, { client_id: gone.client_id });
    expect(await refused(call(gone, method, path))).toEqual([401, "TOKEN_REVOKED"]);
  });
});

describe("what retailers say", () => {
  it("is sealed at rest, and neither logged nor in the audit", async () => {
    const lines: string[] = [];
    for (const method of ["log", "error", "warn", "info"] as const) {
      vi.spyOn(console, method).mockImplementation((...parts) => void lines.push(parts.join(" ")));
    }
    const service = await seedService("rights:read rights:write");
    const worker = await workers();
    const retailer_id = await newRetailer();
    const path = `/v1/rights/${retailer_id}`;
    const [, { correction_id }] = await answered<{ correction_id: string }>(
      call(service, "POST", `${path}/corrections`, { field: "identity", right_value: "secret-words" }),
    );
    const decision = { decision: "refused", note: "secret-note" };
    await call(worker, "POST", `${path}/corrections/${correction_id}/decide`, decision);
    const phone_hash = newPhoneHash();
    await call(service, "PUT", `${path}/nominee`, { name: "secret-name", relation: "other", phone_hash });
    vi.restoreAllMocks();
    const db = drizzle(env.DB);
    const rows = [await db.select().from(rightsRequests), await db.select().from(rightsDecisions)];
    const audits = await eventsOf("audit_event", retailer_id);
    expect(audits).toHaveLength(3);
    expect(JSON.stringify([lines, rows, audits])).not.toMatch(/secret/);
  });
});

import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { issueToken } from "../../src/auth/tokens.ts";
import type { Env } from "../../src/env.ts";
import { newId } from "../../src/lib/seams.ts";
import { notifyLenders } from "../../src/notifications/notify.ts";
import { notificationRouter } from "../../src/notifications/routes.ts";
import type { NotificationsAnswer } from "../../src/notifications/schemas.ts";
import { appWith, callApp } from "../support/app.ts";
import {
  bearerHeaders,
  seedLender,
  seedService,
  type TestLender,
  type TestService,
} from "../support/auth.ts";
import { codeOf } from "../support/scene.ts";

const PATH = "/v1/notifications";
const app = appWith(notificationRouter);

async function ask(client: TestLender | TestService, query = "", bindings: Env = env): Promise<Response> {
  return callApp(app, `${PATH}${query}`, { headers: await bearerHeaders(client) }, bindings);
}

async function page(lender: TestLender, query = ""): Promise<NotificationsAnswer> {
  const response = await ask(lender, query);
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}

/** Writes notices to a lender; returns their retailers in order. */
async function write(lender_id: string, count: number): Promise<string[]> {
  const retailer_ids = Array.from({ length: count }, () => newId("ret"));
  await notifyLenders(
    env,
    retailer_ids.map((retailer_id) => ({
      lender_id,
      type: "score.refreshed",
      retailer_id,
      data: { score_id: newId("scr") },
    })),
  );
  return retailer_ids;
}

const retailersIn = (answer: NotificationsAnswer) => answer.data.map((row) => row.data.retailer_id);

describe("GET /v1/notifications, happy", () => {
  it("gives a lender its notices, oldest first", async () => {
    const lender = await seedLender();
    const [retailer_id] = await write(lender.lender_id, 1);
    const answer = await page(lender);
    expect(answer).toEqual({
      data: [
        {
          notice_id: expect.stringMatching(/^ntc_[0-9a-f]{16}$/),
          type: "score.refreshed",
          timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
          data: { retailer_id, score_id: expect.stringMatching(/^scr_/) },
        },
      ],
      next_cursor: answer.data[0]?.notice_id,
      has_more: false,
    });
  });

  it("gives each notice once to a reader that follows the cursor, while others are written", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ before: fc.nat(4), limit: fc.integer({ min: 1, max: 5 }) }), { maxLength: 8 }),
        async (steps) => {
          const [lender, other] = [await seedLender(), await seedLender()];
          const [expected, seen]: [string[], unknown[]] = [[], []];
          let cursor: string | null = null;
          const read = async (limit: number): Promise<boolean> => {
            const query: string = `?limit=${limit}${cursor ? `&cursor=${cursor}` : ""}`;
            const answer = await page(lender, query);
            seen.push(...retailersIn(answer));
            cursor = answer.next_cursor;
            return answer.has_more;
          };
          for (const { before, limit } of steps) {
            expected.push(...(await write(lender.lender_id, before)));
            await write(other.lender_id, 1);
            await read(limit);
          }
          while (await read(100));
          expect(seen).toEqual(expected);
        },
      ),
      { numRuns: 8 },
    );
  });

  it("gives the same page again for the same cursor, so that nothing is lost with an answer", async () => {
    const lender = await seedLender();
    await write(lender.lender_id, 3);
    const { next_cursor } = await page(lender, "?limit=1");
    const again = `?limit=1&cursor=${next_cursor}`;
    expect(await page(lender, again)).toEqual(await page(lender, again));
  });

  it("keeps the cursor of a reader that is up to date, and is null before the first notice", async () => {
    const lender = await seedLender();
    expect(await page(lender)).toEqual({ data: [], next_cursor: null, has_more: false });
    await write(lender.lender_id, 1);
    const { next_cursor } = await page(lender);
    expect(await page(lender, `?cursor=${next_cursor}`)).toEqual({ data: [], next_cursor, has_more: false });
  });
});

describe("GET /v1/notifications, error", () => {
  it.each(["?limit=0", "?limit=501", "?limit=1.5", "?limit=", "?cursor=", "?cursor=1", "?since=1"])(
    "refuses %s",
    async (query) => {
      const response = await ask(await seedLender(), query);
      expect([response.status, await codeOf(response)]).toEqual([400, "INVALID_REQUEST"]);
    },
  );

  it("needs X-Client-ID", async () => {
    const { Authorization = "" } = await bearerHeaders(await seedLender());
    const response = await callApp(app, PATH, { headers: { Authorization } });
    expect([response.status, await codeOf(response)]).toEqual([400, "INVALID_REQUEST"]);
  });

  it("is 503 while D1 is down", async () => {
    const down = () => {
      throw new Error("D1 is down");
    };
    const bindings = { ...env, DB: new Proxy(env.DB, { get: () => down }) };
    expect((await ask(await seedLender(), "", bindings)).status).toBe(503);
  });
});

describe("GET /v1/notifications, security", () => {
  it("is closed without a token, to services, and to a smaller scope", async () => {
    const anonymous = await callApp(app, PATH);
    expect([anonymous.status, await codeOf(anonymous)]).toEqual([401, "TOKEN_MISSING"]);
    const service = await ask(await seedService());
    expect([service.status, await codeOf(service)]).toEqual([403, "SCOPE_INSUFFICIENT"]);
    const { lender_id, client_id } = await seedLender();
    const token = await issueToken(env, { subject: lender_id, client_id, scope: "score:read" });
    const headers = { Authorization: `Bearer ${token}`, "X-Client-ID": lender_id };
    const small = await callApp(app, PATH, { headers });
    expect([small.status, await codeOf(small)]).toEqual([403, "SCOPE_INSUFFICIENT"]);
  });

  it("shows a lender its own notices only, also by another's cursor", async () => {
    const [mine, theirs] = [await seedLender(), await seedLender()];
    const own = await write(mine.lender_id, 2);
    await write(theirs.lender_id, 2);
    expect(retailersIn(await page(mine))).toEqual(own);
    const { next_cursor } = await page(theirs, "?limit=1");
    const response = await ask(mine, `?cursor=${next_cursor}`);
    expect([response.status, await codeOf(response)]).toEqual([400, "INVALID_REQUEST"]);
  });
});

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { publicJwks } from "../../src/auth/keys.ts";
import { findConsent } from "../../src/consent/lookup.ts";
import { type GrantAnswer, grantBody, toGrantRequest } from "../../src/consent/schemas.ts";
import { consentHistory, recordGrant } from "../../src/consent/service.ts";
import { verifyChains } from "../../src/consent/verify.ts";
import {
  absorb,
  type GrantBody,
  grantFor,
  newMessageId,
  newRetailer,
  type Parties,
  post,
  seedParties,
  withBefore,
} from "./support.ts";

const PATH = "/v1/consent/grant";
let parties: Parties;

beforeAll(async () => {
  parties = await seedParties();
});

const grant = (changes: Partial<GrantBody> = {}) => post(parties.service, PATH, grantFor(parties, changes));

describe("a retailer that is absorbed while its grant is being written", () => {
  it("has the consent under its new id", async () => {
    const from = await newRetailer();
    let into = "";
    const bindings = withBefore(async () => {
      into = await absorb(from);
    });
    const request = toGrantRequest(grantBody.parse(grantFor(parties, { retailer_id: from })));
    const { answer } = await recordGrant(bindings, request, parties.service.client_id);
    const { lender_id } = parties.lenders[0];
    expect(answer.retailer_id).toBe(from);
    const { consent_id } = answer;
    expect(await findConsent(env, lender_id, into)).toMatchObject({ consent_id, retailer_id: into });
    expect(await findConsent(env, lender_id, from)).toMatchObject({ consent_id, retailer_id: into });
  });
});

describe("many grants at once", () => {
  it("for one retailer make one chain without gaps, and each is answered 201", async () => {
    const retailer_id = await newRetailer();
    const responses = await Promise.all(Array.from({ length: 20 }, () => grant({ retailer_id })));
    expect(responses.map((response) => response.status)).toEqual(Array.from({ length: 20 }, () => 201));
    const { records } = await consentHistory(env, retailer_id);
    expect(records.map((record) => record.seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect((await verifyChains(records, await publicJwks(env))).valid).toBe(true);
  });

  it("give up with 503 when another writer is always first", async () => {
    const always = new Proxy(env.DB, {
      get(db, name: keyof D1Database) {
        if (name !== "batch") return db[name].bind(db);
        return async () => {
          throw new Error(
            "D1_ERROR: UNIQUE constraint failed: consent_records.retailer_id, consent_records.seq",
          );
        };
      },
    });
    const request = toGrantRequest(grantBody.parse(grantFor(parties, { retailer_id: await newRetailer() })));
    await expect(
      recordGrant({ ...env, DB: always }, request, parties.service.client_id),
    ).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
  });

  it("with one message make one record: one 201, the others 200 with the same answer", async () => {
    const body = grantFor(parties, { wa_message_id: newMessageId() });
    const responses = await Promise.all(Array.from({ length: 10 }, () => post(parties.service, PATH, body)));
    expect(responses.map((response) => response.status).sort()).toEqual([...Array(9).fill(200), 201]);
    const answers = await Promise.all(responses.map((response) => response.json<GrantAnswer>()));
    expect(new Set(answers.map((answer) => answer.consent_id)).size).toBe(1);
    expect((await consentHistory(env, answers[0]?.retailer_id ?? "")).records).toHaveLength(1);
  });
});

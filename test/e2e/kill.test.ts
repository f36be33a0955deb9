import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openConnectorApi } from "../../scripts/demo/api.ts";
import { grantConsents } from "../../scripts/demo/consents.ts";
import { pause } from "../../scripts/lib/concurrency.ts";
import type { HttpAnswer } from "../../scripts/lib/http-client.ts";
import { callControl } from "../../scripts/runtime/control-socket.ts";
import { openLayout } from "../../scripts/runtime/layout.ts";
import { asConsentService, newBatch, phoneOf } from "./support/batches.ts";
import { newStateDir, type Server, startServer } from "./support/server.ts";

const KILLS = 10;
const INVOICES = 500;
const RECORDS = 2 * INVOICES;
const RETAILERS = 20;
/** Moments of the kill after the send began: spread over the whole life of a batch. */
const KILL_AFTER_MS = [2, 6, 12, 20, 30, 45, 60, 80, 110, 160];
/** A lost queue message is sent again after its lease of 20 s. */
const HEALED_MS = 60_000;

interface Sent {
  uuid: string;
  body: string;
  /** The answer, or null if the kill came first. */
  answer: HttpAnswer | null;
}

const state = newStateDir();
let server: Server;

beforeAll(async () => {
  server = await startServer(state.dir, "--demo", "none");
});
afterAll(async () => {
  await server.stop();
  state.remove();
});

const connector = () =>
  openConnectorApi(server.local.mtls_url, server.local.ca_cert, server.local.distributors[0]!);

describe("a server that is killed in the middle of batches", () => {
  it(`has each of ${KILLS} batches whole or not at all, and brings every accepted one to its end`, async () => {
    const { distributor_id } = server.local.distributors[0]!;
    await callControl(openLayout(state.dir).control_socket, "setDistributorLimits", {
      distributor_id,
      batches_per_hour: 1000,
    });
    // With consents there is scoring to be lost, too.
    await grantConsents(
      await asConsentService(server.local),
      server.local.phone_pepper,
      Array.from({ length: RETAILERS }, (_, i) => ({
        phone: phoneOf(i),
        distributor_id,
        lender_ids: [server.local.lenders[0]!.lender_id],
      })),
      () => {},
    );

    const outcomes = { answered: 0, whole: 0, none: 0 };
    const accepted: Sent[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const sent = await sendAndKill(`kill${kill}`, KILL_AFTER_MS[kill]!);
      server = await startServer(state.dir, "--demo", "none");
      outcomes[await checkWholeOrNone(sent)]++;
      accepted.push(sent);
    }
    // The kills must have hit both sides of the commit, or the test showed nothing.
    expect(outcomes.none).toBeGreaterThan(0);
    expect(outcomes.answered + outcomes.whole).toBeGreaterThan(0);

    const deadline_ms = Date.now() + HEALED_MS;
    for (const { uuid } of accepted) expect(await finalStatus(uuid, deadline_ms)).toBe("complete");
  }, 240_000);
});

/** Sends a batch of 1,000 records and kills the server a moment later. */
async function sendAndKill(name: string, after_ms: number): Promise<Sent> {
  const { uuid, body } = newBatch(server.local.distributors[0]!.distributor_id, name, INVOICES, RETAILERS);
  const api = connector();
  // A first call opens the connection, so that the moments are counted from the batch itself.
  await api.batchStatus(uuid);
  const answer = api.postBatch(uuid, body).catch(() => null);
  await pause(after_ms);
  await server.kill();
  return { uuid, body, answer: await answer };
}

/**
 * Checks a batch after the restart: answered with 202, it is there whole; without an answer it is there whole, or
 * nothing of it is and sending it again is accepted. Either way it is accepted afterwards.
 */
async function checkWholeOrNone({ uuid, body, answer }: Sent): Promise<"answered" | "whole" | "none"> {
  const api = connector();
  try {
    const status = await api.batchStatus(uuid);
    const again = await api.postBatch(uuid, body);
    if (answer !== null) expect(answer.status).toBe(202);
    if (answer === null && status.status === 404) {
      // Not one record had been kept: none counts as a duplicate now.
      expect(again).toMatchObject({
        status: 202,
        body: { accepted: RECORDS, duplicates: 0, quarantined: 0 },
      });
      return "none";
    }
    expect(status).toMatchObject({ status: 200, body: { written: RECORDS, quarantined: 0, duplicates: 0 } });
    expect(again).toMatchObject({
      status: 409,
      body: { error_code: "BATCH_ALREADY_PROCESSED", payload_matches: true, original: { accepted: RECORDS } },
    });
    return answer === null ? "whole" : "answered";
  } finally {
    api.close();
  }
}

async function finalStatus(uuid: string, deadline_ms: number): Promise<string> {
  const api = connector();
  try {
    for (;;) {
      const { body } = await api.batchStatus(uuid);
      const { status } = body as { status: string };
      if (status !== "processing" || Date.now() > deadline_ms) return status;
      await pause(500);
    }
  } finally {
    api.close();
  }
}

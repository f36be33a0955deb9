import { createHmac, randomUUID } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BearerApi } from "../../scripts/demo/api.ts";
import { pause } from "../../scripts/lib/concurrency.ts";
import { asConsentService, asLender } from "./support/batches.ts";
import { newStateDir, type Server, startServer } from "./support/server.ts";

interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver on this machine; `answer` says what it does with each request. */
async function openReceiver(answer: (request: Received, response: ServerResponse) => void) {
  const received: Received[] = [];
  const http = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const got = { path: request.url ?? "", headers: request.headers, body };
    received.push(got);
    answer(got, response);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const close = () => {
    http.closeAllConnections();
    http.close();
  };
  return { url, received, close };
}

const state = newStateDir();
let server: Server;
let lender: BearerApi;
const closing: (() => void)[] = [];

beforeAll(async () => {
  server = await startServer(state.dir, "--demo", "none", "--local-webhooks");
  lender = await asLender(server.local, 0);
});
afterAll(async () => {
  for (const close of closing) close();
  await server.stop();
  state.remove();
});

async function register(url: string): Promise<{ webhook_id: string; secret: string }> {
  const answer = await lender.send("POST", "/v1/webhooks", { url });
  expect(answer.status).toBe(201);
  return answer.body as { webhook_id: string; secret: string };
}

function isSigned(secret: string, { headers, body }: Received): boolean {
  const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const expected = `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
  return String(headers["webhook-signature"]).split(" ").includes(expected);
}

async function until(condition: () => boolean, limit_ms: number): Promise<void> {
  for (const end = Date.now() + limit_ms; !condition() && Date.now() < end; ) await pause(50);
}

describe("webhooks of a running server", () => {
  it("bring a grant and its revocation to a real receiver, the first again after it failed", async () => {
    const receiver = await openReceiver((_request, response) => {
      response.statusCode = receiver.received.length === 1 ? 500 : 204;
      response.end();
    });
    closing.push(receiver.close);
    const { secret } = await register(`${receiver.url}/hook`);
    const service = await asConsentService(server.local);
    const [notice] = server.local.notices;
    const granted = await service.send("POST", "/v1/consent/grant", {
      retailer_phone_hash: createHmac("sha256", server.local.phone_pepper)
        .update("917000099999")
        .digest("hex"),
      distributor_id: server.local.distributors[0]!.distributor_id,
      lender_scope: [server.local.lenders[0]!.lender_id],
      purpose: "working_capital_loan",
      consent_channel: "whatsapp",
      wa_message_id: `wamid.${randomUUID()}`,
      adult_declared: true,
      ...notice,
    });
    expect(granted.status).toBe(201);
    const { consent_id, retailer_id } = granted.body as { consent_id: string; retailer_id: string };
    expect((await service.send("POST", "/v1/consent/revoke", { consent_id })).status).toBe(200);

    await until(() => receiver.received.length >= 3, 30_000);
    const { received } = receiver;
    expect(received).toHaveLength(3);
    expect(received.every((message) => isSigned(secret, message))).toBe(true);
    const bodies = received.map((message) => JSON.parse(message.body));
    expect(new Set(bodies.map((body) => body.type))).toEqual(new Set(["consent.granted", "consent.revoked"]));
    for (const body of bodies) expect(body.data).toEqual({ consent_id, retailer_id });
    expect(bodies.filter((body) => body.notice_id === bodies[0].notice_id)).toHaveLength(2);

    const feed = await lender.send("GET", "/v1/notifications");
    const { data } = feed.body as { data: { notice_id: string }[] };
    expect(new Set(data.map((row) => row.notice_id))).toEqual(new Set(bodies.map((body) => body.notice_id)));
  });

  it("follow no redirect and give up a receiver that does not answer", async () => {
    const receiver = await openReceiver((request, response) => {
      if (request.path === "/silent") return;
      response.writeHead(302, { location: `${receiver.url}/inside` });
      response.end();
    });
    closing.push(receiver.close);
    const test = async (path: string) => {
      const { webhook_id } = await register(`${receiver.url}${path}`);
      return (await lender.send("POST", `/v1/webhooks/${webhook_id}/test`)).body;
    };
    expect(await test("/moved")).toMatchObject({ delivered: false, status: 302, failure: "redirect" });
    expect(receiver.received.map((request) => request.path)).toEqual(["/moved"]);
    const slow = (await test("/silent")) as { duration_ms: number };
    expect(slow).toMatchObject({ delivered: false, status: null, failure: "timeout" });
    expect(Math.abs(slow.duration_ms - 10_000)).toBeLessThan(2_000);
    receiver.close();
    expect(await test("/down")).toMatchObject({ delivered: false, status: null, failure: "network" });
  });
});

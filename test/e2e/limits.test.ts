import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openConnectorApi } from "../../scripts/demo/api.ts";
import { asLender, newBatch } from "./support/batches.ts";
import { newStateDir, type Server, startServer } from "./support/server.ts";

const state = newStateDir();
let server: Server;

beforeAll(async () => {
  server = await startServer(state.dir, "--demo", "none");
});
afterAll(async () => {
  await server.stop();
  state.remove();
});

const times = <T>(count: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, work));

describe("many clients at once", () => {
  it("accept one of 50 concurrent posts of one X-Batch-ID; all others hear of it", async () => {
    const { local } = server;
    const distributor = local.distributors[0]!;
    const { uuid, body } = newBatch(distributor.distributor_id, "one", 400, 20);
    const connector = openConnectorApi(local.mtls_url, local.ca_cert, distributor);
    const answers = await times(50, () => connector.postBatch(uuid, body));
    const accepted = answers.filter((answer) => answer.status === 202);
    const others = answers.filter((answer) => answer.status !== 202);
    expect(accepted).toHaveLength(1);
    expect(accepted[0]!.body).toMatchObject({ accepted: 800, duplicates: 0, quarantined: 0 });
    for (const answer of others) {
      expect(answer).toMatchObject({ status: 409, body: { error_code: "BATCH_ALREADY_PROCESSED" } });
      expect(answer.body).toMatchObject({ original: accepted[0]!.body, payload_matches: true });
    }
    connector.close();
  });

  it("admit 100 of 150 concurrent score calls of one lender", async () => {
    const lender = await asLender(server.local, 0);
    const question = { retailer_id: "ret_0123456789abcdef", purpose: "working_capital_loan" };
    const answers = await times(150, () => lender.send("POST", "/v1/score", question));
    const statuses = answers.map((answer) => answer.status).sort();
    expect(statuses).toEqual([...Array(100).fill(403), ...Array(50).fill(429)]);
    for (const { headers } of answers.filter((answer) => answer.status === 429)) {
      expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    }
  });

  it("leave another lender's limit alone", async () => {
    const lender = await asLender(server.local, 1);
    const question = { retailer_id: "ret_0123456789abcdef", purpose: "working_capital_loan" };
    const answer = await lender.send("POST", "/v1/score", question);
    expect(answer.status).toBe(403);
    expect(answer.headers["x-ratelimit-remaining"]).toBe("99");
  });
});

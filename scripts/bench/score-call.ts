import { randomUUID } from "node:crypto";
import { cpuMs } from "./cpu.ts";
import { LoadClient, percentile, type Shot } from "./load.ts";

/** One measured round of a route. */
export interface Round {
  requests_per_s: number;
  p50_ms: number;
  p99_ms: number;
  cpu_ms: number;
}

const CONNECTIONS = 4;
const ROUNDS = 7;
const REQUESTS = 3_000;
const WARM_UP = 2_000;

/** What the score bench needs to know of the running system. */
export interface ScoreTarget {
  port: number;
  pid: number;
  access_token: string;
  lender_id: string;
  retailer_ids: string[];
}

const BARE: Shot = { method: "GET", path: "/.well-known/oauth-authorization-server", headers: {} };

/**
 * POST /v1/score on hot retailers beside a bare `c.json()` route of the same server, in turn, so that both see
 * the same machine. Each kind of call is measured `ROUNDS` times.
 */
export async function benchScore(target: ScoreTarget, onRound: (done: number, of: number) => void) {
  const client = new LoadClient(target.port, CONNECTIONS);
  const shot =
    (with_id: boolean) =>
    (index: number): Shot => ({
      method: "POST",
      path: "/v1/score",
      headers: {
        authorization: `Bearer ${target.access_token}`,
        "x-client-id": target.lender_id,
        "content-type": "application/json",
        ...(with_id ? { "x-request-id": randomUUID() } : {}),
      },
      body: JSON.stringify({
        retailer_id: target.retailer_ids[index % target.retailer_ids.length],
        purpose: "working_capital_loan",
      }),
    });
  const kinds = { bare: () => BARE, score: shot(false), "score with X-Request-ID": shot(true) };
  const rounds: Record<keyof typeof kinds, Round[]> = { bare: [], score: [], "score with X-Request-ID": [] };
  try {
    for (const make of Object.values(kinds)) await client.run(WARM_UP, make);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, make] of Object.entries(kinds) as [keyof typeof kinds, (index: number) => Shot][]) {
        const before_ms = cpuMs(target.pid);
        const { latencies, seconds } = await client.run(REQUESTS, make);
        rounds[name].push({
          requests_per_s: REQUESTS / seconds,
          p50_ms: percentile(latencies, 50),
          p99_ms: percentile(latencies, 99),
          cpu_ms: (cpuMs(target.pid) - before_ms) / REQUESTS,
        });
      }
      onRound(round + 1, ROUNDS);
    }
  } finally {
    client.close();
  }
  return rounds;
}

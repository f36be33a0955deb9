import { NOTICES } from "../demo/notices.ts";
import { LoadClient, percentile, type Shot } from "./load.ts";

export const REVOCATIONS = 300;
/** Connections that ask for the score all the while. */
const ASKERS = 2;

/** What the revocation bench needs to know of the running system. */
export interface RevocationTarget {
  port: number;
  lender_id: string;
  lender_token: string;
  service_id: string;
  service_token: string;
  distributor_id: string;
  retailer_ids: string[];
}

/** How long revocations took to take effect, ms from the request, sorted. */
export interface RevocationTimes {
  /** Until the answer: from then on no score is given. */
  answer_ms: number[];
  /** Until the last score arrived that was given all the same; 0 if none was. */
  last_score_ms: number[];
  /** Scores asked for after the answer, and how many of them were given. */
  asked_after: number;
  given_after: number;
}

/** Revokes consents one after the other while the lender asks for the score without a pause. */
export async function benchRevocation(
  target: RevocationTarget,
  onDone: (done: number) => void,
): Promise<RevocationTimes> {
  const desk = new LoadClient(target.port, 1);
  const lender = new LoadClient(target.port, ASKERS);
  const times: RevocationTimes = { answer_ms: [], last_score_ms: [], asked_after: 0, given_after: 0 };
  try {
    for (let done = 0; done < REVOCATIONS; done++) {
      const retailer_id = target.retailer_ids[done % target.retailer_ids.length] as string;
      await revokeUnderTraffic(target, { desk, lender }, retailer_id, times);
      onDone(done + 1);
    }
  } finally {
    desk.close();
    lender.close();
  }
  times.answer_ms.sort((a, b) => a - b);
  times.last_score_ms.sort((a, b) => a - b);
  return times;
}

async function revokeUnderTraffic(
  target: RevocationTarget,
  { desk, lender }: { desk: LoadClient; lender: LoadClient },
  retailer_id: string,
  times: RevocationTimes,
): Promise<void> {
  const { lender_id, distributor_id } = target;
  const grant = {
    retailer_id,
    distributor_id,
    lender_scope: [lender_id],
    purpose: "working_capital_loan",
    consent_channel: "portal",
    language: NOTICES[0]!.language,
    notice_id: NOTICES[0]!.notice_id,
    notice_version: NOTICES[0]!.notice_version,
    adult_declared: true,
  };
  const score = bearer(target.lender_token, lender_id, "/v1/score", {
    retailer_id,
    purpose: "working_capital_loan",
  });
  const service = (path: string, body: object) => bearer(target.service_token, target.service_id, path, body);
  await expectStatus(desk, service("/v1/consent/grant", grant), 201);
  await expectStatus(lender, score, 200);

  let answered = false;
  let last_score = 0;
  const ask = async () => {
    for (let asked_after = false; !asked_after; ) {
      asked_after = answered;
      const { status } = await lender.send(score);
      if (status === 200) last_score = performance.now();
      if (!asked_after) continue;
      times.asked_after++;
      if (status === 200) times.given_after++;
    }
  };
  const traffic = Array.from({ length: ASKERS }, ask);
  const started = performance.now();
  await expectStatus(desk, service("/v1/consent/revoke", { retailer_id, lender_id }), 200);
  times.answer_ms.push(performance.now() - started);
  answered = true;
  await Promise.all(traffic);
  times.last_score_ms.push(Math.max(0, last_score - started));
}

function bearer(token: string, client_id: string, path: string, body: object): Shot {
  return {
    method: "POST",
    path,
    headers: {
      authorization: `Bearer ${token}`,
      "x-client-id": client_id,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  };
}

async function expectStatus(client: LoadClient, shot: Shot, expected: number): Promise<void> {
  const { status, body } = await client.send(shot);
  if (status !== expected) throw new Error(`${shot.path}: status ${status}: ${body}`);
}

/** The Markdown of the times. */
export function revocationTable(times: RevocationTimes): string {
  const line = (name: string, ms: number[]) =>
    `| ${name} | ${percentile(ms, 50).toFixed(1)} | ${percentile(ms, 99).toFixed(1)} |`;
  return [
    `${times.answer_ms.length} revocations, ${ASKERS} connections asking for the score all the while; ` +
      `${times.asked_after} scores asked for after the answer, ${times.given_after} given:`,
    "",
    "| from the request for revocation to | p50 ms | p99 ms |",
    "|---|--:|--:|",
    line("the answer: no score from here on", times.answer_ms),
    line("the last score given", times.last_score_ms),
  ].join("\n");
}

import { createHmac, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { dayToIso, istDay } from "../../src/lib/days.ts";
import { madeUpGstin } from "../../src/synthetic/gstin.ts";
import type { DistributorCredentials } from "../demo/parties.ts";
import { cpuMs } from "./cpu.ts";
import { LoadClient, type Shot } from "./load.ts";

const RETAILERS = 100;
const INVOICES = 600;
const PAYMENTS = 400;
const ROUNDS = 21;
const WARM_UP = 5;
/** Long enough for the pipeline's work on the batch before to be over: it is not what is measured here. */
const SETTLE_MS = 3_000;

export interface BatchTarget {
  port: number;
  pid: number;
  distributor: DistributorCredentials;
  bare_port: number;
  bare_pid: number;
}

export interface BatchRound {
  ms: number;
  cpu_ms: number;
}

/** A batch of 1,000 fresh records of 100 shops. */
function batchBody(distributor_id: string, round: number): string {
  const today = istDay(Date.now());
  const invoices = Array.from({ length: INVOICES }, (_, i) => {
    const day = today - 200 + (i % 150);
    return {
      invoice_id: `BENCH-${round}-${i}`,
      retailer_gst: madeUpGstin(`bench ${i % RETAILERS}`),
      invoice_date: dayToIso(day),
      due_date: dayToIso(day + 21),
      amount_inr: 5_000 + ((i * 37) % 9_000) + 0.5,
    };
  });
  const payments = Array.from({ length: PAYMENTS }, (_, i) => ({
    payment_id: `BENCHPAY-${round}-${i}`,
    invoice_id: `BENCH-${round}-${i}`,
    paid_date: dayToIso(today - 200 + (i % 150) + 20 + (i % 9)),
    amount_paid_inr: 5_000 + ((i * 37) % 9_000) + 0.5,
    payment_method: "UPI",
  }));
  const sync_to = new Date().toISOString();
  return JSON.stringify({
    distributor_id,
    sync_from: `${dayToIso(today - 200)}T00:00:00Z`,
    sync_to,
    invoices,
    payments,
  });
}

/** What the TLS front would say of this certificate: the bench talks to workerd without the front. */
function edgeFacts(certificate_path: string): string {
  const certificate = new X509Certificate(readFileSync(certificate_path));
  return JSON.stringify({
    tlsVersion: "TLSv1.3",
    tlsClientAuth: {
      certPresented: "1",
      certVerified: "SUCCESS",
      certRevoked: "0",
      certFingerprintSHA256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
      certNotBefore: certificate.validFrom,
      certNotAfter: certificate.validTo,
    },
  });
}

/**
 * 1,000-record batches, one after another, beside a bare json_each insert of the same body in a Durable Object of
 * another workerd, in turn. CPU is that of the whole process from before the request to its answer.
 */
export async function benchBatch(target: BatchTarget, onRound: (done: number, of: number) => void) {
  const { distributor } = target;
  const client = new LoadClient(target.port, 1);
  const bare = new LoadClient(target.bare_port, 1);
  const blob = edgeFacts(distributor.cert);
  const shot = (body: string): Shot => ({
    method: "POST",
    path: "/v1/ingest/batch",
    headers: {
      "content-type": "application/json",
      "mf-cf-blob": blob,
      "x-api-key": distributor.api_key,
      "x-erp-type": distributor.erp_type,
      "x-batch-id": randomUUID(),
      "x-payload-signature": createHmac("sha256", distributor.signing_secret).update(body).digest("hex"),
    },
    body,
  });
  const measured = async (lane: LoadClient, pid: number, make: Shot): Promise<BatchRound> => {
    const before_ms = cpuMs(pid);
    const answer = await lane.send(make);
    if (answer.status !== 202) throw new Error(`status ${answer.status}: ${answer.body}`);
    return { ms: answer.ms, cpu_ms: cpuMs(pid) - before_ms };
  };
  const rounds: { batch: BatchRound[]; bare: BatchRound[] } = { batch: [], bare: [] };
  try {
    for (let round = 0; round < WARM_UP + ROUNDS; round++) {
      const body = batchBody(distributor.distributor_id, round);
      const plain: Shot = {
        method: "POST",
        path: "/",
        headers: { "content-type": "application/json" },
        body,
      };
      const batch = await measured(client, target.pid, shot(body));
      const yardstick = await measured(bare, target.bare_pid, plain);
      if (round >= WARM_UP) {
        rounds.batch.push(batch);
        rounds.bare.push(yardstick);
      }
      onRound(round + 1, WARM_UP + ROUNDS);
      await pause(SETTLE_MS);
    }
  } finally {
    client.close();
    bare.close();
  }
  return rounds;
}

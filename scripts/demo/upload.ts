import { pause } from "../lib/concurrency.ts";
import { OperationError } from "../lib/errors.ts";
import type { OpenState, Runtime } from "../runtime/runtime.ts";
import { type ConnectorApi, openConnectorApi, unexpected } from "./api.ts";
import type { DistributorCredentials } from "./parties.ts";
import type { PreparedBatch } from "./records.ts";

/** The published limit of accepted batches an hour (api.md §9). */
const BATCHES_PER_HOUR = 10;
/** Batches of one distributor that are sent before the pipeline is waited for. */
const SLICE = 10;
const POLL_MS = 200;
const STALL_MS = 120_000;

/** What became of an upload. */
export interface UploadResult {
  batches: number;
  /** Batches that the server had already (409): the upload was cut short and repeated. */
  already_there: number;
  quarantined: number;
  held: number;
}

interface BatchStatus {
  status: "processing" | "complete" | "held" | "failed";
  quarantined: number;
}

/**
 * Uploads one distributor's batches over mTLS, in slices, each slice until the pipeline has taken it in. The
 * registry gives the distributor an allowance for exactly these batches on top of the published ten an hour;
 * `endAllowance` takes it back. Safe to repeat with the same batches.
 */
export async function uploadBatches(
  runtime: Runtime,
  distributor: DistributorCredentials,
  batches: PreparedBatch[],
  onBatch: () => void,
): Promise<UploadResult> {
  const { distributor_id } = distributor;
  await runtime.provisioning("setDistributorLimits", {
    distributor_id,
    batches_per_hour: BATCHES_PER_HOUR + batches.length,
  });
  const connector = openConnectorApi(runtime.mtls_url, runtime.ca_cert, distributor);
  const result: UploadResult = { batches: batches.length, already_there: 0, quarantined: 0, held: 0 };
  try {
    for (let start = 0; start < batches.length; start += SLICE) {
      const slice = batches.slice(start, start + SLICE);
      for (const batch of slice) {
        const answer = await connector.postBatch(batch.batch_uuid, batch.body);
        const { error_code } = answer.body as { error_code?: string };
        if (error_code === "BATCH_ALREADY_PROCESSED") result.already_there++;
        else if (answer.status !== 202) throw unexpected("POST /v1/ingest/batch", answer);
        onBatch();
      }
      for (const batch of slice) {
        const { status, quarantined } = await settledStatus(connector, batch.batch_uuid);
        result.quarantined += quarantined;
        if (status === "held") result.held++;
      }
    }
  } finally {
    connector.close();
  }
  return result;
}

/** Gives a distributor the published limit again. */
export async function endAllowance(state: OpenState, distributor_id: string): Promise<void> {
  await state.provisioning("setDistributorLimits", { distributor_id, batches_per_hour: BATCHES_PER_HOUR });
}

async function settledStatus(connector: ConnectorApi, batch_uuid: string): Promise<BatchStatus> {
  const deadline_ms = Date.now() + STALL_MS;
  for (;;) {
    const answer = await connector.batchStatus(batch_uuid);
    if (answer.status !== 200) throw unexpected("GET /v1/ingest/batch/{batch_id}/status", answer);
    const status = answer.body as BatchStatus;
    if (status.status !== "processing") return status;
    if (Date.now() > deadline_ms) throw new OperationError(`Batch ${batch_uuid} is still being processed.`);
    await pause(POLL_MS);
  }
}

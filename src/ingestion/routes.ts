import { z } from "@hono/zod-openapi";
import { authenticateDistributor } from "../auth/distributor.ts";
import type { AppContext } from "../http/context.ts";
import { AppError } from "../http/errors.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers, problem } from "../http/schemas.ts";
import { isJsonContentType, parseJsonObject, parseWith } from "../http/validation.ts";
import { sha256Hex } from "../lib/bytes.ts";
import { phonesNamed } from "../whatsapp/heard.ts";
import { batchAnswer, batchBody, batchEnvelope, batchHeaders, batchStatus } from "./schemas.ts";
import { findBatchStatus, ingestBatch } from "./service.ts";

/** The ingestion API for distributors' connectors (api.md §5). */
export const ingestionRouter = newRouter();

const security = [{ mtls: [] }];

mount(
  ingestionRouter,
  {
    method: "post",
    path: "/v1/ingest/batch",
    tags: ["Ingestion"],
    summary: "Take in a batch of invoices and payments, exactly once",
    security,
    request: {
      headers: batchHeaders,
      body: { required: true, content: { "application/json": { schema: batchBody } } },
    },
    responses: {
      202: {
        description: "The batch is in the ledger",
        content: { "application/json": { schema: batchAnswer } },
      },
      ...errorAnswers(400, 401, 403, 413, 415, 429, 503),
      409: {
        description: "This X-Batch-ID was received before; `original` is the first answer",
        content: {
          "application/problem+json": {
            schema: problem.extend({ original: batchAnswer, payload_matches: z.boolean() }),
          },
        },
      },
    },
  },
  postBatch,
);

mount(
  ingestionRouter,
  {
    method: "get",
    path: "/v1/ingest/batch/{batch_id}/status",
    tags: ["Ingestion"],
    summary: "What became of a batch",
    security,
    request: {
      params: z.object({ batch_id: z.string().openapi({ description: "`bat_` id or the X-Batch-ID" }) }),
    },
    responses: {
      200: {
        description: "State of the batch",
        content: { "application/json": { schema: batchStatus } },
      },
      ...errorAnswers(400, 401, 403, 404, 503),
    },
  },
  async (c) => {
    const { distributor } = await authenticateDistributor(c, { signed: false });
    return c.json(await findBatchStatus(c.env, distributor.distributor_id, c.req.param("batch_id") ?? ""));
  },
);

async function postBatch(c: AppContext): Promise<Response> {
  const is_json = isJsonContentType(c.req.header("content-type"));
  const { distributor, body } = await authenticateDistributor(c, { signed: true }).catch((cause: unknown) => {
    // A body too large to be read has no signature to check, but its media type still comes first (api.md §1).
    const too_large = cause instanceof AppError && cause.code === "PAYLOAD_TOO_LARGE";
    throw too_large && !is_json ? new AppError("UNSUPPORTED_MEDIA_TYPE") : cause;
  });
  if (!is_json) throw new AppError("UNSUPPORTED_MEDIA_TYPE");
  const headers = parseWith(batchHeaders, {
    "X-ERP-Type": c.req.header("x-erp-type"),
    "X-Batch-ID": c.req.header("x-batch-id"),
    "X-Batch-Seq": c.req.header("x-batch-seq"),
  });
  const envelope = parseWith(batchEnvelope, parseJsonObject(body));
  const answer = await ingestBatch(c.env, c.get("config"), distributor, {
    external_batch_id: headers["X-Batch-ID"].toLowerCase(),
    erp_type: headers["X-ERP-Type"],
    batch_seq: headers["X-Batch-Seq"] ?? null,
    payload_sha256: sha256Hex(body),
    envelope,
  });
  c.executionCtx.waitUntil(phonesNamed(c.env, envelope.invoices ?? []));
  Object.assign(c.get("log"), {
    batch_id: answer.batch_id,
    accepted: answer.accepted,
    quarantined: answer.quarantined,
    duplicates: answer.duplicates,
  });
  return c.json(answer, 202);
}

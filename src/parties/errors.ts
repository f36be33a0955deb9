import type { z } from "@hono/zod-openapi";
import { fieldErrors } from "../http/validation.ts";

/** Why a provisioning call was refused. */
export type ProvisioningCode =
  | "INVALID_REQUEST"
  | "LENDER_EXISTS"
  | "LENDER_UNKNOWN"
  | "DISTRIBUTOR_UNKNOWN"
  | "CLIENT_UNKNOWN"
  | "TOKEN_INVALID"
  | "NOTICE_UNKNOWN"
  | "NOTICE_EXISTS"
  | "AUDIT_STREAM_UNKNOWN"
  | "AUDIT_NOT_ANCHORED"
  | "CSR_INVALID"
  | "CA_UNAVAILABLE"
  | "MODEL_UNKNOWN"
  | "MODEL_EXISTS"
  | "MODEL_REFUSED"
  | "MODEL_STATUS"
  | "CHALLENGERS_FULL"
  | "GATES_FAILED";

/** An expected refusal; the message is for the person at the command line or the admin plane and holds no secret. */
export class ProvisioningError extends Error {
  readonly code: ProvisioningCode;

  constructor(code: ProvisioningCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ProvisioningError";
    this.code = code;
  }
}

/** The checked input, or INVALID_REQUEST naming each bad field. */
export function checked<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = fieldErrors(result.error).map(({ path, message }) =>
    path ? `${path}: ${message}` : message,
  );
  throw new ProvisioningError("INVALID_REQUEST", problems.join("; "));
}

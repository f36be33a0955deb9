import type { z } from "@hono/zod-openapi";
import type { AppContext } from "./context.ts";
import { AppError, type FieldError } from "./errors.ts";

/** Largest request body (api.md §1). */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;
const MAX_FIELD_ERRORS = 20;

/** The field errors of a failed zod parse, at most 20, values left out. */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, MAX_FIELD_ERRORS).map((issue) => ({
    path: issue.path.join("."),
    message: issue.message,
  }));
}

/** INVALID_REQUEST for one field. */
export function invalid(path: string, message: string): AppError {
  return new AppError("INVALID_REQUEST", { errors: [{ path, message }] });
}

/** INVALID_RETAILER_ID: the one answer to a missing or malformed retailer_id, in body, query or path. */
export function invalidRetailerId(): AppError {
  return new AppError("INVALID_RETAILER_ID", {
    errors: [{ path: "retailer_id", message: "must be ret_ followed by 16 lower-case hex digits" }],
  });
}

/** True for `application/json`, with or without parameters. */
export function isJsonContentType(content_type: string | undefined): boolean {
  return content_type?.split(";")[0]?.trim().toLowerCase() === "application/json";
}

/** Reads at most MAX_BODY_BYTES of the body; 413 beyond, also when Content-Length lies or is missing. */
export async function readBody(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get("content-length") ?? "0");
  if (declared > MAX_BODY_BYTES) throw new AppError("PAYLOAD_TOO_LARGE");
  if (!request.body) return new Uint8Array(0);
  // A declared length is enforced by the HTTP layer, so the fast path reads at once; only chunked bodies are counted.
  if (request.headers.has("content-length")) return new Uint8Array(await request.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw new AppError("PAYLOAD_TOO_LARGE");
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Parses JSON text in UTF-8 whose top level is an object; INVALID_REQUEST otherwise. */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decoder.decode(bytes));
  } catch {
    // The parser's own message quotes the body, so it must not become a cause: causes are logged.
    throw new AppError("INVALID_REQUEST", {
      detail: "The body is not valid JSON in UTF-8.",
      errors: [{ path: "", message: "not valid JSON in UTF-8" }],
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("", "must be a JSON object");
  return value as Record<string, unknown>;
}

/** Parses with a schema; a bad `retailer_id` has its own code, everything else is INVALID_REQUEST. */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = fieldErrors(result.error);
  if (errors.some((error) => error.path === "retailer_id")) throw invalidRetailerId();
  throw new AppError("INVALID_REQUEST", { errors });
}

/** The JSON body of a request, checked: 415, 413, 400 in this order (api.md §1). */
export async function jsonBody<S extends z.ZodType>(c: AppContext, schema: S): Promise<z.infer<S>> {
  if (!isJsonContentType(c.req.header("content-type"))) throw new AppError("UNSUPPORTED_MEDIA_TYPE");
  return parseWith(schema, parseJsonObject(await readBody(c.req.raw)));
}

/** The query parameters, checked; a parameter given twice is refused. */
export function queryParameters<S extends z.ZodType>(c: AppContext, schema: S): z.infer<S> {
  const values: Record<string, string> = {};
  for (const [name, given] of Object.entries(c.req.queries())) {
    if (given.length > 1) throw invalid(name, "given more than once");
    values[name] = given[0] ?? "";
  }
  return parseWith(schema, values);
}

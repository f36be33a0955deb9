import { describe, expect, it } from "vitest";
import { AppError } from "../../src/http/errors.ts";
import { isJsonContentType, MAX_BODY_BYTES, parseJsonObject, readBody } from "../../src/http/validation.ts";
import { utf8 } from "../../src/lib/bytes.ts";

const url = "https://api.altscore.in/";

/** A body of unknown length, as chunked transfer gives it. */
function chunked(bytes: number): Request {
  const body = new ReadableStream({
    start(controller) {
      for (let sent = 0; sent < bytes; sent += 65_536) {
        controller.enqueue(new Uint8Array(Math.min(65_536, bytes - sent)));
      }
      controller.close();
    },
  });
  return new Request(url, { method: "POST", body });
}

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return "none";
}

describe("a body", () => {
  it("is read up to 2 MiB, chunked or not", async () => {
    expect((await readBody(chunked(MAX_BODY_BYTES))).byteLength).toBe(MAX_BODY_BYTES);
    const whole = new Request(url, { method: "POST", body: new Uint8Array(MAX_BODY_BYTES) });
    expect((await readBody(whole)).byteLength).toBe(MAX_BODY_BYTES);
  });

  it("is refused with 413 one byte later, also when it does not tell its length", async () => {
    expect(await codeOf(() => readBody(chunked(MAX_BODY_BYTES + 1)))).toBe("PAYLOAD_TOO_LARGE");
    const declared = new Request(url, {
      method: "POST",
      body: "x",
      headers: { "content-length": String(MAX_BODY_BYTES + 1) },
    });
    expect(await codeOf(() => readBody(declared))).toBe("PAYLOAD_TOO_LARGE");
  });

  it("must be a JSON object in UTF-8", async () => {
    expect(parseJsonObject(utf8('{"a":1}'))).toEqual({ a: 1 });
    for (const text of ["", "[]", "null", "1", '"x"', "{", "{'a':1}"]) {
      expect(await codeOf(() => parseJsonObject(utf8(text)))).toBe("INVALID_REQUEST");
    }
    expect(await codeOf(() => parseJsonObject(new Uint8Array([0x7b, 0xff, 0x7d])))).toBe("INVALID_REQUEST");
  });
});

describe("application/json", () => {
  it.each([
    ["application/json", true],
    ["Application/JSON; charset=utf-8", true],
    ["application/json-patch+json", false],
    ["text/plain", false],
    [undefined, false],
  ])("%s: %s", (header, is_json) => {
    expect(isJsonContentType(header)).toBe(is_json);
  });
});

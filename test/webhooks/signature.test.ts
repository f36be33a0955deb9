import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newSecret, signedHeaders } from "../../src/webhooks/signature.ts";

describe("signedHeaders", () => {
  it("gives the example of the Standard Webhooks libraries", async () => {
    const headers = await signedHeaders(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], {
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      timestamp_s: 1614265330,
      body: '{"test": 2432232314}',
    });
    expect(headers).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  it("signs any body, with every secret in turn, as another implementation does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "grapheme" }),
        fc.integer({ min: 0, max: 4_000_000_000 }),
        fc.uniqueArray(fc.uint8Array({ minLength: 24, maxLength: 64 }), { minLength: 1, maxLength: 2 }),
        async (body, timestamp_s, keys) => {
          const id = "ntc_0123456789abcdef";
          const secrets = keys.map((key) => `whsec_${Buffer.from(key).toString("base64")}`);
          const headers = await signedHeaders(secrets, { id, timestamp_s, body });
          const expected = keys.map(
            (key) =>
              `v1,${createHmac("sha256", key).update(`${id}.${timestamp_s}.${body}`).digest("base64")}`,
          );
          expect(headers["webhook-signature"]).toBe(expected.join(" "));
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("newSecret", () => {
  it("is whsec_ and 32 bytes in base64, never the same", () => {
    const secrets = Array.from({ length: 20 }, newSecret);
    for (const secret of secrets) {
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      expect(Buffer.from(secret.slice(6), "base64")).toHaveLength(32);
    }
    expect(new Set(secrets).size).toBe(20);
  });
});

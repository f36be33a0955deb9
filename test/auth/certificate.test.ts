import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkCertificate, opensslTimeMs, type TlsClientAuth } from "../../src/auth/certificate.ts";
import { opensslTime } from "../support/certificates.ts";

const NOW_MS = Date.parse("2026-11-01T00:00:00Z");
const GOOD: TlsClientAuth = {
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certFingerprintSHA256: "AB".repeat(32),
  certNotBefore: "Oct  1 00:00:00 2026 GMT",
  certNotAfter: "Dec 30 00:00:00 2026 GMT",
};

describe("the time of a certificate", () => {
  it("is read in OpenSSL's form, day padded with a space, a zero or nothing", () => {
    expect(opensslTimeMs("Dec 22 19:39:00 2018 GMT")).toBe(Date.parse("2018-12-22T19:39:00Z"));
    for (const day of [" 2", "02", "2"]) {
      expect(opensslTimeMs(`Jan ${day} 03:04:05 2027 GMT`)).toBe(Date.parse("2027-01-02T03:04:05Z"));
    }
  });

  it("round-trips for every second of a century", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_155_760_000 }), (seconds) => {
        expect(opensslTimeMs(opensslTime(seconds * 1000))).toBe(seconds * 1000);
      }),
    );
  });

  it.each([
    "",
    "2026-12-22T19:39:00Z",
    "Dec 22 19:39:00 2018",
    "Dec 22 19:39:00 2018 IST",
    "Foo 22 19:39:00 2018 GMT",
    "Feb 30 00:00:00 2026 GMT",
    "Dec 22 25:00:00 2018 GMT",
    " Dec 22 19:39:00 2018 GMT",
  ])("is not read from %j", (text) => {
    expect(opensslTimeMs(text)).toBeNaN();
  });
});

describe("what the TLS layer says of a client certificate", () => {
  it("passes with the fingerprint in lower case", () => {
    expect(checkCertificate(GOOD, NOW_MS)).toEqual({ ok: true, fingerprint: "ab".repeat(32) });
  });

  it.each<[string, string, TlsClientAuth | undefined]>([
    ["no TLS information at all", "no_tls_client_auth", undefined],
    ["no certificate", "not_presented", { ...GOOD, certPresented: "0", certVerified: "NONE" }],
    ["an unverified one", "not_verified", { ...GOOD, certVerified: "FAILED:self signed certificate" }],
    ["a revoked one, which counts as verified", "revoked", { ...GOOD, certRevoked: "1" }],
    ["one that has expired", "expired", { ...GOOD, certNotAfter: "Oct 31 23:59:59 2026 GMT" }],
    ["one that is not valid yet", "not_yet_valid", { ...GOOD, certNotBefore: "Nov  1 00:00:01 2026 GMT" }],
    ["an unreadable end", "expired", { ...GOOD, certNotAfter: "never" }],
    ["an unreadable beginning", "not_yet_valid", { ...GOOD, certNotBefore: "" }],
    ["an empty fingerprint", "no_fingerprint", { ...GOOD, certFingerprintSHA256: "" }],
  ])("refuses %s", (_, cause, tls) => {
    expect(checkCertificate(tls, NOW_MS)).toEqual({ ok: false, cause });
  });

  it("refuses when any one field is missing", () => {
    for (const field of Object.keys(GOOD) as (keyof TlsClientAuth)[]) {
      const { [field]: _, ...rest } = GOOD;
      expect(checkCertificate(rest, NOW_MS).ok, field).toBe(false);
    }
  });

  it("refuses whatever is not exactly the good value", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<keyof TlsClientAuth>("certPresented", "certVerified", "certRevoked"),
        fc.string(),
        (field, value) => {
          fc.pre(value !== GOOD[field]);
          expect(checkCertificate({ ...GOOD, [field]: value }, NOW_MS).ok).toBe(false);
        },
      ),
    );
  });
});

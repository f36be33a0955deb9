import { env } from "cloudflare:workers";
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import { publicJwks, signingKey } from "../../src/auth/keys.ts";
import { issueToken, verifyToken } from "../../src/auth/tokens.ts";

const SUBJECT = { subject: "lender_a", client_id: "client_a", scope: "score:read grievance:write" };
const now_s = () => Math.floor(Date.now() / 1000);

/** A token signed with our own key but with claims and header of the test's choice. */
async function craft(
  changes: { header?: object; claims?: JWTPayload; without?: string[]; alg?: "RS256" | "ES256" } = {},
): Promise<string> {
  const { kid, key } = await signingKey(env, changes.alg ?? "RS256");
  const claims: Record<string, unknown> = {
    iss: "altscore.in",
    sub: "lender_a",
    aud: "altscore-api",
    iat: now_s(),
    exp: now_s() + 3600,
    jti: "j",
    client_id: "client_a",
    scope: "score:read",
    ...changes.claims,
  };
  for (const name of changes.without ?? []) delete claims[name];
  return new SignJWT(claims)
    .setProtectedHeader({ alg: changes.alg ?? "RS256", typ: "at+jwt", kid, ...changes.header })
    .sign(key);
}

async function refusal(token: string): Promise<string> {
  const check = await verifyToken(env, token);
  return check.ok ? "accepted" : check.reason;
}

afterEach(() => {
  vi.useRealTimers();
});

describe("an issued token", () => {
  it("carries exactly the claims of the contract, for one hour", async () => {
    const token = await issueToken(env, SUBJECT);
    const claims = decodeJwt(token);
    expect(Object.keys(claims).sort()).toEqual(
      ["iss", "sub", "aud", "iat", "exp", "jti", "client_id", "scope"].sort(),
    );
    expect(claims).toMatchObject({
      iss: "altscore.in",
      sub: "lender_a",
      aud: "altscore-api",
      client_id: "client_a",
      scope: "score:read grievance:write",
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(3600);
    expect(Math.abs((claims.iat ?? 0) - now_s())).toBeLessThanOrEqual(2);
  });

  it("names RS256, its type and a published kid in the header", async () => {
    const { kid, ...rest } = decodeProtectedHeader(await issueToken(env, SUBJECT));
    expect(rest).toEqual({ alg: "RS256", typ: "at+jwt" });
    expect((await publicJwks(env)).keys.map((key) => key.kid)).toContain(kid);
  });

  it("has a jti of its own", async () => {
    const tokens = await Promise.all(Array.from({ length: 10 }, () => issueToken(env, SUBJECT)));
    expect(new Set(tokens.map((token) => decodeJwt(token).jti)).size).toBe(10);
  });

  it("is accepted until the second it expires, then expired, remembered or not", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const issued_ms = now_s() * 1000;
    const [remembered, fresh] = [await issueToken(env, SUBJECT), await issueToken(env, SUBJECT)];
    expect(await refusal(remembered)).toBe("accepted");
    vi.setSystemTime(issued_ms + 3_599_999);
    expect(await refusal(remembered)).toBe("accepted");
    vi.setSystemTime(issued_ms + 3_600_000);
    expect(await refusal(remembered)).toBe("expired");
    expect(await refusal(remembered)).toBe("expired");
    expect(await refusal(fresh)).toBe("expired");
  });
});

describe("verification refuses", () => {
  it("nothing of the token this test starts from", async () => {
    expect(await refusal(await craft())).toBe("accepted");
  });

  it.each<[string, Parameters<typeof craft>[0]]>([
    ["another issuer", { claims: { iss: "https://altscore.in" } }],
    ["another audience", { claims: { aud: "someone-else" } }],
    ["a receipt or other JWT of ours", { header: { typ: "JWT" } }],
    ["a token without type", { header: { typ: undefined } }],
    ["a token without kid", { header: { kid: undefined } }],
    ["an unknown kid", { header: { kid: "A".repeat(43) } }],
    ["a token signed with our ES256 key", { alg: "ES256" }],
    ["an expired token of another issuer", { claims: { iss: "evil", exp: now_s() - 10 } }],
    ["a token not yet valid", { claims: { nbf: now_s() + 600 } }],
    ["a subject that is not a text", { claims: { sub: 7 as unknown as string } }],
    ["an empty subject", { claims: { sub: "" } }],
    ["a scope that is not a text", { claims: { scope: ["score:read"] } }],
    ...["sub", "exp", "iat", "jti", "client_id", "scope", "iss", "aud"].map(
      (name): [string, Parameters<typeof craft>[0]] => [`a token without ${name}`, { without: [name] }],
    ),
  ])("%s", async (_, changes) => {
    expect(await refusal(await craft(changes))).toBe("invalid");
  });

  it("alg none, with and without signature", async () => {
    const [, payload] = (await craft()).split(".");
    const header = Buffer.from(JSON.stringify({ alg: "none", typ: "at+jwt" })).toString("base64url");
    expect(await refusal(`${header}.${payload}.`)).toBe("invalid");
    expect(await refusal(`${header}.${payload}.AAAA`)).toBe("invalid");
  });

  it("HS256 keyed with our public key (algorithm confusion)", async () => {
    const { keys } = await publicJwks(env);
    const rsa = keys.find((key) => key.alg === "RS256");
    const forged = await new SignJWT(decodeJwt(await craft()))
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: rsa?.kid ?? "" })
      .sign(new TextEncoder().encode(JSON.stringify(rsa)));
    expect(await refusal(forged)).toBe("invalid");
  });

  it("a key that the token brings along (jwk and jku headers)", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const { kid } = await signingKey(env, "RS256");
    const forged = await new SignJWT(decodeJwt(await craft()))
      .setProtectedHeader({
        alg: "RS256",
        typ: "at+jwt",
        kid,
        jwk: await exportJWK(publicKey),
        jku: "https://evil.test/jwks.json",
      })
      .sign(privateKey);
    expect(await refusal(forged)).toBe("invalid");
  });

  it("a token with any part changed, also one it has accepted before", async () => {
    const token = await craft();
    expect(await refusal(token)).toBe("accepted");
    const [header = "", payload = "", signature = ""] = token.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    const raised = Buffer.from(JSON.stringify({ ...claims, sub: "lender_b" })).toString("base64url");
    const swapped = signature.startsWith("A") ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    expect(await refusal(`${header}.${raised}.${signature}`)).toBe("invalid");
    expect(await refusal(`${header}.${payload}.${swapped}`)).toBe("invalid");
  });

  it.each([
    "",
    ".",
    "..",
    "a.b.c",
    "a.b.c.d.e",
    "e30.e30.e30",
    "null",
    `${"A".repeat(5000)}.e30.AA`,
    "ü.ü.ü",
  ])("malformed text %j", async (token) => {
    expect(await refusal(token)).toBe("invalid");
  });
});

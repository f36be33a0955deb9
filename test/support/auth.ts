import { env } from "cloudflare:workers";
import { issueToken } from "../../src/auth/tokens.ts";
import type { Env } from "../../src/env.ts";
import { sha256Hex, toHex, utf8 } from "../../src/lib/bytes.ts";
import { newUuid } from "../../src/lib/seams.ts";
import {
  createDistributor,
  createLender,
  createServiceClient,
  type setDistributorLimits,
} from "../../src/parties/provisioning.ts";
import { LENDER_SCOPE, type SERVICE_SCOPES } from "../../src/parties/schemas.ts";
import { newAuthority, newCsr, opensslTime, readCertificate, type TestAuthority } from "./certificates.ts";

export interface TestLender {
  lender_id: string;
  client_id: string;
  client_secret: string;
}

export interface TestService {
  client_id: string;
  client_secret: string;
  scope: string;
}

/** A lender made through the provisioning door; each call makes another one. */
export async function seedLender(
  limits?: NonNullable<Parameters<typeof createLender>[1]["limits"]>,
): Promise<TestLender> {
  const lender_id = `lender_test-${newUuid().slice(0, 13)}`;
  return createLender(env, { name: "Test lender", lender_id, ...(limits ? { limits } : {}) });
}

/** A service client with these space-separated scopes, e.g. `consent:read consent:write`. */
export async function seedService(
  scope: (typeof SERVICE_SCOPES)[number] | (string & {}) = "consent:read consent:write",
): Promise<TestService> {
  return createServiceClient(env, { name: "test", scope });
}

/** A valid access token of a seeded lender or service, issued without the token endpoint and its limit. */
export async function tokenFor(client: TestLender | TestService): Promise<string> {
  if ("lender_id" in client) {
    const { lender_id, client_id } = client;
    return issueToken(env, { subject: lender_id, client_id, scope: LENDER_SCOPE });
  }
  return issueToken(env, { subject: client.client_id, client_id: client.client_id, scope: client.scope });
}

/** The headers of a bearer-authenticated call of this client: token, X-Client-ID, JSON content type. */
export async function bearerHeaders(client: TestLender | TestService): Promise<Record<string, string>> {
  return {
    Authorization: `Bearer ${await tokenFor(client)}`,
    "X-Client-ID": "lender_id" in client ? client.lender_id : client.client_id,
    "Content-Type": "application/json",
  };
}

let authority: TestAuthority | undefined;

/** The bindings of the test run with a certificate authority beside them. */
export async function envWithAuthority(): Promise<Env> {
  authority ??= await newAuthority();
  return { ...env, ...authority };
}

export interface TlsClientAuth {
  certPresented: string;
  certVerified: string;
  certRevoked: string;
  certFingerprintSHA256: string;
  certNotBefore: string;
  certNotAfter: string;
}

/** What the TLS layer would say of this certificate after a good handshake. */
export function tlsClientAuth(certificate_pem: string): TlsClientAuth {
  const certificate = readCertificate(certificate_pem);
  return {
    certPresented: "1",
    certVerified: "SUCCESS",
    certRevoked: "0",
    certFingerprintSHA256: sha256Hex(new Uint8Array(certificate.rawData)),
    certNotBefore: opensslTime(certificate.notBefore.getTime()),
    certNotAfter: opensslTime(certificate.notAfter.getTime()),
  };
}

export interface TestDistributor {
  distributor_id: string;
  erp_type: "tally_prime" | "sap_b1" | "csv";
  api_key: string;
  signing_secret: string;
  tlsClientAuth: TlsClientAuth;
}

/** An onboarded distributor with a certificate from a CSR made here; each call makes another one. */
export async function seedDistributor(
  erp_type: TestDistributor["erp_type"] = "tally_prime",
  limits?: Omit<Parameters<typeof setDistributorLimits>[1], "distributor_id">,
): Promise<TestDistributor> {
  const created = await createDistributor(await envWithAuthority(), {
    name: "Test distributor",
    erp_type,
    csr_pem: await newCsr(),
    ...(limits ? { limits } : {}),
  });
  const { distributor_id, api_key, signing_secret, certificate_pem } = created;
  return { distributor_id, erp_type, api_key, signing_secret, tlsClientAuth: tlsClientAuth(certificate_pem) };
}

/** Hex HMAC-SHA-256 of a body with the signing secret's text as key (api.md §5). */
export async function payloadSignature(signing_secret: string, body: string | Uint8Array): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", utf8(signing_secret), algorithm, false, ["sign"]);
  const bytes = typeof body === "string" ? utf8(body) : new Uint8Array(body);
  return toHex(await crypto.subtle.sign("HMAC", key, bytes));
}

/** The credentials of a call over mTLS: for GET as they are, for POST see `signedIngest`. */
export function mtls(distributor: TestDistributor): { headers: Record<string, string>; cf: CfProperties } {
  return {
    headers: { "X-API-Key": distributor.api_key },
    cf: { tlsClientAuth: distributor.tlsClientAuth } as unknown as CfProperties,
  };
}

/**
 * A POST /v1/ingest/batch of this distributor with all three factors, ready for `fetch`; `headers` are added or replace
 * the usual ones. The body is sent as given if it is a text, else as JSON.
 */
export async function signedIngest(
  distributor: TestDistributor,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<RequestInit<CfProperties>> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const { headers: credentials, cf } = mtls(distributor);
  return {
    method: "POST",
    body: text,
    cf,
    headers: {
      ...credentials,
      "Content-Type": "application/json",
      "X-ERP-Type": distributor.erp_type,
      "X-Batch-ID": newUuid(),
      "X-Payload-Signature": await payloadSignature(distributor.signing_secret, text),
      ...headers,
    },
  };
}

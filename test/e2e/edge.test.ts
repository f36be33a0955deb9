import { execFileSync } from "node:child_process";
import { createHmac, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pause } from "../../scripts/lib/concurrency.ts";
import { createHttpClient, type HttpAnswer, type TlsIdentity } from "../../scripts/lib/http-client.ts";
import { type KeyedCertificate, newCa, newClientCertificate } from "../../scripts/runtime/certificates.ts";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { newBatch } from "./support/batches.ts";
import { type LocalJson, newStateDir, type Server, startServer } from "./support/server.ts";

const DAY_MS = 86_400_000;
const state = newStateDir();
let server: Server;
let local: LocalJson;

beforeAll(async () => {
  server = await startServer(state.dir, "--demo", "none");
  local = server.local;
});
afterAll(async () => {
  await server.stop();
  state.remove();
});

const pem = (path: string): string => readFileSync(path, "utf8");

/** The local CA itself, as only the server's own folder holds it. */
const localCa = (): KeyedCertificate => ({
  cert_pem: pem(local.ca_cert),
  key_pem: pem(join(state.dir, "certificates", "ca.key")),
});

/** Posts a good batch of the first distributor, with the right key and signature, from the given client. */
async function post(
  origin: string,
  identity: Omit<TlsIdentity, "ca"> | null,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  const { distributor_id, api_key, signing_secret, erp_type } = local.distributors[0]!;
  const { uuid, body } = newBatch(distributor_id, "edge", 2, 2);
  const http = createHttpClient(origin, { ca: pem(local.ca_cert), ...identity });
  try {
    return await http.send({
      method: "POST",
      path: "/v1/ingest/batch",
      headers: {
        "content-type": "application/json",
        "x-api-key": api_key,
        "x-erp-type": erp_type,
        "x-batch-id": uuid,
        "x-payload-signature": createHmac("sha256", signing_secret).update(body).digest("hex"),
        ...headers,
      },
      body,
    });
  } finally {
    http.close();
  }
}

const identityOf = (index: number): { cert: string; key: string } => ({
  cert: pem(local.distributors[index]!.cert),
  key: pem(local.distributors[index]!.key),
});
const identity = (made: KeyedCertificate): { cert: string; key: string } => ({
  cert: made.cert_pem,
  key: made.key_pem,
});

/** What Cloudflare would say about a good certificate: the first distributor's own. */
function forgedBlob(): string {
  const certificate = new X509Certificate(pem(local.distributors[0]!.cert));
  return JSON.stringify({
    tlsVersion: "TLSv1.3",
    tlsClientAuth: {
      certPresented: "1",
      certVerified: "SUCCESS",
      certRevoked: "0",
      certFingerprintSHA256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
      certSerial: certificate.serialNumber,
      certNotBefore: certificate.validFrom,
      certNotAfter: certificate.validTo,
    },
  });
}

const REFUSED = { status: 401, body: { error_code: "CERTIFICATE_INVALID" } };

describe("ingestion through the front", () => {
  describe("happy", () => {
    it("takes a batch from the distributor's own certificate", async () => {
      expect(await post(local.mtls_url, identityOf(0))).toMatchObject({
        status: 202,
        body: { accepted: 4, quarantined: 0, duplicates: 0 },
      });
    });
  });

  describe("security: the certificate", () => {
    it("refuses plain HTTP", async () => {
      expect(await post(local.base_url, null)).toMatchObject(REFUSED);
    });

    it("refuses TLS without a certificate", async () => {
      expect(await post(local.mtls_url, null)).toMatchObject(REFUSED);
    });

    it("refuses a certificate of a foreign CA", async () => {
      const foreign = await newClientCertificate(
        await newCa(),
        "x",
        Date.now() - DAY_MS,
        Date.now() + DAY_MS,
      );
      expect(await post(local.mtls_url, identity(foreign))).toMatchObject(REFUSED);
    });

    it("refuses a self-signed certificate", async () => {
      expect(await post(local.mtls_url, identity(await newCa("self")))).toMatchObject(REFUSED);
    });

    it("refuses an expired certificate and one that is not valid yet", async () => {
      for (const [from, to] of [
        [-2, -1],
        [1, 2],
      ] as const) {
        const made = await newClientCertificate(
          localCa(),
          "x",
          Date.now() + from * DAY_MS,
          Date.now() + to * DAY_MS,
        );
        expect(await post(local.mtls_url, identity(made))).toMatchObject(REFUSED);
      }
    });

    it("refuses a good certificate that no distributor holds", async () => {
      const stray = await newClientCertificate(localCa(), "x", Date.now() - DAY_MS, Date.now() + DAY_MS);
      expect(await post(local.mtls_url, identity(stray))).toMatchObject(REFUSED);
    });

    it("refuses another distributor's certificate", async () => {
      const answer = await post(local.mtls_url, identityOf(1));
      expect(answer).toMatchObject({ status: 401, body: { error_code: "API_KEY_INVALID" } });
    });

    it("refuses a certificate from the moment it is reported as revoked", async () => {
      const made = JSON.parse(
        provision(
          "create-distributor",
          "--name",
          "Revoked",
          "--erp-type",
          "csv",
          "--new-key",
          join(state.dir, "new"),
        ),
      ) as { distributor_id: string; api_key: string; signing_secret: string; cert: string; key: string };
      const status = async (): Promise<number> => {
        const http = createHttpClient(local.mtls_url, {
          ca: pem(local.ca_cert),
          cert: pem(made.cert),
          key: pem(made.key),
        });
        const path = "/v1/ingest/batch/bat_0123456789abcdef/status";
        const answer = await http.send({ method: "GET", path, headers: { "x-api-key": made.api_key } });
        http.close();
        return answer.status;
      };
      expect(await status()).toBe(404);
      provision("revoke-certificate", "--serial", new X509Certificate(pem(made.cert)).serialNumber);
      expect(await status()).toBe(401);
    });

    it("does not trust a resumed session without a certificate more than the first one", async () => {
      const session = await new Promise<Buffer>((resolve, reject) => {
        const socket = tlsSocket({}, () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        socket.once("session", (ticket) => {
          socket.destroy();
          resolve(ticket);
        });
        socket.once("error", reject);
      });
      const { body } = newBatch(local.distributors[0]!.distributor_id, "edge", 1, 1);
      const text = await exchange(tlsSocket({ session }), rawPost(body));
      expect(text).toContain("CERTIFICATE_INVALID");
    });
  });

  describe("security: forged headers", () => {
    it.each([["MF-CF-Blob"], ["mf-cf-blob"], ["Mf-Cf-BLOB"]])(
      "believes no %s header on either listener",
      async (header) => {
        for (const origin of [local.base_url, local.mtls_url]) {
          expect(await post(origin, null, { [header]: forgedBlob() })).toMatchObject(REFUSED);
          const named = { [header]: forgedBlob(), connection: `keep-alive, ${header}` };
          expect(await post(origin, null, named)).toMatchObject(REFUSED);
        }
      },
    );

    it("believes no cf-* header on either listener", async () => {
      const auth = JSON.parse(forgedBlob()).tlsClientAuth as Record<string, string>;
      const headers = {
        "cf-client-cert-verified": "1",
        "CF-Client-Cert-SHA256": auth.certFingerprintSHA256!,
        "cf-connecting-ip": "203.0.113.9",
        "cf-tls-client-auth": JSON.stringify(auth),
      };
      for (const origin of [local.base_url, local.mtls_url]) {
        expect(await post(origin, null, headers)).toMatchObject(REFUSED);
      }
    });

    it("gives no way around to another worker or address", async () => {
      const headers = {
        "mf-route-override": "altscore-control",
        "mf-original-url": "https://x/.well-known/jwks.json",
      };
      expect(await post(local.base_url, null, headers)).toMatchObject(REFUSED);
    });

    it("lets no second request hide in the body of a first one", async () => {
      const { body } = newBatch(local.distributors[0]!.distributor_id, "edge", 1, 1);
      const hidden = rawPost(body, `MF-CF-Blob: ${forgedBlob()}\r\n`);
      const length = Buffer.byteLength(hidden);
      for (const method of ["GET", "DELETE"]) {
        const outer = `${method} /v1/score HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
        const chunked = `${outer}Transfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
        const counted = `${outer}Content-Length: ${length}\r\n\r\n${hidden}`;
        for (const text of [chunked, counted]) {
          const answers = await exchange(
            net.connect(Number(new URL(local.base_url).port), "127.0.0.1"),
            text,
          );
          expect(answers.match(/HTTP\/1\.1 /g)).toHaveLength(1);
          expect(answers).toMatch(/^HTTP\/1\.1 40[145] /);
        }
      }
    });
  });
});

describe("the front", () => {
  it("speaks TLS 1.3 and nothing older", async () => {
    const { port } = new URL(local.mtls_url);
    const failed = await new Promise<Error>((resolve) => {
      tls
        .connect({ port: Number(port), host: "127.0.0.1", ca: pem(local.ca_cert), maxVersion: "TLSv1.2" })
        .once("error", resolve);
    });
    expect(failed.message).toMatch(/protocol version/);
  });

  it("keeps the simulator's own paths to itself", async () => {
    for (const path of [
      "/cdn-cgi/local/platform-proxy",
      "/cdn-cgi/handler/scheduled",
      "/x/../cdn-cgi/local/explorer",
    ]) {
      const answer = await createHttpClient(local.base_url).send({ method: "GET", path });
      expect(answer).toMatchObject({ status: 404, body: { error_code: "NOT_FOUND" } });
    }
  });

  it.each([3, 30])("answers an upload of %i MiB with 413, sent whole or in chunks", async (mebibytes) => {
    const body = "x".repeat(mebibytes * 1024 * 1024);
    const { api_key } = local.distributors[0]!;
    const headers = {
      "content-type": "application/json",
      "x-api-key": api_key,
      // Well-formed, so that the body's size is looked at; without one it is 401 before the body is read.
      "x-payload-signature": "0".repeat(64),
    };
    const { cert, key } = identityOf(0);
    for (const framing of [{}, { "transfer-encoding": "chunked" }] as Record<string, string>[]) {
      const http = createHttpClient(local.mtls_url, { ca: pem(local.ca_cert), cert, key });
      const answer = await http.send({
        method: "POST",
        path: "/v1/ingest/batch",
        headers: { ...headers, ...framing },
        body,
      });
      http.close();
      expect(answer).toMatchObject({ status: 413, body: { error_code: "PAYLOAD_TOO_LARGE" } });
    }
  });

  it("answers what is not HTTP with a plain 400", async () => {
    const text = await exchange(
      net.connect(Number(new URL(local.base_url).port), "127.0.0.1"),
      "NONSENSE\r\n\r\n",
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*INVALID_REQUEST/);
  });
});

describe("a workerd that dies", () => {
  it.runIf(process.platform === "linux")("is answered for with 503, and comes back by itself", async () => {
    const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
      .trim()
      .split(" ");
    const workerd = children.map(Number).find((pid) => pem(`/proc/${pid}/comm`).startsWith("workerd"))!;
    const http = createHttpClient(local.base_url);
    const jwks = () => http.send({ method: "GET", path: "/.well-known/jwks.json" });
    expect((await jwks()).status).toBe(200);
    process.kill(workerd, "SIGKILL");
    const statuses: number[] = [];
    const deadline_ms = Date.now() + 15_000;
    while (statuses.at(-1) !== 200 && Date.now() < deadline_ms) {
      await pause(20);
      const answer = await jwks();
      statuses.push(answer.status);
      if (answer.status !== 200) {
        expect(answer).toMatchObject({ status: 503, body: { error_code: "SERVICE_UNAVAILABLE" } });
        expect(answer.headers["retry-after"]).toBe("30");
      }
    }
    expect(statuses[0]).toBe(503);
    expect(statuses.at(-1)).toBe(200);
    http.close();
  });
});

function provision(...args: string[]): string {
  return execFileSync(process.execPath, ["scripts/provision.ts", ...args, "--state", state.dir], {
    cwd: PROJECT_ROOT,
    encoding: "utf8",
  });
}

function tlsSocket(options: tls.ConnectionOptions, onSecure?: () => void): tls.TLSSocket {
  const { port } = new URL(local.mtls_url);
  return tls.connect({ port: Number(port), host: "127.0.0.1", ca: pem(local.ca_cert), ...options }, onSecure);
}

/** An ingestion request as bytes, with the first distributor's right key and signature. */
function rawPost(body: string, more_headers = ""): string {
  const { api_key, signing_secret, erp_type } = local.distributors[0]!;
  const signature = createHmac("sha256", signing_secret).update(body).digest("hex");
  return `POST /v1/ingest/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nX-API-Key: ${api_key}\r\nX-ERP-Type: ${erp_type}\r\nX-Batch-ID: 00000000-0000-4000-8000-000000000001\r\nX-Payload-Signature: ${signature}\r\n${more_headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Sends text over a socket and returns all that comes back until the server closes it. */
function exchange(socket: net.Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("utf8");
    });
    socket.once("close", () => resolve(answer));
    socket.once("error", reject);
    socket.write(text);
  });
}

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../lib/errors.ts";
import { writePrivate } from "../lib/files.ts";
import { type Command, numbers, type OptionSpec, type PreparedCall, readText, text } from "./command.ts";
import { MODEL_COMMANDS } from "./model-commands.ts";

const LENDER_LIMITS: Record<string, OptionSpec> = {
  "score-per-minute": { value: "N", help: "score calls in any 60 seconds" },
  "score-per-day": { value: "N", help: "score calls in any 24 hours" },
  "lookup-per-minute": { value: "N", help: "lookups in any 60 seconds" },
  "lookup-per-day": { value: "N", help: "lookups in any 24 hours" },
};
const DISTRIBUTOR_LIMITS: Record<string, OptionSpec> = {
  "batches-per-hour": { value: "N", help: "accepted batches in any hour" },
  "max-amount-inr": { value: "N", help: "largest amount of one record, in rupees" },
};
const CERTIFICATE_REQUEST: Record<string, OptionSpec> = {
  csr: { value: "FILE", help: "certificate request (PEM, PKCS #10) made by the distributor" },
  "new-key": {
    value: "DIR",
    help: "in place of --csr: make key and request here and put key and certificate into DIR",
  },
};

/** Every command of `npm run provision`, in the order of the help. */
export const COMMANDS: Record<string, Command> = {
  "create-lender": {
    summary: "a lender and its OAuth client; the secret is shown once",
    method: "createLender",
    options: {
      name: { value: "TEXT", help: "the lender's name", required: true },
      "lender-id": { value: "ID", help: "lender_ and a slug; made from chance if absent" },
      ...LENDER_LIMITS,
    },
    prepare: (values) => {
      const limits = numbers(values, LENDER_LIMITS);
      return {
        input: { name: values.name, ...text(values, "lender-id"), ...(limits === null ? {} : { limits }) },
      };
    },
  },
  "set-lender-limits": {
    summary: "changes a lender's limits, from the next request on",
    method: "setLenderLimits",
    options: { "lender-id": { value: "ID", help: "the lender", required: true }, ...LENDER_LIMITS },
    prepare: (values) => ({ input: { ...text(values, "lender-id"), ...numbers(values, LENDER_LIMITS) } }),
  },
  "create-service": {
    summary: "an OAuth client of an internal service; the secret is shown once",
    method: "createServiceClient",
    options: {
      name: { value: "TEXT", help: "the service's name", required: true },
      scope: {
        value: "SCOPES",
        help: "consent:read, consent:write, grievance:write, grievance:work, rights:read, rights:write; separated by spaces",
        required: true,
      },
    },
    prepare: (values) => ({ input: { name: values.name, scope: values.scope } }),
  },
  "create-distributor": {
    summary: "a distributor with client certificate, API key and signing secret, shown once",
    method: "createDistributor",
    options: {
      name: { value: "TEXT", help: "the distributor's name", required: true },
      "erp-type": { value: "TYPE", help: "tally_prime, sap_b1 or csv", required: true },
      ...CERTIFICATE_REQUEST,
      ...DISTRIBUTOR_LIMITS,
    },
    prepare: async (values) => {
      const limits = numbers(values, DISTRIBUTOR_LIMITS);
      const { csr_pem, finish } = await certificateRequest(values, values.name!);
      if (csr_pem === undefined) throw new UsageError("create-distributor needs --csr or --new-key.");
      return {
        input: {
          name: values.name,
          ...text(values, "erp-type"),
          csr_pem,
          ...(limits === null ? {} : { limits }),
        },
        finish,
      };
    },
  },
  "set-distributor-limits": {
    summary: "changes a distributor's limits, e.g. for a backfill",
    method: "setDistributorLimits",
    options: {
      "distributor-id": { value: "ID", help: "the distributor", required: true },
      ...DISTRIBUTOR_LIMITS,
    },
    prepare: (values) => ({
      input: { ...text(values, "distributor-id"), ...numbers(values, DISTRIBUTOR_LIMITS) },
    }),
  },
  "rotate-distributor": {
    summary:
      "new API key and signing secret, with a request a new certificate too; the old ones last 14 days",
    method: "rotateDistributorCredentials",
    options: {
      "distributor-id": { value: "ID", help: "the distributor", required: true },
      ...CERTIFICATE_REQUEST,
    },
    prepare: async (values) => {
      const { csr_pem, finish } = await certificateRequest(values, values["distributor-id"]!);
      return {
        input: { ...text(values, "distributor-id"), ...(csr_pem === undefined ? {} : { csr_pem }) },
        finish,
      };
    },
  },
  "publish-notice": {
    summary: "one language of a consent notice; a published notice never changes",
    method: "publishNotice",
    options: {
      "notice-id": { value: "ID", help: "the notice", required: true },
      "notice-version": { value: "VERSION", help: "its version", required: true },
      language: { value: "TAG", help: "BCP 47, e.g. hi", required: true },
      "text-file": { value: "FILE", help: "its text (UTF-8)", required: true },
    },
    prepare: (values) => ({
      input: {
        ...text(values, "notice-id", "notice-version", "language"),
        text: readText(values["text-file"]!),
      },
    }),
  },
  "withdraw-notice": {
    summary: "takes a version of a notice out of force in all languages",
    method: "withdrawNotice",
    options: {
      "notice-id": { value: "ID", help: "the notice", required: true },
      "notice-version": { value: "VERSION", help: "its version", required: true },
    },
    prepare: (values) => ({ input: text(values, "notice-id", "notice-version") }),
  },
  "rotate-signing-keys": {
    summary: "new signing keys now; the previous ones verify for 14 more days",
    method: "rotateSigningKeys",
    options: {},
    prepare: () => ({ input: {} }),
  },
  "revoke-token": {
    summary: "refuses one access token from the next request on",
    method: "revokeToken",
    options: { token: { value: "JWT", help: "the access token", required: true } },
    prepare: (values) => ({ input: { token: values.token } }),
  },
  "revoke-client": {
    summary: "refuses an OAuth client and all its tokens from the next request on",
    method: "revokeClient",
    options: { "client-id": { value: "ID", help: "the client", required: true } },
    prepare: (values) => ({ input: text(values, "client-id") }),
  },
  "revoke-certificate": {
    summary: "reports a client certificate as revoked, as Cloudflare does after its API was told",
    method: "revokeCertificate",
    options: { serial: { value: "HEX", help: "the certificate's serial number", required: true } },
    prepare: (values) => {
      if (!/^[0-9a-f:]+$/i.test(values.serial!)) throw new UsageError("--serial takes hex digits.");
      return { input: { serial: values.serial } };
    },
  },
  "export-audit": {
    summary: "an audit stream as JSON lines, for npm run verify:audit",
    method: "exportAudit",
    options: {
      stream: {
        value: "NAME",
        help: "access:LENDER_ID, ledger:DISTRIBUTOR_ID, events:0 to events:f, or auth:failures",
        required: true,
      },
    },
    prepare: ({ stream }) => ({
      input: { stream },
      lines: (answer) => {
        const { lines, next } = answer as { lines: string[]; next: number | null };
        return { lines, next: next === null ? null : { stream, after: next } };
      },
    }),
  },
  "export-anchor": {
    summary: "the newest signed anchor of all audit streams",
    method: "exportAnchor",
    options: {},
    prepare: () => ({ input: {} }),
  },
  ...MODEL_COMMANDS,
  list: {
    summary: "every party with its limits and the state of its credentials, no secrets",
    method: "listParties",
    options: {},
    prepare: () => ({ input: {} }),
  },
};

async function certificateRequest(
  values: Record<string, string | undefined>,
  common_name: string,
): Promise<{ csr_pem?: string; finish?: PreparedCall["finish"] }> {
  const { csr, "new-key": new_key } = values;
  if (csr !== undefined && new_key !== undefined) throw new UsageError("Give --csr or --new-key, not both.");
  if (csr !== undefined) return { csr_pem: readText(csr) };
  if (new_key === undefined) return {};
  const dir = resolve(new_key);
  const { newClientRequest } = await import("../runtime/certificates.ts");
  const { key_pem, csr_pem } = await newClientRequest(common_name);
  return {
    csr_pem,
    finish: (answer) => {
      const { distributor_id, certificate_pem } = answer as {
        distributor_id: string;
        certificate_pem: string;
      };
      mkdirSync(dir, { recursive: true });
      const cert = join(dir, `${distributor_id}.crt`);
      const key = join(dir, `${distributor_id}.key`);
      writePrivate(key, key_pem);
      writePrivate(cert, certificate_pem);
      return { ...(answer as object), cert, key };
    },
  };
}

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { ErpType } from "../../src/scoring/types.ts";
import { readJson, writePrivate, writePrivateJson } from "../lib/files.ts";
import { newClientRequest } from "../runtime/certificates.ts";
import type { OpenState } from "../runtime/runtime.ts";
import { NOTICES } from "./notices.ts";

export interface LenderCredentials {
  lender_id: string;
  client_id: string;
  client_secret: string;
}

export interface ServiceCredentials {
  client_id: string;
  client_secret: string;
  scope: string;
}

export interface DistributorCredentials {
  distributor_id: string;
  api_key: string;
  signing_secret: string;
  /** Paths of the client certificate (with its chain) and its private key, PEM. */
  cert: string;
  key: string;
  erp_type: ErpType;
}

/** Everyone who was provisioned on this state, by the local name they were made under. */
export interface Parties {
  /** The demonstration's lenders, services and distributors: what local.json publishes. */
  lenders: Record<string, LenderCredentials>;
  services: Record<string, ServiceCredentials>;
  distributors: Record<string, DistributorCredentials>;
  /** The runtime's own lender and service client, for waiting on and showing scores. */
  desk: { lender?: LenderCredentials; service?: ServiceCredentials };
  /** Distributors of real books, by book. */
  books: Record<string, DistributorCredentials>;
}

const LENDERS: Record<string, string> = {
  lender_narmada: "Narmada Small Business Finance",
  lender_sahyadri: "Sahyadri Capital",
  lender_kaveri: "Kaveri Credit",
};
const SERVICES: Record<string, string> = {
  "whatsapp-handler": "consent:write consent:read",
  "consent-dashboard": "consent:read",
  "grievance-desk": "grievance:write",
};
const DISTRIBUTORS: Record<string, { name: string; erp_type: ErpType }> = {
  "demo-1": { name: "Shree Ganesh Distributors", erp_type: "tally_prime" },
  "demo-2": { name: "Lakshmi Trading Company", erp_type: "sap_b1" },
};
/** The desk asks for every retailer of a load: the registry gives it room, the published limits stay for lenders. */
const DESK_LIMITS = { score_per_minute: 100_000, score_per_day: 10_000_000 };

/** What was provisioned so far on this state. */
export function readParties(state: OpenState): Parties {
  return readJson<Parties>(state.layout.parties, {
    lenders: {},
    services: {},
    distributors: {},
    desk: {},
    books: {},
  });
}

/**
 * Onboards the demonstration's parties through the Provisioning entrypoint: three lenders, service clients, two
 * distributors with certificates from their own requests, the consent notices. Each is remembered as soon as it
 * exists, so a repeat makes only what is missing. Returns all, and how many are new.
 */
export async function ensureParties(state: OpenState): Promise<{ parties: Parties; made: number }> {
  const parties = readParties(state);
  let made = 0;
  const remember = (): void => {
    made++;
    writePrivateJson(state.layout.parties, parties);
  };
  for (const [lender_id, name] of Object.entries(LENDERS)) {
    if (parties.lenders[lender_id]) continue;
    parties.lenders[lender_id] = await state.provisioning("createLender", {
      name,
      lender_id: await unusedLenderId(state, lender_id),
    });
    remember();
  }
  for (const [name, scope] of Object.entries(SERVICES)) {
    if (parties.services[name]) continue;
    parties.services[name] = await state.provisioning("createServiceClient", { name, scope });
    remember();
  }
  for (const [local_name, { name, erp_type }] of Object.entries(DISTRIBUTORS)) {
    if (parties.distributors[local_name]) continue;
    parties.distributors[local_name] = await newDistributor(state, local_name, name, erp_type);
    remember();
  }
  if (!parties.desk.lender) {
    parties.desk.lender = await state.provisioning("createLender", {
      name: "Demonstration desk",
      lender_id: await unusedLenderId(state, "lender_demo_desk"),
      limits: DESK_LIMITS,
    });
    remember();
  }
  if (!parties.desk.service) {
    const scope = "consent:write consent:read";
    parties.desk.service = await state.provisioning("createServiceClient", {
      name: "demonstration desk",
      scope,
    });
    remember();
  }
  for (const notice of NOTICES) await state.provisioning("publishNotice", notice);
  return { parties, made };
}

/** The distributor that a real book is uploaded for; made at the first use of the book. */
export async function ensureBookDistributor(state: OpenState, book: string): Promise<DistributorCredentials> {
  const parties = readParties(state);
  const known = parties.books[book];
  if (known) return known;
  // The csv connector caps completeness at 75; these books have every field that an ERP gives.
  const made = await newDistributor(state, `book-${book}`, `Receivables of ${book}`, "sap_b1");
  parties.books[book] = made;
  writePrivateJson(state.layout.parties, parties);
  return made;
}

async function newDistributor(
  state: OpenState,
  local_name: string,
  name: string,
  erp_type: ErpType,
): Promise<DistributorCredentials> {
  const { key_pem, csr_pem } = await newClientRequest(name);
  const made = await state.provisioning("createDistributor", { name, erp_type, csr_pem });
  const cert = join(state.layout.certificates, `${local_name}.crt`);
  const key = join(state.layout.certificates, `${local_name}.key`);
  writePrivate(key, key_pem);
  writePrivate(cert, made.certificate_pem);
  const { distributor_id, api_key, signing_secret } = made;
  return { distributor_id, api_key, signing_secret, cert, key, erp_type };
}

/**
 * The wanted id, or one with a random tail if it is taken: a start that was killed between making a lender and
 * remembering its secret leaves one that nobody can use.
 */
async function unusedLenderId(state: OpenState, wanted: string): Promise<string> {
  const { lenders } = await state.provisioning("listParties", {});
  const taken = lenders.some((lender) => lender.lender_id === wanted);
  return taken ? `${wanted}_${randomBytes(2).toString("hex")}` : wanted;
}

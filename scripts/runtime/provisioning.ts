import { OperationError } from "../lib/errors.ts";
import type { ProvisioningCall } from "./control-worker.ts";

export type ErpType = "tally_prime" | "sap_b1" | "csv";

export interface LenderLimits {
  score_per_minute?: number;
  score_per_day?: number;
  lookup_per_minute?: number;
  lookup_per_day?: number;
}

export interface DistributorLimits {
  batches_per_hour?: number;
  max_amount_inr?: number;
}

/** The Provisioning entrypoint's methods: what each takes and gives (src/parties/entrypoint.ts). */
export interface ProvisioningMethods {
  createLender: {
    input: { name: string; lender_id?: string; limits?: LenderLimits };
    output: { lender_id: string; client_id: string; client_secret: string };
  };
  createServiceClient: {
    input: { name: string; scope: string };
    output: { client_id: string; client_secret: string; scope: string };
  };
  createDistributor: {
    input: { name: string; erp_type: ErpType; csr_pem: string; limits?: DistributorLimits };
    output: {
      distributor_id: string;
      certificate_pem: string;
      ca_chain_pem: string;
      api_key: string;
      signing_secret: string;
    };
  };
  setLenderLimits: { input: { lender_id: string } & LenderLimits; output: unknown };
  setDistributorLimits: { input: { distributor_id: string } & DistributorLimits; output: unknown };
  publishNotice: {
    input: { notice_id: string; notice_version: string; language: string; text: string };
    output: { sha256: string };
  };
  withdrawNotice: {
    input: { notice_id: string; notice_version: string; language?: string };
    output: unknown;
  };
  rotateSigningKeys: { input: Record<string, never>; output: unknown };
  revokeToken: { input: { token?: string; jti?: string }; output: unknown };
  revokeClient: { input: { client_id: string }; output: unknown };
  rotateDistributorCredentials: { input: { distributor_id: string; csr_pem?: string }; output: unknown };
  listParties: { input: Record<string, never>; output: unknown };
}

export type ProvisioningMethod = keyof ProvisioningMethods;

/** Typed calls of the Provisioning entrypoint. Each throws OperationError when it is refused. */
export type Provisioning = <M extends ProvisioningMethod>(
  method: M,
  input: ProvisioningMethods[M]["input"],
) => Promise<ProvisioningMethods[M]["output"]>;

/** Gives a raw call its types, and turns refusals (`{error: {code, message}}`) into OperationError. */
export function typedProvisioning(call: ProvisioningCall): Provisioning {
  return async (method, input) => {
    const answer = await call(method, input);
    const error = (answer as { error?: { code: string; message: string } } | null)?.error;
    if (error) throw new OperationError(`${error.code}: ${error.message}`);
    return answer as ProvisioningMethods[typeof method]["output"];
  };
}

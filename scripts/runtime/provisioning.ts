import type { Provisioning as Entrypoint, Refusal } from "../../src/parties/entrypoint.ts";
import { OperationError } from "../lib/errors.ts";
import type { ProvisioningCall } from "./control-worker.ts";

/** The methods of the Worker's Provisioning entrypoint, by name (the rest of the class is the platform's). */
export type ProvisioningMethod =
  | "createLender"
  | "setLenderLimits"
  | "createServiceClient"
  | "createDistributor"
  | "setDistributorLimits"
  | "rotateDistributorCredentials"
  | "publishNotice"
  | "withdrawNotice"
  | "revokeToken"
  | "revokeClient"
  | "rotateSigningKeys"
  | "exportAudit"
  | "exportAnchor"
  | "registerModel"
  | "promoteModel"
  | "freezeModel"
  | "retireModel"
  | "listModels"
  | "replay"
  | "listParties";

type Input<M extends ProvisioningMethod> =
  Parameters<Entrypoint[M]> extends [infer I] ? I : Record<string, never>;
type Output<M extends ProvisioningMethod> = Exclude<Awaited<ReturnType<Entrypoint[M]>>, Refusal>;

/** Typed calls of the Provisioning entrypoint. Each throws OperationError when it is refused. */
export type Provisioning = <M extends ProvisioningMethod>(method: M, input: Input<M>) => Promise<Output<M>>;

/** Gives a raw call its types, and turns refusals (`{error: {code, message}}`) into OperationError. */
export function typedProvisioning(call: ProvisioningCall): Provisioning {
  return async <M extends ProvisioningMethod>(method: M, input: Input<M>) => {
    const answer = (await call(method, input)) as Output<M> | Refusal;
    if (isRefusal(answer)) throw new OperationError(`${answer.error.code}: ${answer.error.message}`);
    return answer;
  };
}

function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === "object" && answer !== null && "error" in answer;
}

import { WorkerEntrypoint } from "cloudflare:workers";
import type { Env } from "../env.ts";
import { type ProvisioningCode, ProvisioningError } from "./errors.ts";
import * as provisioning from "./provisioning.ts";

/** A refusal as it crosses RPC: an exception would lose its code there. */
export interface Refusal {
  error: { code: ProvisioningCode; message: string };
}

type Input<F extends (env: Env, given: never) => unknown> = Parameters<F>[1];

/**
 * The provisioning functions over RPC, for processes outside the Worker (service binding with this entrypoint; it
 * has no HTTP route). Every method takes and returns one plain object; what is refused comes back as `{error}`.
 */
export class Provisioning extends WorkerEntrypoint<Env> {
  async createLender(input: Input<typeof provisioning.createLender>) {
    return settled(() => provisioning.createLender(this.env, input));
  }

  async setLenderLimits(input: Input<typeof provisioning.setLenderLimits>) {
    return settled(() => provisioning.setLenderLimits(this.env, input));
  }

  async createServiceClient(input: Input<typeof provisioning.createServiceClient>) {
    return settled(() => provisioning.createServiceClient(this.env, input));
  }

  async createDistributor(input: Input<typeof provisioning.createDistributor>) {
    return settled(() => provisioning.createDistributor(this.env, input));
  }

  async setDistributorLimits(input: Input<typeof provisioning.setDistributorLimits>) {
    return settled(() => provisioning.setDistributorLimits(this.env, input));
  }

  async rotateDistributorCredentials(input: Input<typeof provisioning.rotateDistributorCredentials>) {
    return settled(() => provisioning.rotateDistributorCredentials(this.env, input));
  }

  async publishNotice(input: Input<typeof provisioning.publishNotice>) {
    return settled(() => provisioning.publishNotice(this.env, input));
  }

  async withdrawNotice(input: Input<typeof provisioning.withdrawNotice>) {
    return settled(() => provisioning.withdrawNotice(this.env, input));
  }

  async revokeToken(input: Input<typeof provisioning.revokeToken>) {
    return settled(() => provisioning.revokeToken(this.env, input));
  }

  async revokeClient(input: Input<typeof provisioning.revokeClient>) {
    return settled(() => provisioning.revokeClient(this.env, input));
  }

  async rotateSigningKeys() {
    return settled(() => provisioning.rotateSigningKeys(this.env));
  }

  async exportAudit(input: Input<typeof provisioning.exportAudit>) {
    return settled(() => provisioning.exportAudit(this.env, input));
  }

  async exportAnchor() {
    return settled(() => provisioning.exportAnchor(this.env));
  }

  async registerModel(input: Input<typeof provisioning.registerModel>) {
    return settled(() => provisioning.registerModel(this.env, input));
  }

  async promoteModel(input: Input<typeof provisioning.promoteModel>) {
    return settled(() => provisioning.promoteModel(this.env, input));
  }

  async freezeModel(input: Input<typeof provisioning.freezeModel>) {
    return settled(() => provisioning.freezeModel(this.env, input));
  }

  async retireModel(input: Input<typeof provisioning.retireModel>) {
    return settled(() => provisioning.retireModel(this.env, input));
  }

  async listModels() {
    return settled(() => provisioning.listModels(this.env));
  }

  async replay(input: Input<typeof provisioning.replay>) {
    return settled(() => provisioning.replay(this.env, input));
  }

  async listParties() {
    return settled(() => provisioning.listParties(this.env));
  }
}

async function settled<T>(work: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProvisioningError) return { error: { code: error.code, message: error.message } };
    throw error;
  }
}

import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { Provisioning } from "../../src/parties/entrypoint.ts";
import { envWithAuthority } from "../support/auth.ts";
import { newCsr } from "../support/certificates.ts";

describe("Provisioning over RPC", () => {
  it("takes and returns plain objects", async () => {
    const made = await exports.Provisioning.createLender({ name: "Over RPC" });
    expect(made).toMatchObject({ lender_id: "lender_over-rpc" });
    expect(await exports.Provisioning.listParties()).toMatchObject({
      lenders: expect.arrayContaining([expect.objectContaining({ lender_id: "lender_over-rpc" })]),
    });
  });

  it("gives refusals back as {error} instead of throwing", async () => {
    expect(await exports.Provisioning.createLender({ name: "Over RPC" })).toEqual({
      error: { code: "LENDER_EXISTS", message: "there is a lender lender_over-rpc already" },
    });
    expect(await exports.Provisioning.createLender({ name: "" })).toMatchObject({
      error: { code: "INVALID_REQUEST", message: expect.stringContaining("name") },
    });
    expect(await exports.Provisioning.revokeClient({ client_id: "x" })).toMatchObject({
      error: { code: "CLIENT_UNKNOWN" },
    });
    expect(await exports.Provisioning.withdrawNotice({ notice_id: "x", notice_version: "1" })).toMatchObject({
      error: { code: "NOTICE_UNKNOWN" },
    });
  });

  it("covers the whole door", async () => {
    const door = new Provisioning(createExecutionContext(), await envWithAuthority());
    const csr_pem = await newCsr();
    const made = await door.createDistributor({ name: "Over RPC", erp_type: "csv", csr_pem });
    const { distributor_id } = made as { distributor_id: string };
    const lender_id = "lender_over-rpc";
    const results = [
      made,
      await door.setDistributorLimits({ distributor_id, batches_per_hour: 100 }),
      await door.rotateDistributorCredentials({ distributor_id, csr_pem }),
      await door.setLenderLimits({ lender_id, score_per_day: 6000 }),
      await door.createServiceClient({ name: "rpc", scope: "consent:read" }),
      await door.publishNotice({ notice_id: "rpc", notice_version: "1", language: "en", text: "text" }),
      await door.withdrawNotice({ notice_id: "rpc", notice_version: "1" }),
      await door.rotateSigningKeys(),
    ];
    for (const result of results) expect(result).not.toHaveProperty("error");
    const change = { model_id: "mdl_0000000000000000", by: "rpc", reason: "none" };
    for (const method of ["promoteModel", "freezeModel", "retireModel"] as const) {
      expect(await door[method](change)).toMatchObject({ error: { code: "MODEL_UNKNOWN" } });
    }
    expect(await door.registerModel({ artefact: "{}", card: {} as never })).toMatchObject({
      error: { code: "INVALID_REQUEST" },
    });
    expect(await door.listModels()).toMatchObject({ models: [{ status: "champion" }] });
    expect(await door.replay({ last: 1 })).toEqual({ replayed: 0, identical: 0, different: [] });
    expect(await door.revokeToken({ token: "x" })).toMatchObject({ error: { code: "TOKEN_INVALID" } });
  });

  it("throws what nobody expected, so that it is not taken for an answer", async () => {
    const DB = {
      prepare: () => {
        throw new Error("D1 is down");
      },
    } as unknown as D1Database;
    const door = new Provisioning(createExecutionContext(), { ...env, DB });
    await expect(door.createServiceClient({ name: "rpc", scope: "consent:read" })).rejects.toThrow();
  });
});

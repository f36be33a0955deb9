import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { revokeClient } from "../../src/parties/provisioning.ts";
import { distributorExists, findClient, unknownLenders } from "../../src/parties/store.ts";
import { seedDistributor, seedLender } from "../support/auth.ts";

describe("the registry", () => {
  it("names the lenders it does not know, in the order asked", async () => {
    const { lender_id } = await seedLender();
    expect(await unknownLenders(env, [])).toEqual([]);
    expect(await unknownLenders(env, [lender_id])).toEqual([]);
    expect(await unknownLenders(env, ["lender_z", lender_id, "lender_a"])).toEqual(["lender_z", "lender_a"]);
  });

  it("knows its distributors", async () => {
    const { distributor_id } = await seedDistributor();
    expect(await distributorExists(env, distributor_id)).toBe(true);
    expect(await distributorExists(env, "dist_ffffffffffffffff")).toBe(false);
  });

  it("finds a client, also a revoked one, and says that it is", async () => {
    const { client_id, lender_id } = await seedLender();
    expect(await findClient(env, client_id)).toMatchObject({
      kind: "lender",
      subject: lender_id,
      revoked: false,
    });
    await revokeClient(env, { client_id });
    expect((await findClient(env, client_id))?.revoked).toBe(true);
    expect(await findClient(env, "client_unknown")).toBeNull();
  });
});

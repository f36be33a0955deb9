import { describe, expect, it } from "vitest";
import {
  type Identity,
  type IdentitySnapshot,
  isSettled,
  type NamedRetailer,
  planIdentities,
} from "../../src/retailers/identity.ts";

const known = (retailer_id: string, provisional = false): NamedRetailer => ({
  retailer_id,
  provisional,
  related: true,
});
const id = (gstin_index: string | null, phone_index: string | null): Identity => ({
  gstin_index,
  phone_index,
});
function snapshot(
  gstins: Record<string, NamedRetailer> = {},
  phones: Record<string, NamedRetailer[]> = {},
): IdentitySnapshot {
  return { gstins: new Map(Object.entries(gstins)), phones: new Map(Object.entries(phones)) };
}
function plan(identities: Identity[], facts = snapshot()) {
  let made = 0;
  return planIdentities(identities, facts, () => `new-${++made}`);
}

describe("a GSTIN", () => {
  it("names the retailer it always named", () => {
    const result = plan([id("g", null)], snapshot({ g: known("R") }));
    expect(result.retailer_ids).toEqual(["R"]);
    expect(isSettled(result)).toBe(true);
  });

  it("that is new makes one retailer, however often it comes", () => {
    const result = plan([id("g", null), id("g", "p")]);
    expect(result.retailer_ids).toEqual(["new-1", "new-1"]);
    expect(result.changes.creations).toEqual([{ retailer_id: "new-1", kind: "gstin", blind_index: "g" }]);
    expect(result.changes.relations).toEqual(["new-1"]);
  });
});

describe("a phone alone", () => {
  it("makes a provisional retailer when it names nobody", () => {
    const result = plan([id(null, "p")]);
    expect(result.changes.creations).toEqual([{ retailer_id: "new-1", kind: "phone", blind_index: "p" }]);
  });

  it("names the retailer that has it, provisional or not", () => {
    const facts = snapshot({}, { p: [known("P", true)], q: [known("R")] });
    expect(plan([id(null, "p"), id(null, "q")], facts).retailer_ids).toEqual(["P", "R"]);
  });

  it("finds the GSTIN that another record of the batch gives it", () => {
    const result = plan([id(null, "p"), id("g", "p")]);
    expect(result.retailer_ids).toEqual(["new-1", "new-1"]);
    expect(result.changes.creations).toHaveLength(1);
  });

  it("names nobody when it belongs to several retailers", () => {
    expect(plan([id(null, "p")], snapshot({}, { p: [known("A"), known("B")] })).retailer_ids).toEqual([null]);
  });
});

describe("a GSTIN with a phone", () => {
  it("links the phone to its retailer", () => {
    const result = plan([id("g", "p")], snapshot({ g: known("R") }));
    expect(result.changes.links).toEqual([{ phone_index: "p", retailer_id: "R" }]);
    expect(result.conflicts).toEqual([false]);
  });

  it.each([
    ["known", { g: known("R") }],
    ["new", {}],
  ])("whose retailer is %s leaves the phone to the merge, so that it never names both", (_, gstins) => {
    const result = plan([id("g", "p")], snapshot(gstins, { p: [known("P", true)] }));
    expect(result.changes.links).toEqual([]);
    expect(isSettled(result)).toBe(false);
  });

  it("absorbs the phone's provisional retailer", () => {
    const facts = snapshot({ g: known("R") }, { p: [known("P", true)] });
    const result = plan([id("g", "p"), id(null, "p")], facts);
    expect(result.changes.merges).toEqual([{ from: "P", into: "R" }]);
    expect(result.retailer_ids).toEqual(["R", "R"]);
    expect(result.conflicts).toEqual([false, false]);
  });

  it("waits with the absorbing until its own retailer is known to exist", () => {
    const result = plan([id("g", "p")], snapshot({}, { p: [known("P", true)] }));
    expect(result.changes.merges).toEqual([]);
    expect(isSettled(result)).toBe(false);
  });

  it("goes to its own retailer, flagged, when the phone belongs to another GSTIN; then the phone names both", () => {
    const facts = snapshot({ g: known("R") }, { p: [known("OTHER")] });
    const result = plan([id("g", "p"), id(null, "p")], facts);
    expect(result.retailer_ids).toEqual(["R", null]);
    expect(result.conflicts).toEqual([true, false]);
    expect(result.changes.links).toEqual([{ phone_index: "p", retailer_id: "R" }]);
    expect(result.changes.merges).toEqual([]);
  });

  it("is a conflict too when two GSTINs of one batch claim the phone: the later one is flagged", () => {
    const result = plan([id("g", "p"), id("h", "p")]);
    expect(result.conflicts).toEqual([false, true]);
    expect(result.retailer_ids).toEqual(["new-1", "new-2"]);
  });

  it("asks for nothing when all is known", () => {
    expect(isSettled(plan([id("g", "p")], snapshot({ g: known("R") }, { p: [known("R")] })))).toBe(true);
  });
});

it("a retailer that this distributor has not had before gets the relationship once", () => {
  const stranger = { retailer_id: "R", provisional: false, related: false };
  const result = plan([id("g", null), id("g", "p")], snapshot({ g: stranger }, { p: [stranger] }));
  expect(result.changes.relations).toEqual(["R"]);
  expect(result.changes.creations).toEqual([]);
});

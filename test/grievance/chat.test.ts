import { beforeAll, describe, expect, it } from "vitest";
import { fileFromChat } from "../../src/grievance/filing.ts";
import { newId } from "../../src/lib/seams.ts";
import { absorb, newMessageId } from "../consent/support.ts";
import {
  eventsOf,
  keepEvents,
  newRetailer,
  quiet,
  seen,
  take,
  textsTo,
  withFailingBatch,
  workers,
} from "./support.ts";

beforeAll(keepEvents);

const said = (retailer_id: string, wamid = newMessageId()) => ({
  retailer_id,
  text: "मेरा स्कोर गलत है",
  wamid,
  language: "hi" as const,
});

describe("a grievance from the chat", () => {
  it("is filed with the retailer's words and answered in the retailer's language", async () => {
    const retailer_id = await newRetailer();
    const filed = await fileFromChat(quiet, said(retailer_id));
    const grievance_id = filed?.grievance_id as string;
    const worker = await workers();
    const { grievance_type, work } = await seen(worker, grievance_id);
    expect(grievance_type).toBe("other");
    expect(work?.steps).toMatchObject([
      { step: "filed", actor_kind: "retailer", actor_id: retailer_id, text: "मेरा स्कोर गलत है" },
    ]);
    await take(worker, grievance_id, "acknowledge");
    expect(await textsTo(retailer_id)).toMatchObject([{ kind: "grievance.acknowledged", language: "hi" }]);
  });

  it("is filed once per message, however often and at once it comes", async () => {
    const retailer_id = await newRetailer();
    const message = said(retailer_id);
    const all = await Promise.all(Array.from({ length: 4 }, () => fileFromChat(quiet, message)));
    const again = await fileFromChat(quiet, message);
    expect(new Set([...all, again].map((filed) => filed?.grievance_id)).size).toBe(1);
    expect(await eventsOf("grievance.filed", retailer_id)).toHaveLength(1);
    // The repeats were given back: four more fit into the day.
    for (let i = 0; i < 4; i++) expect(await fileFromChat(quiet, said(retailer_id))).not.toBeNull();
    expect(await fileFromChat(quiet, said(retailer_id))).toBeNull();
    expect(await fileFromChat(quiet, message)).toEqual(again);
  });

  it("that could not be written is filed when the message is worked off again", async () => {
    const retailer_id = await newRetailer();
    const message = said(retailer_id);
    await expect(fileFromChat(withFailingBatch(), message)).rejects.toThrow("SERVICE_UNAVAILABLE");
    expect(await fileFromChat(quiet, message)).not.toBeNull();
    expect(await eventsOf("grievance.filed", retailer_id)).toHaveLength(1);
  });

  it("goes to the retailer that absorbed the one that wrote; nobody's is refused", async () => {
    const alias = await newRetailer();
    const retailer_id = await absorb(alias);
    const filed = await fileFromChat(quiet, said(alias));
    const [event] = await eventsOf("grievance.filed", filed?.grievance_id as string);
    expect(event?.data.retailer_id).toBe(retailer_id);
    await expect(fileFromChat(quiet, said(newId("ret")))).rejects.toThrow("RETAILER_NOT_FOUND");
  });
});

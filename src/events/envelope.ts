import { newId, nowIso } from "../lib/seams.ts";
import type { EventData, EventEnvelope, EventType } from "./types.ts";

/**
 * A new CloudEvents 1.0 envelope. Call it when the state changes and write it in the same transaction,
 * so that the event exists exactly if the change does.
 */
export function newEvent<T extends EventType>(
  type: T,
  subject: string,
  data: EventData[T],
): EventEnvelope<T> {
  return {
    specversion: "1.0",
    id: newId("evt"),
    source: "altscore.in",
    type,
    subject,
    time: nowIso(),
    datacontenttype: "application/json",
    data,
  };
}

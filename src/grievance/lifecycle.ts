/**
 * The life of a grievance as pure logic (api.md §6): which step may follow which, and the two clocks. Instants are
 * ISO 8601 UTC of one form, so they compare as texts.
 */

const ACK_MS = 86_400_000;
const RESOLUTION_MS = 7 * ACK_MS;

export const STAGES = ["open", "acknowledged", "in_review", "resolved", "rejected"] as const;
/** How far the work on it has come. */
export type Stage = (typeof STAGES)[number];

export const STATUSES = [...STAGES, "escalated"] as const;
/** What is shown: the stage, or `escalated` from the first missed deadline on until it is closed. */
export type Status = (typeof STATUSES)[number];

/** What people do with a grievance. */
export const STEPS = ["acknowledge", "review", "resolve", "reject"] as const;
export type Step = (typeof STEPS)[number];

/** The stages that a step may follow, and the one it leads to: nothing is reviewed or closed unacknowledged. */
const MOVES: Record<Step, { from: readonly Stage[]; to: Stage }> = {
  acknowledge: { from: ["open"], to: "acknowledged" },
  review: { from: ["acknowledged"], to: "in_review" },
  resolve: { from: ["acknowledged", "in_review"], to: "resolved" },
  reject: { from: ["acknowledged", "in_review"], to: "rejected" },
};

export interface Lifecycle {
  stage: Stage;
  filed_at: string;
  ack_by: string;
  resolution_sla: string;
  acknowledged_at: string | null;
  /** When it was resolved or rejected. */
  closed_at: string | null;
}

/** A grievance filed at this instant (Unix ms). */
export function newLifecycle(filed_ms: number): Lifecycle {
  const after = (ms: number) => new Date(filed_ms + ms).toISOString();
  return {
    stage: "open",
    filed_at: after(0),
    ack_by: after(ACK_MS),
    resolution_sla: after(RESOLUTION_MS),
    acknowledged_at: null,
    closed_at: null,
  };
}

/** The grievance after a step at `now`; null if the step does not follow from its stage. */
export function afterStep(before: Lifecycle, step: Step, now: string): Lifecycle | null {
  const { from, to } = MOVES[step];
  if (!from.includes(before.stage)) return null;
  return {
    ...before,
    stage: to,
    acknowledged_at: before.acknowledged_at ?? now,
    closed_at: isClosed(to) ? now : null,
  };
}

function isClosed(stage: Stage): boolean {
  return stage === "resolved" || stage === "rejected";
}

/**
 * When the grievance escalates unless something is done before: the first deadline that was or would be missed, null
 * if both were kept. A deadline is kept by what is done before its instant.
 */
export function escalatesAt({
  ack_by,
  resolution_sla,
  acknowledged_at,
  closed_at,
}: Lifecycle): string | null {
  if (acknowledged_at === null || acknowledged_at >= ack_by) return ack_by;
  if (closed_at === null || closed_at >= resolution_sla) return resolution_sla;
  return null;
}

/** When the grievance escalated, null if it has not by `now`: true to the instant, whoever has noticed it yet. */
export function escalatedAt(lifecycle: Lifecycle, now: string): string | null {
  const instant = escalatesAt(lifecycle);
  return instant !== null && instant <= now ? instant : null;
}

/** What is shown as status at `now`. */
export function statusAt(lifecycle: Lifecycle, now: string): Status {
  const { stage } = lifecycle;
  return isClosed(stage) || escalatedAt(lifecycle, now) === null ? stage : "escalated";
}

/** The clocks at `now`; `seconds_left` to the next deadline that still runs, 0 if none does. */
export interface Sla {
  ack_breached: boolean;
  resolution_breached: boolean;
  seconds_left: number;
}

export function slaAt(lifecycle: Lifecycle, now: string): Sla {
  const { ack_by, resolution_sla, acknowledged_at, closed_at } = lifecycle;
  const ack_breached = (acknowledged_at ?? now) >= ack_by;
  const resolution_breached = (closed_at ?? now) >= resolution_sla;
  const running = [
    ...(acknowledged_at === null && !ack_breached ? [ack_by] : []),
    ...(closed_at === null && !resolution_breached ? [resolution_sla] : []),
  ];
  const [next] = running;
  const seconds_left = next === undefined ? 0 : Math.ceil((Date.parse(next) - Date.parse(now)) / 1000);
  return { ack_breached, resolution_breached, seconds_left };
}

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterStep,
  escalatedAt,
  escalatesAt,
  type Lifecycle,
  newLifecycle,
  STEPS,
  type Stage,
  type Step,
  slaAt,
  statusAt,
} from "../../src/grievance/lifecycle.ts";

const FILED_MS = Date.parse("2027-01-31T10:00:00.250Z");
const DAY_MS = 86_400_000;
const iso = (after_ms: number) => new Date(FILED_MS + after_ms).toISOString();

/** The life of a grievance in which these steps are tried at these times; what does not follow changes nothing. */
function lived(tries: readonly { step: Step; after_ms: number }[]): Lifecycle {
  let lifecycle = newLifecycle(FILED_MS);
  for (const { step, after_ms } of tries) lifecycle = afterStep(lifecycle, step, iso(after_ms)) ?? lifecycle;
  return lifecycle;
}

const within10Days = fc.oneof(
  fc.integer({ min: 0, max: 10 * DAY_MS }),
  // The instants at which something changes, and their neighbours.
  fc
    .constantFrom(0, DAY_MS, 7 * DAY_MS)
    .chain((at) => fc.constantFrom(at - 1, at, at + 1).map((ms) => Math.max(0, ms))),
);
const tries = fc
  .array(fc.record({ step: fc.constantFrom(...STEPS), after_ms: within10Days }), { maxLength: 8 })
  .map((list) => list.sort((a, b) => a.after_ms - b.after_ms));

describe("a new grievance", () => {
  it("is to be acknowledged in 24 hours and resolved in 7 days", () => {
    expect(newLifecycle(FILED_MS)).toEqual({
      stage: "open",
      filed_at: "2027-01-31T10:00:00.250Z",
      ack_by: "2027-02-01T10:00:00.250Z",
      resolution_sla: "2027-02-07T10:00:00.250Z",
      acknowledged_at: null,
      closed_at: null,
    });
  });
});

describe("steps", () => {
  const LEGAL: Record<Stage, Partial<Record<Step, Stage>>> = {
    open: { acknowledge: "acknowledged" },
    acknowledged: { review: "in_review", resolve: "resolved", reject: "rejected" },
    in_review: { resolve: "resolved", reject: "rejected" },
    resolved: {},
    rejected: {},
  };

  it.each(Object.entries(LEGAL))("from %s lead where the table says and nowhere else", (stage, legal) => {
    for (const step of STEPS) {
      const before = { ...newLifecycle(FILED_MS), stage: stage as Stage };
      expect(afterStep(before, step, iso(1))?.stage, step).toBe(legal[step]);
    }
  });

  it("set each instant once", () => {
    const life = lived([
      { step: "acknowledge", after_ms: 5 },
      { step: "review", after_ms: 6 },
      { step: "resolve", after_ms: 7 },
      { step: "reject", after_ms: 8 },
    ]);
    expect(life).toMatchObject({ stage: "resolved", acknowledged_at: iso(5), closed_at: iso(7) });
  });
});

describe("the clocks, for any life", () => {
  const runs = { numRuns: 1_000 };

  it("escalate exactly at the first deadline that was missed, by an independent count", () => {
    fc.assert(
      fc.property(tries, within10Days, (steps, after_ms) => {
        const life = lived(steps.filter((step) => step.after_ms <= after_ms));
        const done = (limit_ms: number, instant: string | null) =>
          instant !== null && Date.parse(instant) - FILED_MS < limit_ms;
        const missed = [
          ...(after_ms >= DAY_MS && !done(DAY_MS, life.acknowledged_at) ? [iso(DAY_MS)] : []),
          ...(after_ms >= 7 * DAY_MS && !done(7 * DAY_MS, life.closed_at) ? [iso(7 * DAY_MS)] : []),
        ];
        expect(escalatedAt(life, iso(after_ms))).toBe(missed[0] ?? null);
        const sla = slaAt(life, iso(after_ms));
        expect([sla.ack_breached, sla.resolution_breached]).toEqual([
          missed.includes(iso(DAY_MS)),
          missed.includes(iso(7 * DAY_MS)),
        ]);
      }),
      runs,
    );
  });

  it("never take an escalation back, whatever is done afterwards", () => {
    fc.assert(
      fc.property(tries, within10Days, (steps, after_ms) => {
        const before = lived(steps.filter((step) => step.after_ms <= after_ms));
        const escalated = escalatedAt(before, iso(after_ms));
        if (escalated === null) return;
        expect(escalatesAt(lived(steps))).toBe(escalated);
      }),
      runs,
    );
  });

  it("show `escalated` from then on until it is closed, and the stage otherwise", () => {
    fc.assert(
      fc.property(tries, within10Days, (steps, after_ms) => {
        const life = lived(steps.filter((step) => step.after_ms <= after_ms));
        const closed = life.stage === "resolved" || life.stage === "rejected";
        const escalated = escalatedAt(life, iso(after_ms)) !== null;
        expect(statusAt(life, iso(after_ms))).toBe(!closed && escalated ? "escalated" : life.stage);
      }),
      runs,
    );
  });

  it("count down to the next deadline that runs, to the second, and stand at 0 when none does", () => {
    fc.assert(
      fc.property(tries, within10Days, (steps, after_ms) => {
        const life = lived(steps.filter((step) => step.after_ms <= after_ms));
        const { seconds_left } = slaAt(life, iso(after_ms));
        const limit_ms =
          life.acknowledged_at === null && after_ms < DAY_MS
            ? DAY_MS
            : life.closed_at === null && after_ms < 7 * DAY_MS
              ? 7 * DAY_MS
              : after_ms;
        expect(seconds_left).toBe(Math.ceil((limit_ms - after_ms) / 1000));
      }),
      runs,
    );
  });
});

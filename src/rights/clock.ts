const DUE_MS = 30 * 86_400_000;

/** When a request of this instant (Unix ms) has to be decided: 30 days later (regulation.md, CICRA s.21 by analogy). */
export function dueBy(opened_ms: number): string {
  return new Date(opened_ms + DUE_MS).toISOString();
}

export interface RequestClock {
  overdue: boolean;
  seconds_left: number;
}

/** The clock of a request at `now`; one that was decided late stays overdue. */
export function clockAt(due_by: string, decided_at: string | null, now: string): RequestClock {
  const overdue = (decided_at ?? now) >= due_by;
  const runs = decided_at === null && !overdue;
  return { overdue, seconds_left: runs ? Math.ceil((Date.parse(due_by) - Date.parse(now)) / 1000) : 0 };
}

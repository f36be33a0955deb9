const BAR_WIDTH = 28;
const REDRAW_MS = 80;

/** A running display of how much of a long job is done. */
export interface Progress {
  /** Sets how many units are done, with an optional note behind the bar. */
  update(done: number, note?: string): void;
  /** Ends the display with its last state. */
  finish(note?: string): void;
}

/**
 * Shows a job of `total` units on `stream`: a bar that redraws itself on a terminal, else one plain line per
 * quarter, so that logs stay short.
 */
export function startProgress(
  label: string,
  total: number,
  stream: NodeJS.WriteStream = process.stdout,
): Progress {
  let done = 0;
  let last_drawn_ms = 0;
  let last_quarter = 0;
  let open = true;

  const share = (): number => (total === 0 ? 1 : Math.min(1, done / total));
  const draw = (note: string): void => {
    const filled = Math.round(share() * BAR_WIDTH);
    const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
    stream.write(`\r\x1b[K  ${label} ${bar} ${done}/${total} ${note}`);
  };
  const plain = (note: string): void => {
    stream.write(`  ${label} ${done}/${total}${note ? ` ${note}` : ""}\n`);
  };

  return {
    update(count, note = "") {
      done = count;
      if (stream.isTTY) {
        if (performance.now() - last_drawn_ms < REDRAW_MS) return;
        last_drawn_ms = performance.now();
        draw(note);
        return;
      }
      const quarter = Math.floor(share() * 4);
      // The last quarter is finish()'s line.
      if (quarter > last_quarter && quarter < 4) {
        last_quarter = quarter;
        plain(note);
      }
    },
    finish(note = "") {
      if (!open) return;
      open = false;
      if (stream.isTTY) {
        draw(note);
        stream.write("\n");
      } else {
        plain(note);
      }
    },
  };
}

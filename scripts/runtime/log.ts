import { appendFileSync, existsSync, renameSync, statSync } from "node:fs";

const ROTATE_BYTES = 20 * 1024 * 1024;
const FLUSH_MS = 200;

/** The Worker's log file. Lines are gathered and written a few times a second. */
export interface WorkerLog {
  /** One line; the Worker's own lines are JSON already, everything else is wrapped. */
  write(level: string, message: string): void;
  close(): void;
}

/** Opens the log for appending; a file above 20 MiB is set aside as `.old` first. */
export function openLog(path: string): WorkerLog {
  if (existsSync(path) && statSync(path).size > ROTATE_BYTES) renameSync(path, `${path}.old`);
  let waiting = "";
  const flush = (): void => {
    if (waiting === "") return;
    appendFileSync(path, waiting, { mode: 0o600 });
    waiting = "";
  };
  const timer = setInterval(flush, FLUSH_MS);
  timer.unref();
  return {
    write(level, message) {
      const line = message.startsWith("{") ? message : JSON.stringify({ level, message });
      waiting += `${line}\n`;
    },
    close() {
      clearInterval(timer);
      flush();
    },
  };
}

import { readdirSync, readFileSync } from "node:fs";

/**
 * Milliseconds of CPU that all threads of a process have used, to the nanosecond, from
 * /proc/<pid>/task/<tid>/schedstat (Linux only). /proc/<pid>/stat would count in ticks of 10 ms, which is as
 * long as a whole batch takes.
 */
export function cpuMs(pid: number): number {
  let ns = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // The thread ended between the two looks.
    }
  }
  return ns / 1e6;
}

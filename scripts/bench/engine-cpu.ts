/**
 * Microseconds of CPU that this thread spends in `run`. On a machine that others use too, the time on the clock would
 * count their work as well; XGBoost's side measures the same.
 */
export function cpuUs(run: () => void): number {
  const before = process.threadCpuUsage();
  run();
  const used = process.threadCpuUsage(before);
  return used.user + used.system;
}

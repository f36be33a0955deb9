/** The caller asked for something impossible: printed without a stack, exit code 2. */
export class UsageError extends Error {}

/** Something outside the program is in the way (a port in use, a missing file): printed without a stack, exit code 1. */
export class OperationError extends Error {}

/** Prints an error for people on stderr and returns the exit code that belongs to it. */
export function reportError(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  if (error instanceof OperationError) {
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

/** What the query builder wraps a database's refusal in: its message holds every bound value. */
const WITH_VALUES = /^Failed query:/;
const MAX_LENGTH = 500;

/**
 * What went wrong, for a log line: name and message, at most 500 characters. Of a failed query only the database's own
 * words: the values it was given are not for logs.
 */
export function causeText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown).slice(0, MAX_LENGTH);
  if (WITH_VALUES.test(thrown.message)) {
    return thrown.cause === undefined ? "Failed query" : `Failed query: ${causeText(thrown.cause)}`;
  }
  return `${thrown.name}: ${thrown.message}`.slice(0, MAX_LENGTH);
}

import { type SQL, sql } from "drizzle-orm";

/** The values of a list of any length as one bound parameter, for `inArray`: D1 takes at most 100 in a statement. */
export function listed(values: readonly string[]): SQL {
  return sql`(SELECT value FROM json_each(${JSON.stringify(values)}))`;
}

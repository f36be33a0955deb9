import canonicalize from "canonicalize";

/** RFC 8785 canonical JSON of a plain value; throws TypeError for what JSON cannot hold. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("value has no JSON form");
  return text;
}

import { relative } from "node:path";

/** A path as one would type it here: relative inside the present folder, else absolute. */
export function shownPath(path: string): string {
  const from_here = relative(process.cwd(), path);
  return from_here === "" || from_here.startsWith("..") ? path : from_here;
}

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** Writes a file that only its owner may read, whole or not at all (a crash leaves the old one). */
export function writePrivate(path: string, text: string): void {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.new`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

/** Writes a value as indented JSON, readable by its owner only. */
export function writePrivateJson(path: string, value: unknown): void {
  writePrivate(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** The JSON value of a file, or `fallback` if there is no such file. Throws an Error naming the file if it is damaged. */
export function readJson<T>(path: string, fallback: T): T {
  if (!existsSync(path)) return fallback;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (cause) {
    throw new Error(`${path} is not valid JSON: remove it or start with another --state`, { cause });
  }
}

// Runs before every npm script on whatever Node is on the path (20 or newer), so it is plain
// JavaScript without dependencies: installs exactly what package-lock.json names, once.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// npm writes this file at the end of each install: older than the lock means out of date.
const stamp = join(root, "node_modules", ".package-lock.json");
const lock = join(root, "package-lock.json");

const upToDate = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs;
if (!upToDate) {
  process.stderr.write("Installing dependencies (once, about half a minute) ...\n");
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    process.stderr.write("Could not install dependencies: is the npm registry reachable?\n");
    process.exit(1);
  }
}

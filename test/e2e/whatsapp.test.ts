import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../scripts/runtime/layout.ts";
import { newStateDir, type Server, startServer } from "./support/server.ts";

const run = promisify(execFile);
const state = newStateDir();
let server: Server;

/** Runs `npm run whatsapp` with these arguments as npm does; what it printed. */
async function whatsapp(...args: string[]): Promise<string> {
  const command = [join(PROJECT_ROOT, "scripts/whatsapp.ts"), ...args, "--state", state.dir];
  const { stdout } = await run(process.execPath, command, { encoding: "utf8" });
  return stdout;
}

/** How a call that must fail ended: exit code and what it said. */
async function failing(...args: string[]): Promise<[number, string]> {
  const error = await whatsapp(...args).then(
    () => null,
    (cause: { code: number; stderr: string }) => cause,
  );
  return [error?.code ?? 0, error?.stderr ?? ""];
}

beforeAll(async () => {
  server = await startServer(state.dir, "--demo", "none");
});
afterAll(async () => {
  await server.stop();
  state.remove();
});

describe("npm run whatsapp", () => {
  it("is what the start tells how to play", () => {
    expect(server.output).toMatch(/npm run -s whatsapp -- invite.*npm run -s whatsapp -- say "हाँ"/);
  });

  it("plays a conversation: invitation, an unclear answer, consent, rights, complaint, STOP", async () => {
    const notice = await whatsapp("invite");
    expect(notice).toMatch(
      /AltScore आपकी अनुमति चाहता है.*Shree Ganesh Distributors.*Narmada Small Business Finance/,
    );
    expect(notice).toContain("बटन: अनुमति है | अनुमति नहीं है | English");
    expect(await whatsapp("say", "OK")).toMatch(/shop +OK\n.*AltScore.*स्पष्ट नहीं हुआ/);
    expect(await whatsapp("say", "हाँ")).toMatch(/shop +हाँ\n.*AltScore.*धन्यवाद/);
    expect(await whatsapp("say", "RIGHTS")).toMatch(/आपके बारे में हमारे पास.*\n.*Narmada/);
    expect(await whatsapp("say", "HELP मेरा स्कोर ग़लत है")).toMatch(/आपकी शिकायत लिख ली गई है: grv_[0-9a-f]{16}/);
    expect(await whatsapp("say", "बंद.")).toContain("आपकी अनुमति वापस ले ली गई है");
    const all = await whatsapp("show");
    for (const part of ["चाहता है", "धन्यवाद", "RIGHTS", "वापस ले ली गई"]) expect(all).toContain(part);
  });

  it("presses the buttons of the newest notice, in either language", async () => {
    const phone = ["--phone", "9876500002"];
    await whatsapp("invite", "--language", "en", ...phone);
    expect(await whatsapp("press", "language", ...phone)).toContain("AltScore आपकी अनुमति चाहता है");
    expect(await whatsapp("press", "deny", ...phone)).toMatch(/\[अनुमति नहीं है\]\n.*अनुमति नहीं दी गई/);
  });

  it("says plainly what it cannot do", async () => {
    expect(await failing("press", "allow", "--phone", "9876500003")).toEqual([
      1,
      expect.stringContaining("No notice"),
    ]);
    expect(await failing("say")).toEqual([2, expect.stringContaining("one argument")]);
    expect(await failing("dance")).toEqual([2, expect.stringContaining("no command dance")]);
    expect(await failing("show", "--phone", "123")).toEqual([2, expect.stringContaining("10 digits")]);
    expect(await whatsapp("--help")).toContain("Usage: npm run -s whatsapp");
  });

  it("leaves no phone number in the Worker's log", () => {
    expect(readFileSync(join(state.dir, "worker.log"), "utf8")).not.toMatch(/98765000/);
  });
});

import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { anchorAudit, latestAnchor } from "../../src/audit/anchor.ts";
import { chainProblem, type Link } from "../../src/audit/chain.ts";
import { readExportedLine } from "../../src/audit/rows.ts";
import { storeRows } from "../../src/audit/store.ts";
import { type Anchor, anchorProblem, verifyStream } from "../../src/audit/verify.ts";
import { publicJwks } from "../../src/auth/keys.ts";
import { newUuid } from "../../src/lib/seams.ts";
import { exportAnchor, exportAudit } from "../../src/parties/provisioning.ts";
import { entry, newLog, streamOf } from "./support.ts";

const TRIGGERS = ["update", "delete", "replace"].map((act) => `audit_events_no_${act}`);

/** What somebody with the database's keys can do: take the triggers away, change, put them back. */
async function tamper(statement: string, ...values: unknown[]): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'",
  ).all<{ name: string; sql: string }>();
  expect(results.map((row) => row.name).sort()).toEqual(TRIGGERS.sort());
  await env.DB.batch(results.map(({ name }) => env.DB.prepare(`DROP TRIGGER ${name}`)));
  await env.DB.prepare(statement)
    .bind(...values)
    .run();
  await env.DB.batch(results.map(({ sql }) => env.DB.prepare(sql)));
}

async function newest(): Promise<Anchor> {
  return (await latestAnchor(env)) as Anchor;
}

const newStream = (): string => `events:${newUuid()}`;

/** What the Worker wrote to its log. */
const logged: string[] = [];

beforeEach(async () => {
  vi.stubGlobal("console", { ...console, log: (line: string) => logged.push(line) });
  logged.length = 0;
  await tamper("DELETE FROM audit_events");
  await env.DB.exec("DROP TRIGGER audit_anchors_no_delete");
  await env.DB.exec("DELETE FROM audit_anchors");
  await env.DB.exec(
    "CREATE TRIGGER audit_anchors_no_delete BEFORE DELETE ON audit_anchors BEGIN SELECT RAISE(ABORT, 'audit_anchors is append-only'); END",
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("the daily anchor", () => {
  it("signs where every stream stands, and vouches for an exported stream", async () => {
    const { log, stream } = newLog();
    await log.append([entry(), entry()]);
    await runDurableObjectAlarm(log);
    await anchorAudit(env);
    await log.append([entry()]);
    const anchor = await exportAnchor(env);
    expect(logged.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ anchor_hash: anchor.anchor_hash, signature: anchor.signature }),
    ]);
    expect(anchor).toMatchObject({ seq: 1, heads: [{ stream, seq: 2 }], problems: [] });
    expect(await anchorProblem(anchor, await publicJwks(env))).toBeNull();
    const { lines, next } = await exportAudit(env, { stream });
    expect(next).toBeNull();
    const rows = lines.map((line) => readExportedLine(line) as Link);
    expect(verifyStream(rows, anchor)).toEqual({ stream, problem: null, anchored_seq: 2 });
    expect(verifyStream(rows.slice(0, 1), anchor).problem).toBe("row 2 is missing: the anchor knows row 2");
  });

  it("follows the anchor before it, and its heads grow", async () => {
    const stream = newStream();
    const rows = streamOf(stream, ["a", "b", "c"]);
    for (const count of [1, 2, 3]) {
      await storeRows(env, stream, rows.slice(0, count));
      await anchorAudit(env);
    }
    const { results } = await env.DB.prepare(
      "SELECT canonical, anchor_hash AS row_hash FROM audit_anchors ORDER BY seq",
    ).all<Link>();
    expect(chainProblem(results)).toBeNull();
    expect(results).toHaveLength(3);
    expect((await newest()).heads).toEqual([{ stream, seq: 3, row_hash: rows[2]?.row_hash }]);
  });

  it("is not genuine with another head, another signature or an unknown key", async () => {
    await storeRows(env, "events:0", streamOf("events:0", ["a"]));
    await anchorAudit(env);
    const anchor = await newest();
    const jwks = await publicJwks(env);
    expect(await anchorProblem({ ...anchor, heads: [] }, jwks)).toBe("its hash does not match its content");
    expect(await anchorProblem({ ...anchor, signature: "0".repeat(128) }, jwks)).toBe(
      "its signature does not match",
    );
    expect(await anchorProblem(anchor, { keys: [] })).toBe("its key is not among the given ones");
  });

  it("checks many rows of many streams, page by page", async () => {
    const streams = Array.from({ length: 5 }, newStream).sort();
    const outcomes = Array.from({ length: 450 }, (_, index) => String(index));
    for (const stream of streams) await storeRows(env, stream, streamOf(stream, outcomes));
    await anchorAudit(env);
    expect((await newest()).heads.map(({ stream, seq }) => [stream, seq])).toEqual(
      streams.map((stream) => [stream, 450]),
    );
  });

  it.each([
    ["cut off", "DELETE FROM audit_events WHERE seq = 3", "row 3: is gone, the last anchor knows it"],
    ["emptied", "DELETE FROM audit_events", "row 3: is gone, the last anchor knows it"],
    [
      "changed at the anchored row",
      "UPDATE audit_events SET row_hash = 'x' WHERE seq = 3",
      "row 3: is not the one",
    ],
    [
      "changed since",
      "UPDATE audit_events SET canonical = '{}' WHERE seq = 4",
      "row 4: its hash does not match",
    ],
    ["thinned since", "DELETE FROM audit_events WHERE seq = 4", "row 4: does not follow the row before it"],
  ])(
    "tells of a stream that was %s, keeps its head, and fails the run, every day",
    async (_how, statement, problem) => {
      const stream = newStream();
      const rows = streamOf(stream, ["a", "b", "c", "d", "e"]);
      await storeRows(env, stream, rows.slice(0, 3));
      await anchorAudit(env);
      await storeRows(env, stream, rows);
      await tamper(statement);
      for (const seq of [2, 3]) {
        await expect(anchorAudit(env)).rejects.toThrow(`${stream}: ${problem}`);
        const anchor = await newest();
        expect(anchor.seq).toBe(seq);
        expect(anchor.heads).toEqual([{ stream, seq: 3, row_hash: rows[2]?.row_hash }]);
        expect(anchor.problems[0]?.problem).toContain(problem);
        expect(await anchorProblem(anchor, await publicJwks(env))).toBeNull();
      }
    },
  );

  it("is one anchor when two runs coincide", async () => {
    await storeRows(env, "events:1", streamOf("events:1", ["a"]));
    await Promise.allSettled([anchorAudit(env), anchorAudit(env)]);
    const { results } = await env.DB.prepare(
      "SELECT canonical, anchor_hash AS row_hash FROM audit_anchors ORDER BY seq",
    ).all<Link>();
    expect(chainProblem(results)).toBeNull();
  });
});

describe("an export", () => {
  it("goes on where the page before ended", async () => {
    const { log, stream } = newLog();
    await log.append(Array.from({ length: 3 }, () => entry()));
    const first = await exportAudit(env, { stream, limit: 2 });
    const second = await exportAudit(env, { stream, limit: 2, after: first.next ?? 0 });
    const rows = [...first.lines, ...second.lines].map((line) => readExportedLine(line) as Link);
    expect(rows).toHaveLength(3);
    expect(verifyStream(rows).problem).toBeNull();
    expect(second.next).toBeNull();
  });

  it("of a stream that nobody wrote, or of no stream's name, is refused", async () => {
    await expect(exportAudit(env, { stream: newStream() })).rejects.toMatchObject({
      code: "AUDIT_STREAM_UNKNOWN",
    });
    await expect(exportAudit(env, { stream: "secrets" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("of the anchor is refused before there is one", async () => {
    await expect(exportAnchor(env)).rejects.toMatchObject({ code: "AUDIT_NOT_ANCHORED" });
  });
});

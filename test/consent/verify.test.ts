import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type ConsentRecord, grantContent, type RecordContent } from "../../src/consent/record.ts";
import { verifyChains, verifyExport } from "../../src/consent/verify.ts";
import { sha256Hex } from "../../src/lib/bytes.ts";
import { canonicalJson } from "../../src/lib/jcs.ts";
import {
  ACT,
  append,
  changed,
  exportOf,
  lifeOf,
  NOTICE_SHOWN,
  newSigner,
  type TestSigner,
} from "./chains.ts";

type Export = Awaited<ReturnType<typeof exportOf>>;

let signer: TestSigner;
let life: ConsentRecord[];
let other: ConsentRecord[];
let exported: Export;
const jwks = () => ({ keys: [signer.jwk] });

beforeAll(async () => {
  signer = await newSigner("key-1");
  life = await lifeOf(signer);
  other = await lifeOf(signer, "ret_00000000000000bb");
  exported = await exportOf([...life, ...other.slice(0, 2)], signer);
});

const problemsOf = async (records: readonly unknown[]) => (await verifyChains(records, jwks())).problems;

describe("a whole export", () => {
  it("verifies: every chain, notice and seal, by the JWKS alone", async () => {
    expect(await verifyExport(exported, jwks())).toEqual({ valid: true, problems: [] });
    expect(await verifyExport(JSON.parse(JSON.stringify(exported)), jwks())).toMatchObject({ valid: true });
  });

  it("vouches by its seal for the retired keys inside", async () => {
    const retired = await newSigner("key-0");
    const old = await exportOf(await lifeOf(retired), signer, [retired, signer]);
    expect(await verifyExport(old, jwks())).toEqual({ valid: true, problems: [] });
    const forged = await exportOf(await lifeOf(retired), retired, [retired]);
    const { problems } = await verifyExport(forged, jwks());
    expect(problems[0]).toBe("its seal cannot be checked: key key-0 is not among the given ones");
    expect(problems[1]).toContain("record 1: its key key-0 is not among the given ones");
  });

  it("without a seal is not whole, because a cut-off end would not be seen", async () => {
    const { seal: _, ...unsealed } = exported;
    expect((await verifyExport(unsealed, jwks())).problems).toEqual([
      "it has no seal: records cut off at its end would not be seen",
    ]);
    expect((await verifyExport({ ...exported, records: life.slice(0, -1) }, jwks())).problems).toEqual([
      "its seal does not match: something in it was changed, added or left out",
    ]);
  });

  it("is not anything else", async () => {
    for (const given of [{}, [], { records: "none" }]) {
      expect((await verifyExport(given, jwks())).problems).toEqual([
        "it is not an export: it has no records",
      ]);
    }
    expect((await verifyExport({ records: [null, 7, "x", {}] }, jwks())).valid).toBe(false);
  });
});

describe("tampering", () => {
  it("with any byte of an export is found, and with any byte of a record by its chain alone", async () => {
    const text = canonicalJson(exported);
    const records_text = canonicalJson(life);
    const spoiled = (whole: string, at: number, by: string) => {
      const changed_text = whole.slice(0, at) + by + whole.slice(at + 1);
      try {
        const parsed = JSON.parse(changed_text) as object;
        // The same content in another spelling is no change.
        return canonicalJson(parsed) === whole ? null : parsed;
      } catch {
        return null;
      }
    };
    let found = 0;
    const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 1),
        fc.nat(records_text.length - 1),
        printable,
        async (at, at_record, by) => {
          const in_export = spoiled(text, at, by);
          if (in_export) {
            expect((await verifyExport(in_export, jwks())).valid).toBe(false);
            found++;
          }
          const in_records = spoiled(records_text, at_record, by);
          if (in_records) {
            expect((await verifyChains(in_records as unknown[], jwks())).valid).toBe(false);
            found++;
          }
        },
      ),
      { numRuns: 800 },
    );
    // Most bytes stand inside strings, so most changes are JSON still.
    expect(found).toBeGreaterThan(1_000);
  }, 60_000);

  it("by dropping, moving, repeating, exchanging or re-labelling records is found", async () => {
    const index = fc.nat(life.length - 1);
    const swap = (list: ConsentRecord[], a: number, b: number, fields: (keyof ConsentRecord)[]) => {
      const [x, y] = [list[a] as ConsentRecord, list[b] as ConsentRecord];
      for (const field of fields) {
        list[a] = { ...(list[a] as ConsentRecord), [field]: y[field] };
        list[b] = { ...(list[b] as ConsentRecord), [field]: x[field] };
      }
    };
    const whole = Object.keys(life[0] as ConsentRecord) as (keyof ConsentRecord)[];
    const tamperings: Record<string, (list: ConsentRecord[], a: number, b: number) => void> = {
      drop: (list, a) => list.splice(a, 1),
      move: (list, a, b) => list.splice(b, 0, ...list.splice(a, 1)),
      repeat: (list, a, b) => list.splice(b, 0, list[a] as ConsentRecord),
      exchange: (list, a, b) => swap(list, a, b, whole),
      signatures: (list, a, b) => swap(list, a, b, ["signature"]),
      seals: (list, a, b) => swap(list, a, b, ["signature", "record_hash"]),
      relabel: (list, a, b) => {
        list[b] = { ...(other[a] as ConsentRecord), retailer_id: ACT.retailer_id };
      },
    };
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(tamperings)), index, index, async (kind, a, b) => {
        const list = [...life];
        tamperings[kind]?.(list, a, b);
        if (canonicalJson(list) === canonicalJson(life)) return;
        expect((await verifyExport({ ...exported, records: list }, jwks())).valid).toBe(false);
        // Without the seal only a cut-off end cannot be told from a shorter history.
        const cut_off = kind === "drop" && a === life.length - 1;
        expect((await verifyChains(list, jwks())).valid).toBe(cut_off);
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  it("is found even if all hashes are made to fit: the signatures do not", async () => {
    let prev_hash = "0".repeat(64);
    const forged = life.slice(0, 2).map(({ record_hash: _, signature, key_id, ...content }) => {
      const edited = { ...content, prev_hash, lender_id: "lender_c" };
      prev_hash = sha256Hex(canonicalJson(edited));
      return { ...edited, record_hash: prev_hash, signature, key_id };
    });
    expect(await problemsOf(forged)).toEqual([
      "ret_00000000000000aa record 1: its signature does not match",
      "ret_00000000000000aa record 2: its signature does not match",
    ]);
  });

  it("with a notice is found, and so is a notice that was not the one shown", async () => {
    const edited = { ...NOTICE_SHOWN, text: "May everybody see your score?" };
    expect((await verifyChains(life.slice(0, 1), jwks(), [edited])).problems).toEqual([
      "notice trade-score 1 (en): its text does not match its hash",
    ]);
    const exchanged = { ...edited, sha256: sha256Hex(edited.text) };
    expect((await verifyChains(life.slice(0, 1), jwks(), [exchanged])).problems).toEqual([
      "ret_00000000000000aa record 1: the given text of notice trade-score 1 is not the one that was shown",
    ]);
  });

  it("trusts no key but the given ones", async () => {
    const stranger = { ...(await newSigner("key-1")).jwk };
    expect((await verifyChains(life, { keys: [stranger] })).valid).toBe(false);
    expect((await verifyChains(life, { keys: [] })).valid).toBe(false);
    const secret = { kty: "oct", k: "AAAA", kid: "key-1" };
    expect((await verifyChains(life, { keys: [secret] })).valid).toBe(false);
  });
});

describe("a record that is rightly signed but says what cannot be", () => {
  /** What verifying finds after the grant (0), or after grant and pause (1), and this record. */
  const next = async (content: (grant: ConsentRecord) => RecordContent, before: RecordContent[] = []) => {
    let chain = life.slice(0, 1);
    for (const earlier of before) chain = await append(chain, earlier, signer);
    const problems = await problemsOf(await append(chain, content(life[0] as ConsentRecord), signer));
    return problems.map((problem) => problem.replace(/^.* record \d+: /, ""));
  };
  const grant = (changes: Partial<RecordContent>) => ({
    ...grantContent(ACT, "cns_00000000000000ff", "lender_c"),
    ...changes,
  });
  const AT = "2026-12-01T00:00:00.000Z";
  const revocation = () => changed(life[0] as ConsentRecord, "REVOKED", AT);

  it.each<[string, () => Promise<string[]>]>([
    ["makes a consent that was REVOKED ACTIVE", () => next((g) => changed(g, "ACTIVE", AT), [revocation()])],
    ["makes a consent that was REVOKED PAUSED", () => next((g) => changed(g, "PAUSED", AT), [revocation()])],
    [
      "makes a consent that was REVOKED REVOKED",
      () => next((g) => changed(g, "REVOKED", AT), [revocation()]),
    ],
    ["makes a consent that was ACTIVE ACTIVE", () => next((g) => changed(g, "ACTIVE", AT))],
    ["expires a consent before its end", () => next((g) => changed(g, "EXPIRED", AT))],
    ["changes a consent that has run out", () => next((g) => changed(g, "PAUSED", ACT.expires_at))],
    [
      "does not repeat the terms of its grant",
      () => next((g) => ({ ...changed(g, "PAUSED", AT), lender_id: "lender_x" })),
    ],
    [
      "does not point at the record of its grant",
      () =>
        next((g) => ({ ...changed(g, "PAUSED", AT), grant_record: { seq: 1, record_hash: "f".repeat(64) } })),
    ],
    [
      "changes a consent that was not granted before it",
      () => next(() => grant({ grant_record: { seq: 1, record_hash: "" } })),
    ],
    ["begins a consent as PAUSED", () => next(() => grant({ status: "PAUSED" }))],
    ["has no declaration that the retailer is an adult", () => next(() => grant({ adult_declared: false }))],
    ["lasts longer than 12 months", () => next(() => grant({ expires_at: "2027-11-22T06:00:00.001Z" }))],
    ["ends before it begins", () => next(() => grant({ expires_at: ACT.granted_at }))],
    ["has the unknown version 3", () => next(() => grant({ version: 3 as 2 }))],
  ])("%s", async (problem, found) => {
    expect(await found()).toEqual([problem]);
  });

  it("but takes records of the first version", async () => {
    const { frequency: _f, data_life: _d, change: _c, ...first } = grant({ version: 1 as unknown as 2 });
    expect(await next(() => first as RecordContent)).toEqual([]);
  });
});

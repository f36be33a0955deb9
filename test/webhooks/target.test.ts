import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseEnv } from "../../src/config.ts";
import { isPublicAddress } from "../../src/webhooks/addresses.ts";
import { dnsOverHttps, type Resolver } from "../../src/webhooks/resolver.ts";
import { checkTarget, TargetRefused } from "../../src/webhooks/target.ts";
import { fakeNetwork, PUBLIC_V4, PUBLIC_V6 } from "./support.ts";

afterEach(() => vi.restoreAllMocks());

/** Addresses of each refused range: its first, its last, and one between. */
const REFUSED_V4: [string, number][] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

const dotted = (value: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
const numeric = (text: string) => text.split(".").reduce((value, part) => value * 256 + Number(part), 0);

const refusedV4 = fc.constantFrom(...REFUSED_V4).chain(([first, bits]) => {
  const size = 2 ** (32 - bits);
  return fc
    .oneof(fc.constant(0), fc.constant(size - 1), fc.integer({ min: 0, max: size - 1 }))
    .map((offset) => numeric(first) + offset);
});

const resolvesTo =
  (...addresses: string[]): Resolver =>
  async () =>
    addresses;
const check = (url: string, resolve: Resolver = resolvesTo(PUBLIC_V4)) =>
  checkTarget(url, { allow_local: false, resolve });
const refuses = (url: string, resolve?: Resolver) =>
  expect(check(url, resolve), url).rejects.toThrow(TargetRefused);

describe("isPublicAddress", () => {
  it("refuses every address of the special ranges of IPv4, and accepts their outer neighbours", () => {
    fc.assert(fc.property(refusedV4, (value) => !isPublicAddress(dotted(value))));
    for (const text of ["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"]) {
      expect(isPublicAddress(text), text).toBe(true);
    }
    for (const text of ["126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "172.15.255.255"]) {
      expect(isPublicAddress(text), text).toBe(true);
    }
    for (const text of ["172.32.0.0", "192.167.255.255", "192.169.0.0", "198.20.0.0", "223.255.255.255"]) {
      expect(isPublicAddress(text), text).toBe(true);
    }
  });

  it.each([
    ["unspecified", "::"],
    ["loopback", "::1"],
    ["mapped IPv4", "::ffff:8.8.8.8"],
    ["mapped loopback in hex", "::ffff:7f00:1"],
    ["compatible IPv4", "::127.0.0.1"],
    ["NAT64", "64:ff9b::7f00:1"],
    ["local NAT64", "64:ff9b:1::1"],
    ["discard", "100::1"],
    ["Teredo", "2001::1"],
    ["documentation", "2001:db8::1"],
    ["new documentation", "3fff::1"],
    ["6to4 of a private address", "2002:a00:1::1"],
    ["unique local", "fc00::1"],
    ["metadata service", "fd00:ec2::254"],
    ["link-local", "fe80::1"],
    ["site-local", "fec0::1"],
    ["multicast", "ff02::1"],
  ])("refuses IPv6 %s", (_what, text) => {
    expect(isPublicAddress(text)).toBe(false);
  });

  it("refuses IPv6 outside global unicast whatever the rest, in any spelling", () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, fc.boolean(), (values, upper) => {
        const [first = 0] = values;
        fc.pre(first < 0x2000 || first > 0x3fff);
        const text = values.map((group) => group.toString(16)).join(":");
        expect(isPublicAddress(upper ? text.toUpperCase() : text)).toBe(false);
      }),
    );
    for (const text of [PUBLIC_V6, "2606:4700::6810:84e5", "2404:6800:4002:80A::200E"]) {
      expect(isPublicAddress(text), text).toBe(true);
    }
  });

  it("takes nothing that is not an address for a public one", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^[\d.]+$/.test(text) && !text.includes(":"));
        expect(isPublicAddress(text)).toBe(false);
      }),
    );
    for (const text of [
      "8.8.8",
      "8.8.8.8.8",
      "08.8.8.8",
      "8.8.8.256",
      "8.8.8.8 ",
      "0x8.8.8.8",
      "[2600::1]",
    ]) {
      expect(isPublicAddress(text), text).toBe(false);
    }
  });
});

describe("checkTarget", () => {
  it("accepts https on 443 and 8443, in the spelling of the URL standard", async () => {
    expect(await check("HTTPS://Hooks.Lender.co.in:443/a?b=c#d")).toBe("https://hooks.lender.co.in/a?b=c");
    expect(await check("https://hooks.lender.co.in:8443/")).toBe("https://hooks.lender.co.in:8443/");
    expect(await check("https://8.8.8.8/")).toBe("https://8.8.8.8/");
    expect(await check(`https://[${PUBLIC_V6}]/`)).toBe(`https://[${PUBLIC_V6}]/`);
    expect(await check("https://हुक.भारत/")).toMatch(/^https:\/\/xn--/);
  });

  it("refuses every spelling of a refused IPv4 address: dotted, decimal, hex, octal, short, mapped", async () => {
    await fc.assert(
      fc.asyncProperty(refusedV4, async (value) => {
        const parts = dotted(value).split(".").map(Number);
        const last_three = value % 2 ** 24;
        await Promise.all(
          [
            dotted(value),
            String(value),
            `0x${value.toString(16)}`,
            `0${value.toString(8)}`,
            parts.map((part) => `0x${part.toString(16)}`).join("."),
            parts.map((part) => `0${part.toString(8)}`).join("."),
            `${parts[0]}.${last_three}`,
            `${dotted(value)}.`,
            `[::ffff:${dotted(value)}]`,
          ].map((host) => refuses(`https://${host}/`)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ["plain HTTP", "http://hooks.lender.co.in/"],
    ["another scheme", "ftp://hooks.lender.co.in/"],
    ["no URL", "hooks.lender.co.in"],
    ["a user name", "https://user@hooks.lender.co.in/"],
    ["a password", "https://:secret@hooks.lender.co.in/"],
    ["a host hidden behind user-info", "https://hooks.lender.co.in@127.0.0.1/"],
    ["another port", "https://hooks.lender.co.in:22/"],
    ["port 80", "https://hooks.lender.co.in:80/"],
    ["localhost", "https://localhost/"],
    ["localhost with a dot", "https://localhost./"],
    ["a name under localhost", "https://a.localhost/"],
    ["a name of one label", "https://intranet/"],
    [".internal", "https://metadata.google.internal/"],
    [".internal with a dot", "https://metadata.google.internal./"],
    [".local", "https://printer.local/"],
    ["home.arpa", "https://nas.home.arpa/"],
    ["the metadata address", "https://169.254.169.254/latest/meta-data/"],
    ["the metadata address of IPv6", "https://[fd00:ec2::254]/"],
    ["loopback of IPv6", "https://[::1]/"],
  ])("refuses %s", async (_what, url) => {
    await refuses(url);
  });

  it("does not take a private name's ending for the name itself", async () => {
    expect(await check("https://notlocal.in/")).toBe("https://notlocal.in/");
    expect(await check("https://internal.lender.co.in/")).toBe("https://internal.lender.co.in/");
  });

  it("refuses a name of which any address is not public, and one without an address", async () => {
    const url = "https://hooks.lender.co.in/";
    await fc.assert(
      fc.asyncProperty(refusedV4, fc.nat(2), async (value, position) => {
        const addresses = [PUBLIC_V4, PUBLIC_V6];
        addresses.splice(position, 0, dotted(value));
        await refuses(url, resolvesTo(...addresses));
      }),
      { numRuns: 30 },
    );
    await refuses(url, resolvesTo("::1"));
    await refuses(url, resolvesTo());
    await refuses(url, resolvesTo("not an address"));
  });

  it("says nothing good of a name that cannot be looked up", async () => {
    const down: Resolver = () => Promise.reject(new Error("down"));
    await expect(check("https://hooks.lender.co.in/", down)).rejects.toThrow("down");
  });

  it("lets local and plain-HTTP targets pass by the switch, without a look-up", async () => {
    const rules = { allow_local: true, resolve: () => Promise.reject(new Error("asked")) };
    expect(await checkTarget("http://127.0.0.1:9000/a", rules)).toBe("http://127.0.0.1:9000/a");
    await expect(checkTarget("ftp://127.0.0.1/", rules)).rejects.toThrow(TargetRefused);
    await expect(checkTarget("http://u:p@127.0.0.1/", rules)).rejects.toThrow(TargetRefused);
  });
});

describe("the switch for local targets", () => {
  /** What keeps the Worker from starting; empty if nothing does. */
  const problems = (settings: Record<string, string>): string => {
    try {
      parseEnv({ ...env, ...settings });
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  it("is off unless set, and keeps production from starting", () => {
    expect(parseEnv({ ...env }).WEBHOOKS_ALLOW_LOCAL).toBe("false");
    expect(parseEnv({ ...env, WEBHOOKS_ALLOW_LOCAL: "true" }).WEBHOOKS_ALLOW_LOCAL).toBe("true");
    expect(problems({ ENVIRONMENT: "local", WEBHOOKS_ALLOW_LOCAL: "true" })).toBe("");
    expect(problems({ WEBHOOKS_ALLOW_LOCAL: "yes" })).toContain("WEBHOOKS_ALLOW_LOCAL");
    const production = { ENVIRONMENT: "production" };
    expect(problems({ ...production, WEBHOOKS_ALLOW_LOCAL: "true" })).toContain("WEBHOOKS_ALLOW_LOCAL");
    expect(problems({ ...production, WEBHOOKS_ALLOW_LOCAL: "false" })).not.toContain("WEBHOOKS");
  });
});

describe("dnsOverHttps", () => {
  it("gives A and AAAA together and leaves aliases out", async () => {
    const network = fakeNetwork();
    network.dns.set("hooks.lender.co.in", [PUBLIC_V4, PUBLIC_V6]);
    expect(await dnsOverHttps("hooks.lender.co.in")).toEqual([PUBLIC_V4, PUBLIC_V6]);
    expect(await dnsOverHttps("nobody.co.in")).toEqual([]);
  });

  it("throws if the servers fail, so that nothing is taken for an empty answer", async () => {
    fakeNetwork().dns_status = 2;
    await expect(dnsOverHttps("hooks.lender.co.in")).rejects.toThrow("DNS");
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response("busy", { status: 503 }));
    await expect(dnsOverHttps("hooks.lender.co.in")).rejects.toThrow("503");
  });
});

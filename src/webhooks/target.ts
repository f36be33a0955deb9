import type { Config } from "../config.ts";
import { isIpv4, isPublicAddress } from "./addresses.ts";
import { dnsOverHttps, type Resolver } from "./resolver.ts";

/** Ports a receiver may listen on. The empty one is the scheme's own. */
const PORTS = new Set(["", "8443"]);
/** Names that mean something only inside a network (RFC 6761, RFC 8375, ICANN's `.internal`). */
const PRIVATE_NAME =
  /(^|\.)(localhost|local|internal|localdomain|lan|home\.arpa|test|example|invalid|onion)$/;

/** A URL that webhooks may not go to; the message says why and is shown to the lender. */
export class TargetRefused extends Error {}

/** How to check a target. */
export interface TargetRules {
  /** Local and plain-HTTP targets too: for tests and for trying a receiver on one machine. */
  allow_local: boolean;
  resolve: Resolver;
}

/** The rules of this environment, with names resolved by DNS over HTTPS. */
export function targetRules(config: Config): TargetRules {
  return { allow_local: config.WEBHOOKS_ALLOW_LOCAL === "true", resolve: dnsOverHttps };
}

/**
 * Checks that a URL is https, on port 443 or 8443, and names a host all of whose addresses are public; returns it in
 * the one spelling of the URL standard, in which IPv4 in decimal, hex or octal is dotted. Throws TargetRefused, or what the
 * resolver throws.
 */
export async function checkTarget(text: string, rules: TargetRules): Promise<string> {
  const url = parseTarget(text);
  if (rules.allow_local) {
    if (!["https:", "http:"].includes(url.protocol))
      throw new TargetRefused("The URL must be http or https.");
    return url.href;
  }
  if (url.protocol !== "https:") throw new TargetRefused("The URL must be https.");
  if (!PORTS.has(url.port)) throw new TargetRefused("The port must be 443 or 8443.");
  const addresses = literalAddress(url.hostname) ?? (await addressesOf(url.hostname, rules.resolve));
  if (!addresses.every(isPublicAddress)) {
    throw new TargetRefused("The host must have public addresses only.");
  }
  return url.href;
}

function parseTarget(text: string): URL {
  if (!URL.canParse(text)) throw new TargetRefused("This is not a URL.");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    throw new TargetRefused("The URL must not carry a user name or password.");
  }
  url.hash = "";
  return url;
}

function literalAddress(hostname: string): string[] | null {
  if (hostname.startsWith("[")) return [hostname.slice(1, -1)];
  return isIpv4(hostname) ? [hostname] : null;
}

async function addressesOf(hostname: string, resolve: Resolver): Promise<string[]> {
  const name = hostname.replace(/\.$/, "");
  if (!name.includes(".") || PRIVATE_NAME.test(name)) {
    throw new TargetRefused("The host name must be a public one.");
  }
  const addresses = await resolve(name);
  if (addresses.length === 0) throw new TargetRefused("The host name has no address.");
  return addresses;
}

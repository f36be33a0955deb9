/**
 * Which internet addresses are public. By exclusion for IPv4, whose space is all handed out; for IPv6 only global
 * unicast counts, so that whatever is reserved later is refused already.
 */

interface Range {
  first: bigint;
  bits: number;
}

const IPV4_BITS = 32;
const IPV6_BITS = 128;

/** IANA IPv4 Special-Purpose Address Registry, and one cloud's metadata service that hides in public space. */
const IPV4_REFUSED = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
].map(ipv4Range);

/** Loopback, mapped and translated IPv4, unique local, link-local and multicast all lie outside it. */
const IPV6_GLOBAL = ipv6Range("2000::/3");
/** IETF protocol assignments (Teredo, benchmarking), 6to4, and the two documentation prefixes. */
const IPV6_REFUSED = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].map(ipv6Range);

/** True for a textual IP address (dotted IPv4, or IPv6 without brackets) that is public; false for anything else. */
export function isPublicAddress(text: string): boolean {
  const v4 = parseIpv4(text);
  if (v4 !== null) return !IPV4_REFUSED.some((range) => within(v4, range, IPV4_BITS));
  const v6 = parseIpv6(text);
  if (v6 === null || !within(v6, IPV6_GLOBAL, IPV6_BITS)) return false;
  return !IPV6_REFUSED.some((range) => within(v6, range, IPV6_BITS));
}

/** True for four decimal numbers with dots, as URLs and DNS answers spell IPv4. */
export function isIpv4(text: string): boolean {
  return parseIpv4(text) !== null;
}

function parseIpv4(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4 || parts.some((part) => !/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255)) {
    return null;
  }
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | null {
  if (!/^[0-9a-f:.]+$/i.test(text) || !URL.canParse(`http://[${text}]/`)) return null;
  // The URL parser gives one spelling: lower-case groups of hex digits with one `::`, no dotted tail.
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [head = "", tail = ""] = canonical.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function within(address: bigint, { first, bits }: Range, width: number): boolean {
  const host_bits = BigInt(width - bits);
  return address >> host_bits === first >> host_bits;
}

function ipv4Range(cidr: string): Range {
  return range(cidr, parseIpv4);
}

function ipv6Range(cidr: string): Range {
  return range(cidr, parseIpv6);
}

function range(cidr: string, parse: (text: string) => bigint | null): Range {
  const [first = "", bits = ""] = cidr.split("/");
  return { first: parse(first) as bigint, bits: Number(bits) };
}

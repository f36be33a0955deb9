/** The part of `request.cf.tlsClientAuth` that is looked at; all strings, absent where TLS ended elsewhere. */
export type TlsClientAuth = Partial<
  Record<
    | "certPresented"
    | "certVerified"
    | "certRevoked"
    | "certFingerprintSHA256"
    | "certNotBefore"
    | "certNotAfter",
    string
  >
>;

/** What the TLS layer says of the client certificate: its fingerprint in lower case, or why it is refused (for the log). */
export type CertificateCheck = { ok: true; fingerprint: string } | { ok: false; cause: string };

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const OPENSSL_TIME = /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4}) GMT$/;

/** Unix ms of an OpenSSL-style time such as `Dec 22 19:39:00 2018 GMT`; NaN if it is not one. */
export function opensslTimeMs(text: string): number {
  const parts = OPENSSL_TIME.exec(text);
  if (!parts) return Number.NaN;
  const [, month = "", day = "", hour, minute, second, year] = parts;
  const number = MONTHS.indexOf(month) + 1;
  const iso = `${year}-${String(number).padStart(2, "0")}-${day.padStart(2, "0")}T${hour}:${minute}:${second}.000Z`;
  const ms = Date.parse(iso);
  // Date.parse is lenient about days a month does not have.
  return Number.isNaN(ms) || new Date(ms).toISOString() !== iso ? Number.NaN : ms;
}

/**
 * The first half of the first factor (api.md §5, cloudflare-and-whatsapp.md A): presented, verified, not revoked, in date,
 * with a fingerprint. Cloudflare leaves `certVerified` at SUCCESS for a revoked certificate, hence the separate look.
 * Whatever is missing or unreadable refuses.
 */
export function checkCertificate(tls: TlsClientAuth | undefined, now_ms: number): CertificateCheck {
  const refuse = (cause: string): CertificateCheck => ({ ok: false, cause });
  if (!tls) return refuse("no_tls_client_auth");
  if (tls.certPresented !== "1") return refuse("not_presented");
  if (tls.certVerified !== "SUCCESS") return refuse("not_verified");
  if (tls.certRevoked !== "0") return refuse("revoked");
  if (!(opensslTimeMs(tls.certNotBefore ?? "") <= now_ms)) return refuse("not_yet_valid");
  if (!(now_ms <= opensslTimeMs(tls.certNotAfter ?? ""))) return refuse("expired");
  const fingerprint = tls.certFingerprintSHA256?.toLowerCase();
  return fingerprint ? { ok: true, fingerprint } : refuse("no_fingerprint");
}

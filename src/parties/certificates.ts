import type { Env } from "../env.ts";
import type { CertificateIssuer } from "./certificate-issuer.ts";
import { ProvisioningError } from "./errors.ts";

/** Secrets kept in one line (`.dev.vars`) carry their line breaks as `\n`. */
function pem(text: string): string {
  return text.replaceAll("\\n", "\n");
}

/**
 * The issuer with our own certificate authority, from the secrets CLIENT_CA_CERT and CLIENT_CA_KEY (PKCS #8), both PEM.
 * Throws ProvisioningError CA_UNAVAILABLE if they are missing or do not belong together. The X.509 library
 * is loaded on first use: only onboarding needs it, every start of an isolate would pay for it.
 */
export async function certificateIssuer(env: Env): Promise<CertificateIssuer> {
  const { CLIENT_CA_CERT, CLIENT_CA_KEY } = env;
  if (!CLIENT_CA_CERT || !CLIENT_CA_KEY) {
    throw new ProvisioningError(
      "CA_UNAVAILABLE",
      "the secrets CLIENT_CA_CERT and CLIENT_CA_KEY (PEM) are not set, so no certificate can be issued",
    );
  }
  const { OwnAuthority } = await import("./x509.ts");
  return OwnAuthority.open(pem(CLIENT_CA_CERT), pem(CLIENT_CA_KEY));
}

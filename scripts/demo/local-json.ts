import { writePrivateJson } from "../lib/files.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { NOTICES } from "./notices.ts";
import type { Parties } from "./parties.ts";

/** Writes local.json (mode 600): how tools reach the running system. Paths in it are absolute. */
export function writeLocalJson(runtime: Runtime, parties: Parties): void {
  writePrivateJson(runtime.layout.local_json, {
    base_url: runtime.base_url,
    mtls_url: runtime.mtls_url,
    ca_cert: runtime.ca_cert,
    lenders: Object.values(parties.lenders),
    services: Object.values(parties.services),
    distributors: Object.values(parties.distributors),
    phone_pepper: runtime.secrets.PHONE_PEPPER,
    notices: NOTICES.map(({ notice_id, notice_version, language }) => ({
      notice_id,
      notice_version,
      language,
    })),
    whatsapp: {
      app_secret: runtime.secrets.WHATSAPP_APP_SECRET,
      verify_token: runtime.secrets.WHATSAPP_VERIFY_TOKEN,
    },
  });
}

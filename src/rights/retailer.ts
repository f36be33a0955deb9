import { orUnavailable } from "../consent/fail-safe.ts";
import type { Env } from "../env.ts";
import { AppError } from "../http/errors.ts";
import { aliasesOf, canonicalRetailer } from "../retailers/store.ts";

/** A retailer as the rights module knows it. */
export interface DataPrincipal {
  /** Canonical id. */
  retailer_id: string;
  /** That one and all that were merged into it. */
  aliases: string[];
}

/** The retailer behind an id, merged or not. Throws RETAILER_NOT_FOUND, SERVICE_UNAVAILABLE if D1 fails. */
export function dataPrincipal(env: Env, named: string): Promise<DataPrincipal> {
  return orUnavailable(async () => {
    const retailer_id = await canonicalRetailer(env, named);
    if (retailer_id === null) throw new AppError("RETAILER_NOT_FOUND");
    return { retailer_id, aliases: await aliasesOf(env, retailer_id) };
  });
}

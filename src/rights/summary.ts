import { parseEnv } from "../config.ts";
import { orUnavailable } from "../consent/fail-safe.ts";
import { activeConsentsOfRetailer } from "../consent/lookup.ts";
import { dataFiduciary } from "../consent/record.ts";
import { consentHistory } from "../consent/service.ts";
import type { Env } from "../env.ts";
import { grievancesOf } from "../grievance/store.ts";
import { nowIso } from "../lib/seams.ts";
import { namesById } from "../parties/store.ts";
import { profilesOf } from "../retailers/store.ts";
import { scoreDates } from "../score/store.ts";
import { findNominee } from "./nominee.ts";
import { countRequests } from "./requests.ts";
import type { DataPrincipal } from "./retailer.ts";
import type { RightsSummary } from "./schemas.ts";

/** Newest scores listed by their days; the count tells of the others. */
const MAX_SCORES = 366;

/**
 * What is held about a retailer and who may see what of it (DPDP Act s.11): counts, names and dates, no amounts and no
 * score values. Throws SERVICE_UNAVAILABLE if D1 or a ledger fails: half a summary would be a wrong one.
 */
export function summarize(env: Env, principal: DataPrincipal): Promise<RightsSummary> {
  const { retailer_id, aliases } = principal;
  return orUnavailable(async () => {
    const [profiles, consents, history, scores, grievances, requests, nominee] = await Promise.all([
      profilesOf(env, [retailer_id]),
      activeConsentsOfRetailer(env, retailer_id),
      consentHistory(env, retailer_id),
      scoreDates(env, aliases, MAX_SCORES),
      grievancesOf(env, aliases),
      countRequests(env, principal),
      findNominee(env, principal),
    ]);
    const distributor_ids = profiles.flatMap((profile) => profile.distributor_ids);
    const lender_ids = consents.map((consent) => consent.lender_id);
    const [rows, names] = await Promise.all([
      countRows(env, distributor_ids, aliases),
      namesById(env, [...distributor_ids, ...lender_ids]),
    ]);
    const nameOf = (id: string) => names.get(id) ?? id;
    const counts: Record<RightsSummary["categories"][number]["category"], number> = {
      ...rows,
      consent_records: history.records.length,
      scores: scores.count,
      grievances: grievances.length,
      requests,
      nominee: nominee ? 1 : 0,
    };
    return {
      retailer_id,
      generated_at: nowIso(),
      data_fiduciary: dataFiduciary(parseEnv(env)),
      categories: (Object.keys(counts) as (keyof typeof counts)[]).map((category) => ({
        category,
        count: counts[category],
      })),
      distributors: distributor_ids.map((distributor_id) => ({
        distributor_id,
        name: nameOf(distributor_id),
      })),
      lenders: consents.map(({ lender_id, purposes, granted_at, expires_at }) => ({
        lender_id,
        name: nameOf(lender_id),
        purposes,
        granted_at,
        expires_at,
      })),
      scores: scores.newest,
      grievances,
    };
  });
}

/** The rows of the retailer in all ledgers. */
async function countRows(env: Env, distributor_ids: readonly string[], aliases: string[]) {
  const ledgers = await Promise.all(
    distributor_ids.map((id) =>
      env.DISTRIBUTOR_LEDGER.get(env.DISTRIBUTOR_LEDGER.idFromName(id)).holdings(aliases),
    ),
  );
  const total = { invoices: 0, credit_notes: 0, payments: 0, earlier_versions: 0 };
  for (const held of ledgers) {
    total.invoices += held.invoices;
    total.credit_notes += held.credit_notes;
    total.payments += held.payments;
    total.earlier_versions += held.earlier_versions;
  }
  return total;
}

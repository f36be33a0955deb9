import { appendAudit } from "../audit/log.ts";
import { consentsOfRetailer } from "../consent/lookup.ts";
import type { GivenEvidence } from "../consent/record.ts";
import type { ChangeRequest, GrantRequest } from "../consent/schemas.ts";
import { recordGrant, recordRevocation } from "../consent/service.ts";
import type { Env } from "../env.ts";
import { AppError } from "../http/errors.ts";
import type { Language } from "../http/language.ts";
import type { Purpose } from "../http/schemas.ts";
import { allowedTimes, type FullInvitation, grantGuard, loadChat } from "./conversation.ts";
import { type ShownNotice, stands } from "./dialogue.ts";
import type { TextKey } from "./texts.ts";

/** The name under which this channel records. */
const RECORDED_BY = "whatsapp";

/** What the retailer is told when the consent is in line with what was said. */
export interface Told {
  text: TextKey;
  dedupe_key: string;
  /** An instant to name in the text. */
  date?: string;
}

/** An answer to a notice: the message, and the notice that it answers. */
export interface AnswerGiven {
  phone_hash: string;
  invitation_id: string;
  said: "allow" | "deny";
  notice: ShownNotice;
  wamid: string;
  evidence: GivenEvidence;
}

/**
 * Brings the consent of an invitation in line with its fields: grants what stands, revokes what does not. Idempotent;
 * throws SERVICE_UNAVAILABLE if it is not known to have happened, and is to be called again then.
 */
export async function settle(env: Env, answer: AnswerGiven): Promise<Told | null> {
  const { phone_hash, invitation_id, said, wamid } = answer;
  const dedupe_key = `reply/${wamid}`;
  const chat = await loadChat(env, phone_hash, answer.notice.language);
  const invitation = chat.invitations.find((row) => row.invitation_id === invitation_id);
  if (!invitation) return null;
  const granted = chat.grants.find((row) => row.invitation_id === invitation_id);
  if (stands(invitation, chat.stopped_s)) {
    if (granted || (await grant(env, invitation, answer)) === "granted") {
      // A refusal that is older than the Allow changes nothing, and needs no word.
      const told = {
        text: "granted",
        dedupe_key: `granted/${invitation_id}`,
        date: invitation.expires_at,
      } as const;
      return said === "allow" ? told : null;
    }
    return { text: "not_recorded", dedupe_key };
  }
  if (granted) {
    // An Allow is no evidence of a revocation: it only made known that an earlier refusal covers the grant.
    const shown = said === "deny" ? { wa_message_id: wamid, evidence: answer.evidence } : {};
    await revoke(env, { consent_ids: [...granted.consent_ids], reason: "refused in the chat", ...shown });
    return { text: said === "deny" ? "stopped" : "too_late", dedupe_key };
  }
  if (said === "allow") return { text: "too_late", dedupe_key };
  await appendAudit(env, {
    type: "consent.refused",
    actor: { kind: "retailer", id: chat.retailer_ids[0] ?? null },
    subject: invitation_id,
    outcome: "refused",
    details: { channel: "whatsapp" },
    event_id: `${invitation_id}:refused`,
  });
  return { text: "refused", dedupe_key };
}

/** Records the grant, or says that it is refused for good. */
async function grant(
  env: Env,
  invitation: FullInvitation,
  { notice, wamid, phone_hash, evidence }: AnswerGiven,
): Promise<"granted" | "refused"> {
  const { invitation_id, retailer_id } = invitation;
  const request: GrantRequest = {
    retailer_phone_hash: retailer_id === null ? phone_hash : null,
    retailer_id,
    distributor_id: invitation.distributor_id,
    lender_ids: JSON.parse(invitation.lender_ids) as string[],
    purposes: JSON.parse(invitation.purposes) as Purpose[],
    channel: "whatsapp",
    wa_message_id: wamid,
    language: notice.language,
    notice_id: invitation.notice_id,
    notice_version: invitation.notice_version,
    expires_ms: Date.parse(invitation.expires_at),
    // Declared with the invitation, which is refused without.
    adult_declared: true,
    evidence,
  };
  try {
    await recordGrant(env, request, RECORDED_BY, (db, { retailer_id: granted_id, consents }) => [
      grantGuard(
        db,
        { invitation_id, phone_hash },
        { retailer_id: granted_id, consent_ids: consents.map(({ consent_id }) => consent_id) },
      ),
    ]);
    return "granted";
  } catch (cause) {
    // Doubt, a busy chain, or the guard: the message is worked off again and sees what holds then.
    if (!(cause instanceof AppError) || cause.code === "SERVICE_UNAVAILABLE") throw cause;
    console.error(JSON.stringify({ whatsapp: "grant refused", invitation_id, error_code: cause.code }));
    return "refused";
  }
}

/** A STOP: which phone, which message, when (message time, s). */
export interface StopSaid {
  phone_hash: string;
  wamid: string;
  at_s: number;
  language: Language;
  evidence: GivenEvidence;
}

/**
 * Revokes every consent of every retailer of the phone that is not younger than the STOP, whatever its channel;
 * when it resolves no lender sees a score under them. Nothing is said if a younger permission stands.
 */
export async function stop(env: Env, said: StopSaid): Promise<Told | null> {
  const { phone_hash, wamid, at_s, evidence } = said;
  const chat = await loadChat(env, phone_hash, said.language);
  for (const retailer_id of chat.retailer_ids) {
    const [consents, times] = await Promise.all([
      consentsOfRetailer(env, retailer_id),
      allowedTimes(env, retailer_id),
    ]);
    const ended = consents.filter(({ consent_id, granted_at }) => {
      const given_s = times.get(consent_id) ?? Math.floor(Date.parse(granted_at) / 1000);
      return given_s <= at_s;
    });
    if (ended.length === 0) continue;
    await revoke(env, {
      consent_ids: ended.map(({ consent_id }) => consent_id),
      reason: "STOP in the chat",
      // A message is evidence of one act; where it ends the consents of several shops, each act names its shop.
      wa_message_id: chat.retailer_ids.length === 1 ? wamid : `${wamid}/${retailer_id}`,
      evidence,
    });
  }
  if (chat.invitations.some((invitation) => stands(invitation, chat.stopped_s))) return null;
  return { text: "stopped", dedupe_key: `reply/${wamid}` };
}

async function revoke(env: Env, request: ChangeRequest): Promise<void> {
  try {
    await recordRevocation(env, request, RECORDED_BY);
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== "EVIDENCE_REUSED") throw cause;
    // The message ended other consents before and more have come to light since: it is evidence already.
    const { wa_message_id: _used, ...rest } = request;
    await recordRevocation(env, rest, RECORDED_BY);
  }
}

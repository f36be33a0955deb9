import { createHmac } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { openBearerApi, unexpected } from "../demo/api.ts";
import { phoneHash } from "../demo/consents.ts";
import { pause } from "../lib/concurrency.ts";
import { OperationError } from "../lib/errors.ts";
import { createHttpClient, type HttpClient } from "../lib/http-client.ts";
import { callControl, controlIsServed } from "../runtime/control-socket.ts";
import { openLayout } from "../runtime/layout.ts";
import type { StoredChat } from "../runtime/whatsapp-chat.ts";

const POLL_MS = 100;
const PATIENCE_MS = 75_000;

interface LocalJson {
  base_url: string;
  lenders: { lender_id: string }[];
  services: { client_id: string; client_secret: string; scope: string }[];
  distributors: { distributor_id: string }[];
  phone_pepper: string;
  notices: { notice_id: string; notice_version: string }[];
  whatsapp: { app_secret: string };
}

/** The running local server, as Meta and a distributor's service reach it. */
export interface LocalServer {
  state_dir: string;
  /** Invites a phone; returns the invitation's id. */
  invite(phone: string, language: string): Promise<string>;
  /** Posts a webhook with one message, signed as Meta signs it. */
  deliver(phone: string, message: Record<string, unknown>): Promise<void>;
  /** The chat of a phone once everything is worked off (or as it stands after 75 seconds). */
  chat(phone: string): Promise<StoredChat>;
  close(): void;
}

/** Finds the server that runs on a state folder; OperationError if none does. */
export async function openLocalServer(state_dir: string): Promise<LocalServer> {
  const layout = openLayout(state_dir);
  if (!(await controlIsServed(layout.control_socket)) || !existsSync(layout.local_json)) {
    throw new OperationError(
      `No server runs on ${layout.dir}: start one with npm start, in another terminal.`,
    );
  }
  const local = JSON.parse(readFileSync(layout.local_json, "utf8")) as LocalJson;
  const http = createHttpClient(local.base_url);
  return {
    state_dir: layout.dir,
    invite: (phone, language) => invite(http, local, phone, language),
    deliver: (phone, message) => deliver(http, local, phone, message),
    chat: (phone) => settledChat(layout.control_socket, phoneHash(local.phone_pepper, phone)),
    close: () => http.close(),
  };
}

async function invite(http: HttpClient, local: LocalJson, phone: string, language: string): Promise<string> {
  const service = local.services.find(({ scope }) => scope.includes("consent:write"))!;
  const api = await openBearerApi(http, service, service.client_id);
  const { notice_id, notice_version } = local.notices[0]!;
  const answer = await api.send("POST", "/v1/consent/invitations", {
    distributor_id: local.distributors[0]!.distributor_id,
    retailer_phone: phone,
    lender_ids: [local.lenders[0]!.lender_id],
    purposes: ["working_capital_loan"],
    notice_id,
    notice_version,
    language,
    adult_declared: true,
  });
  if (answer.status !== 202 && answer.status !== 200)
    throw unexpected("POST /v1/consent/invitations", answer);
  return (answer.body as { invitation_id: string }).invitation_id;
}

async function deliver(
  http: HttpClient,
  local: LocalJson,
  phone: string,
  message: Record<string, unknown>,
): Promise<void> {
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550783881", phone_number_id: "106540352242922" },
    contacts: [{ profile: { name: "Demo shop" }, wa_id: `91${phone}` }],
    messages: [{ from: `91${phone}`, ...message }],
  };
  const body = JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "102290129340398", changes: [{ field: "messages", value }] }],
  });
  const signature = createHmac("sha256", local.whatsapp.app_secret).update(body).digest("hex");
  const answer = await http.send({
    method: "POST",
    path: "/webhooks/whatsapp",
    headers: { "content-type": "application/json", "x-hub-signature-256": `sha256=${signature}` },
    body,
  });
  if (answer.status !== 200) throw unexpected("POST /webhooks/whatsapp", answer);
}

async function settledChat(control_socket: string, phone_hash: string): Promise<StoredChat> {
  const until_ms = Date.now() + PATIENCE_MS;
  for (;;) {
    const chat = (await callControl(control_socket, "whatsappChat", { phone_hash })) as StoredChat;
    if (chat.settled || Date.now() > until_ms) return chat;
    await pause(POLL_MS);
  }
}

import { join } from "node:path";
import { parseArgs } from "node:util";
import type { MessageContent } from "../src/whatsapp/content.ts";
import { OperationError, reportError, UsageError } from "./lib/errors.ts";
import { PROJECT_ROOT } from "./runtime/layout.ts";
import type { StoredChat } from "./runtime/whatsapp-chat.ts";
import { type LocalServer, openLocalServer } from "./whatsapp/local-server.ts";
import { saidBy, speak } from "./whatsapp/phone.ts";
import { chatText } from "./whatsapp/show.ts";

const HELP = `Plays a shop's side of a WhatsApp conversation with a local AltScore: webhooks signed as Meta signs them go to
the running server, and what it would send back is shown. Nothing leaves this machine.

Usage: npm run -s whatsapp -- <command> [options]

  invite                     the distributor invites the shop: the notice arrives
  press allow|deny|language  presses a button of the newest notice
  say TEXT                   writes a message, e.g. "हाँ", STOP, RIGHTS, "HELP my score is wrong"
  show                       the whole conversation so far

Options:
  --phone N        the shop's phone, 10 digits (default 9876500001)
  --language en|hi language of an invitation's notice (default hi)
  --state DIR      folder of the local state (default .local)
  --help           this text

Exit code 0: done; 1: no server runs, or it refused, the reason on stderr; 2: wrong usage.
`;

const BUTTONS: readonly string[] = ["allow", "deny", "language"];
const BUTTON_TITLES = {
  en: ["Allow", "Do not allow", "हिन्दी"],
  hi: ["अनुमति है", "अनुमति नहीं है", "English"],
} as const;

const NOTHING_NEW = `Nothing new: either nothing was said yet (npm run -s whatsapp -- invite), or the invitation is open still.
`;

interface Call {
  command: string;
  argument: string | undefined;
  phone: string;
  language: "en" | "hi";
  state_dir: string;
}

/** Reads the command line; null if only help was asked for. UsageError for anything that is not in HELP. */
function readCall(args: string[]): Call | null {
  const { values, positionals } = parsed(args);
  if (values.help) return null;
  const [command, argument, ...rest] = positionals;
  if (command === undefined) throw new UsageError(HELP);
  const takes_argument = command === "say" || command === "press";
  if (!["invite", "press", "say", "show"].includes(command))
    throw new UsageError(`There is no command ${command}. See --help`);
  if (rest.length > 0 || (argument !== undefined) !== takes_argument) {
    throw new UsageError(
      takes_argument
        ? `${command} takes one argument; put a text into quotes.`
        : `${command} takes no argument.`,
    );
  }
  if (command === "press" && !BUTTONS.includes(argument ?? ""))
    throw new UsageError("press takes allow, deny or language.");
  const { phone = "9876500001", language = "hi", state = join(PROJECT_ROOT, ".local") } = values;
  if (!/^[6-9]\d{9}$/.test(phone))
    throw new UsageError("--phone takes the 10 digits of an Indian mobile number.");
  if (language !== "en" && language !== "hi") throw new UsageError("--language takes en or hi.");
  return { command, argument, phone, language, state_dir: state };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        phone: { type: "string" },
        language: { type: "string" },
        state: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee npm run -s whatsapp -- --help`);
  }
}

async function run(server: LocalServer, { command, argument = "", phone, language }: Call): Promise<void> {
  const shown_before = command === "show" ? { sent: 0, said: 0 } : await lengths(server, phone);
  if (command === "invite") await server.invite(phone, language);
  if (command === "say") await say(server, phone, argument);
  if (command === "press") await press(server, phone, BUTTONS.indexOf(argument));
  const { sent, settled } = await server.chat(phone);
  const said = saidBy(server.state_dir, phone).slice(shown_before.said);
  const fresh = { sent: sent.slice(shown_before.sent), settled };
  process.stdout.write(said.length + fresh.sent.length === 0 ? NOTHING_NEW : chatText(said, fresh));
}

async function lengths(server: LocalServer, phone: string): Promise<{ sent: number; said: number }> {
  const { sent } = await server.chat(phone);
  return { sent: sent.length, said: saidBy(server.state_dir, phone).length };
}

async function say(server: LocalServer, phone: string, body: string): Promise<void> {
  const message = await speak(server.state_dir, phone, body);
  await server.deliver(phone, { ...message, type: "text", text: { body } });
}

/** A template's quick reply, as Meta reports it: the payload we gave the button, under the message that showed it. */
async function press(server: LocalServer, phone: string, button: number): Promise<void> {
  const { wamid, payload, title } = newestNotice(await server.chat(phone), button);
  const message = await speak(server.state_dir, phone, `[${title}]`);
  const context = { from: "15550783881", id: wamid };
  await server.deliver(phone, { context, ...message, type: "button", button: { payload, text: title } });
}

function newestNotice({ sent }: StoredChat, button: number) {
  const notice = sent.findLast((message) => message.kind === "notice" && message.wamid !== null);
  if (!notice)
    throw new OperationError("No notice was shown to this phone yet: npm run -s whatsapp -- invite");
  const content = JSON.parse(notice.content) as Extract<MessageContent, { type: "template" }>;
  const titles = BUTTON_TITLES[notice.language];
  return { wamid: notice.wamid, payload: content.payloads[button], title: titles[button] };
}

try {
  const call = readCall(process.argv.slice(2));
  if (call === null) {
    process.stdout.write(HELP);
  } else {
    const server = await openLocalServer(call.state_dir);
    try {
      await run(server, call);
    } finally {
      server.close();
    }
  }
} catch (error) {
  process.exitCode = reportError(error);
}

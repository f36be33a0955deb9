import { join } from "node:path";
import { parseArgs } from "node:util";
import { reportError, UsageError } from "./lib/errors.ts";
import type { Command, OptionSpec, PreparedCall } from "./provision/command.ts";
import { COMMANDS } from "./provision/commands.ts";
import { callControl, controlIsServed } from "./runtime/control-socket.ts";
import { openLayout, PROJECT_ROOT } from "./runtime/layout.ts";

const USAGE = "npm run -s provision -- <command> [options]";

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Creates and changes parties of a local AltScore: while its server runs, through the server; else directly.

Usage: ${USAGE}

${lines.join("\n")}

Options of every command:
  --state DIR  folder of the local state (default .local)
  --help       what a command takes

Prints one JSON object, or JSON lines where a command says so. Exit code 0: done; 1: refused, the reason on stderr; 2: wrong usage.
`;
}

function commandHelp(name: string, command: Command): string {
  const label = ([option, spec]: [string, OptionSpec]): string => `--${option} ${spec.value}`;
  const { argument } = command;
  const options = Object.entries(command.options).map((entry) => [label(entry), entry[1]] as const);
  const entries = [...(argument ? [[argument.value, argument] as const] : []), ...options];
  const width = Math.max(0, ...entries.map(([shown]) => shown.length));
  const lines = entries.map(
    ([shown, spec]) => `  ${shown.padEnd(width)}  ${spec.help}${spec.required ? " (required)" : ""}`,
  );
  const given = argument ? ` ${argument.required ? argument.value : `[${argument.value}]`}` : "";
  return `${command.summary}\n\nUsage: npm run -s provision -- ${name}${given} [options]\n\n${lines.join("\n")}${lines.length ? "\n" : ""}  --state DIR, --help\n`;
}

async function main(args: string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help") {
    process.stdout.write(overview());
    if (name === undefined) process.exitCode = 2;
    return;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined)
    throw new UsageError(`There is no command ${name}. See ${USAGE.split(" <")[0]} --help`);
  const { state, help, ...values } = readOptions(name, command, rest);
  if (help) {
    process.stdout.write(commandHelp(name, command));
    return;
  }
  const missing = Object.entries(command.options).filter(
    ([option, spec]) => spec.required && values[option] === undefined,
  );
  if (missing.length > 0) {
    throw new UsageError(`${name} needs ${missing.map(([option]) => `--${option}`).join(", ")}.`);
  }
  const { argument } = command;
  if (argument?.required && values[argument.option] === undefined) {
    throw new UsageError(`${name} needs ${argument.value}.`);
  }
  const call = await command.prepare(values);
  const state_dir = state ?? join(PROJECT_ROOT, ".local");
  await withControl(state_dir, async (control) => {
    for (let input: PreparedCall["input"] | null = call.input; input !== null; ) {
      const result = await control(command.method, input);
      const page = call.lines?.(result);
      const answer = page
        ? page.lines.join("\n")
        : JSON.stringify(call.finish ? call.finish(result) : result, null, 2);
      if (answer !== "") process.stdout.write(`${answer}\n`);
      input = page?.next ?? null;
    }
  });
}

type Values = Record<string, string | undefined>;

function readOptions(
  name: string,
  command: Command,
  args: string[],
): Values & { state?: string; help?: boolean } {
  const options: Record<string, { type: "string" | "boolean" }> = {
    state: { type: "string" },
    help: { type: "boolean" },
  };
  for (const option of Object.keys(command.options)) options[option] = { type: "string" };
  const { argument } = command;
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: argument !== undefined });
    if (positionals.length > 1) throw new Error(`There is more than one ${argument!.value}.`);
    const named = argument && positionals.length > 0 ? { [argument.option]: positionals[0] } : {};
    return { ...values, ...named } as Values & { state?: string; help?: boolean };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee npm run -s provision -- ${name} --help`);
  }
}

/** Gives the calls their way: through the running server if there is one, else by opening the state for them. */
async function withControl(
  state_dir: string,
  work: (control: (method: string, input: unknown) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { control_socket } = openLayout(state_dir);
  if (await controlIsServed(control_socket)) {
    await work((method, input) => callControl(control_socket, method, input));
    return;
  }
  // Loaded late: beside a running server the simulator is not needed.
  const { openState } = await import("./runtime/runtime.ts");
  const state = await openState({ state_dir, onStep: (text) => process.stderr.write(`${text}\n`) });
  try {
    await work(state.control);
  } finally {
    await state.stop();
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(error);
}

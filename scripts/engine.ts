import { parseArgs } from "node:util";
import type { Command } from "./engine/command.ts";
import { COMMANDS } from "./engine/commands.ts";
import { reportError, UsageError } from "./lib/errors.ts";

const USAGE = "npm run -s engine --";

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `The scoring engine on files, without a server: for data scientists, auditors and support.

Usage: ${USAGE} <command> [options]

${lines.join("\n")}

  ${USAGE} <command> --help  what a command takes

Results go to stdout. Exit code 0: done; 1: refused, with file, row and column on stderr; 2: wrong usage.
`;
}

function commandHelp(name: string, { summary, argument, options, details }: Command): string {
  const entries = Object.entries(options).map(([option, { value, help, optional }]) => {
    const label = value === undefined ? `--${option}` : `--${option} ${value}`;
    return { label, help, usage: optional || value === undefined ? `[${label}]` : label };
  });
  if (argument) entries.unshift({ label: argument.value, help: argument.help, usage: argument.value });
  const width = Math.max(...entries.map(({ label }) => label.length));
  const lines = entries.map(({ label, help }) => `  ${label.padEnd(width)}  ${help}`);
  const usage = entries.map((entry) => entry.usage).join(" ");
  return `${summary}\n\nUsage: ${USAGE} ${name} ${usage}\n\n${lines.join("\n")}\n\n${details}`;
}

/** The values of a command's options, or null if its help is asked for. Throws UsageError. */
function readOptions(name: string, command: Command, args: string[]): Record<string, string> | null {
  const options: Record<string, { type: "string" | "boolean" }> = { help: { type: "boolean" } };
  for (const [option, { value }] of Object.entries(command.options)) {
    options[option] = { type: value === undefined ? "boolean" : "string" };
  }
  const values: Record<string, string> = {};
  try {
    const found = parseArgs({ args, options, allowPositionals: command.argument !== undefined });
    if (found.values.help === true) return null;
    for (const [option, value] of Object.entries(found.values)) values[option] = String(value);
    if (command.argument && found.positionals.length === 1) {
      values[command.argument.name] = found.positionals[0]!;
    }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee ${USAGE} ${name} --help`);
  }
  const missing = Object.entries(command.options)
    .filter(([option, { value, optional }]) => value !== undefined && !optional && !values[option])
    .map(([option]) => `--${option}`);
  if (command.argument && !values[command.argument.name]) missing.unshift(`one ${command.argument.value}`);
  if (missing.length > 0) throw new UsageError(`${name} needs ${missing.join(", ")}.`);
  return values;
}

async function main([name, ...rest]: string[]): Promise<void> {
  if (name === "--help") {
    process.stdout.write(overview());
    return;
  }
  if (name === undefined) throw new UsageError(overview().trimEnd());
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UsageError(`There is no command ${name}. See ${USAGE} --help`);
  const values = readOptions(name, command, rest);
  if (values === null) process.stdout.write(commandHelp(name, command));
  else await command.run(values);
}

// Whoever reads stdout may stop early (as `head` does): that is the end, not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(error);
}

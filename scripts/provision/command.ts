import { existsSync, readFileSync } from "node:fs";
import { OperationError, UsageError } from "../lib/errors.ts";

export interface OptionSpec {
  /** What stands for the value in the help. */
  value: string;
  help: string;
  required?: boolean;
}

/** A call of the Provisioning entrypoint, and what is done with its answer before it is printed. */
export interface PreparedCall {
  input: Record<string, unknown>;
  finish?: (answer: unknown) => unknown;
  /** In place of one object: the lines of an answer, and the input of the call that goes on; null at the end. */
  lines?: (answer: unknown) => { lines: string[]; next: Record<string, unknown> | null };
}

/** One command: its options and the call they make. */
export interface Command {
  summary: string;
  method: string;
  /** A value given without its option's name, such as MODEL_ID. */
  argument?: OptionSpec & { option: string };
  options: Record<string, OptionSpec>;
  prepare: (values: Record<string, string | undefined>) => PreparedCall | Promise<PreparedCall>;
}

const fieldName = (option: string): string => option.replaceAll("-", "_");

/** The given options as fields; absent ones are left out. */
export function text(
  values: Record<string, string | undefined>,
  ...options: string[]
): Record<string, string> {
  return Object.fromEntries(
    options.flatMap((option) => (values[option] === undefined ? [] : [[fieldName(option), values[option]]])),
  );
}

/** The given number options as fields, or null if none is given. */
export function numbers(
  values: Record<string, string | undefined>,
  specs: Record<string, OptionSpec>,
): Record<string, number> | null {
  const given = Object.entries(text(values, ...Object.keys(specs)));
  for (const [field, value] of given) {
    if (!/^\d+$/.test(value)) throw new UsageError(`--${field.replaceAll("_", "-")} takes a whole number.`);
  }
  return given.length === 0
    ? null
    : Object.fromEntries(given.map(([field, value]) => [field, Number(value)]));
}

/** A file as text; OperationError if it is not there. */
export function readText(path: string): string {
  if (!existsSync(path)) throw new OperationError(`There is no file ${path}.`);
  return readFileSync(path, "utf8");
}

/** One option of a command: a flag if it takes no value. */
export interface Option {
  value?: string;
  help: string;
  /** Flags always are. */
  optional?: boolean;
}

/** One command: what it takes and what it does with it. */
export interface Command {
  summary: string;
  /** The one thing named without an option, if any; `run` finds it under `name`. */
  argument?: { name: string; value: string; help: string };
  options: Record<string, Option>;
  /** What its help says below the options. */
  details: string;
  /** Values by option; a flag that is set is "true". */
  run: (values: Record<string, string>) => Promise<void>;
}

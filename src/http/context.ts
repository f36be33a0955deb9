import type { Context } from "hono";
import type { Config } from "../config.ts";
import type { Env } from "../env.ts";
import type { Language } from "./language.ts";

/** What a request carries through the middlewares. */
export interface Variables {
  request_id: string;
  config: Config;
  language: Language;
  started_ms: number;
  /** Fields for the one log line of the request; ids and outcomes only, nothing personal. */
  log: Record<string, string | number | boolean | null>;
}

export interface AppBindings {
  Bindings: Env;
  Variables: Variables;
}

export type AppContext = Context<AppBindings>;

import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../../src/app.ts";

/**
 * The Worker's HTTP side, called in this isolate. `exports.default.fetch` of the test pool does the same with a
 * hop that grows to some 50 ms a call in a long run; the tests of index.ts and the queues use that one.
 */
export const worker = {
  async fetch(url: string, init: RequestInit<CfProperties> = {}): Promise<Response> {
    return app.fetch(new Request(url, init), env, createExecutionContext());
  },
};

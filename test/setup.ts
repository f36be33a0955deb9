import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll } from "vitest";
import { forgetKeys } from "../src/auth/keys.ts";

/** Every test file begins with empty stores and the present schema. */
beforeAll(async () => {
  await reset();
  // The isolate outlives the stores: its copy of the signing keys would name keys that are gone.
  forgetKeys();
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS ?? []);
});

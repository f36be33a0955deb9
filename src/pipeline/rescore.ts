import { consentedRetailers } from "../consent/lookup.ts";
import type { Env } from "../env.ts";
import { sendScoring } from "./consumers.ts";

const PAGE = 1_000;

/** Puts every consented retailer on the scoring queue. */
export async function rescoreAll(env: Env): Promise<void> {
  let after = "";
  for (;;) {
    const page = await consentedRetailers(env, after, PAGE);
    if (page.length === 0) return;
    await sendScoring(env, null, page);
    after = page.at(-1) as string;
  }
}

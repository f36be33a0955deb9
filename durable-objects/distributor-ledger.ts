import { DurableObject } from "cloudflare:workers";
import type { Env } from "../src/env.ts";

export class DistributorLedger extends DurableObject<Env> {}

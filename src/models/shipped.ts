import type { z } from "@hono/zod-openapi";
import card from "../../models/champion.meta.json";
import artefact from "../../models/champion.xgb";
import type { modelCard } from "./card.ts";

/** The model that comes with a release: champion of a new system, and the spare copy of its own artefact. */
export const SHIPPED: { readonly artefact: string; readonly card: z.input<typeof modelCard> } = {
  artefact,
  card,
};

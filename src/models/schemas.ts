import { z } from "@hono/zod-openapi";
import { modelCard, modelId } from "./card.ts";

/** KV takes 25 MB a value. */
const MAX_ARTEFACT_CHARS = 24_000_000;

const person = z.string().trim().min(1).max(200);

export const registerModelInput = z.strictObject({
  /** XGBoost JSON, the very text that `card.sha256` is of. */
  artefact: z.string().min(1).max(MAX_ARTEFACT_CHARS),
  card: modelCard,
  by: person.default("provisioning"),
});

/** A change of a model's status, with who answers for it and why. */
export const changeModelInput = z.strictObject({
  model_id: modelId,
  by: person,
  reason: z.string().trim().min(1).max(2_000),
});

import { z } from "@hono/zod-openapi";
import { PSI_BINS } from "./gates.ts";

export const modelId = z.string().regex(/^mdl_[0-9a-f]{16}$/, "must be mdl_ and 16 hex digits");
const share = z.number().min(0).max(1);
/** Shares are written with a few decimals. */
const SHARES_ROUNDING = 1e-3;

const bandCalibration = z.looseObject({ mean_pd: share, bad_rate: share, rows: z.int().min(0) });

/** What was measured out of time; a figure that is absent fails its gate, one that is impossible is refused. */
const metrics = z.looseObject({
  auroc: share.optional(),
  ks: share.optional(),
  brier: share.optional(),
  /** Mean PD and observed bad rate of the rows that fell into a band. */
  calibration_by_band: z
    .object({ A: bandCalibration, B: bandCalibration, C: bandCalibration, D: bandCalibration })
    .partial()
    .optional(),
  /** Adverse impact ratio by name of the cohort. */
  air: z.record(z.string(), z.number().min(0)).optional(),
  /** Shares of the scores 300-349, 350-399, ... 850-900 that drift is measured against. */
  psi_base: z
    .array(share)
    .length(PSI_BINS)
    .refine((shares) => Math.abs(shares.reduce((sum, one) => sum + one, 0) - 1) <= SHARES_ROUNDING, {
      message: "must add up to 1",
    })
    .optional(),
});
export type ModelMetrics = z.infer<typeof metrics>;

/**
 * A model card, as models/champion.meta.json: identity, what the engine needs beside the artefact (ChampionMeta), and
 * figures for the gates. What else it holds is for readers and kept.
 */
export const modelCard = z.looseObject({
  model_id: modelId,
  version: z.string().regex(/^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$/, "must be a version such as 1.2.0"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"),
  feature_list_version: z.string().min(1).max(32),
  calibration: z.looseObject({ a: z.number(), b: z.number() }),
  sparse_margin_halfwidth: z.number(),
  trained_on: z.string().optional(),
  metrics: metrics.default({}),
});
export type ModelCard = z.infer<typeof modelCard>;

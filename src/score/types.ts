import type { BlockedCard, ScoredCard } from "../scoring/types.ts";

/** What serving needs of a stored score; the engine's internals (features, SHAP) stay in the store. */
export interface ServedScore {
  score_id: string;
  retailer_id: string;
  scored_at: string;
  score_version: string;
  /** The distributors whose rows it rests on: freshness is measured from their newest sync. */
  distributor_ids: string[];
  card: Omit<ScoredCard, "features" | "shap" | "shap_bias"> | Omit<BlockedCard, "features">;
}

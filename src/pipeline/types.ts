/** Work for the scoring queue: a slice of retailers to (re)compute; nothing personal, ids only. */
export interface ScoringMessage {
  /** The batch that asked for it, or null when a consent did. */
  batch: { distributor_id: string; batch_id: string } | null;
  retailer_ids: string[];
}

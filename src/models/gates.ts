/**
 * The constants of a model's life (scoring.md §6.6), fixed at compile time: nothing at run time can soften them.
 */

/** What a challenger must reach to become champion. */
export const MIN_AUROC = 0.72;
export const MIN_AUROC_GAIN = 0.01;
export const MIN_KS = 0.35;
/** Largest distance of a band's mean PD from its bad rate. */
export const MAX_CALIBRATION_GAP = 0.02;
/** Adverse impact ratio of every cohort. */
export const MIN_AIR = 0.8;
export const MIN_SHADOW_DAYS = 30;
/** Spearman's rank correlation with the champion over the same retailers, and from how many it says anything. */
export const MIN_RANK_CONCORDANCE = 0.75;
export const MIN_SHADOW_SCORES = 100;

/** Bins of the population stability index: 300-349, 350-399, ... 850-900. */
export const PSI_LOWEST_SCORE = 300;
export const PSI_BIN_POINTS = 50;
export const PSI_BINS = 12;
/** The index of the served scores: amber from, refresh above, freeze above. */
export const PSI_AMBER_FROM = 0.1;
export const PSI_REFRESH_ABOVE = 0.2;
export const PSI_FREEZE_ABOVE = 0.3;
/** With fewer scores the index is chance: with 12 bins its mean without any drift is about 11 / scores. */
export const PSI_MIN_SCORES = 500;

/** Challengers scored in shadow at a time: each costs as much as the champion, in time and in an isolate's memory. */
export const MAX_CHALLENGERS = 2;

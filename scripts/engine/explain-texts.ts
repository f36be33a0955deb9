import type { Language } from "../../src/http/language.ts";
import { CEILING_PERCENT, type Guardrail } from "../../src/scoring/guardrails.ts";
import type { Route } from "../../src/scoring/types.ts";

interface Texts {
  title: string;
  band: string;
  pd: (percent: string) => string;
  as_of: string;
  model: string;
  retailer: string;
  route: string;
  routes: Record<Route, string>;
  start: string;
  rest: (groups: number) => string;
  allowance: string;
  result: string;
  columns: string;
  reason: string;
  score: string;
  limit: string;
  guardrails: string;
  no_guardrails: string;
  footer: string;
}

/** The words of the picture but for the reasons' labels. */
export const TEXTS: Record<Language, Texts> = {
  en: {
    title: "What moved this score",
    band: "Band",
    pd: (percent) => `PD ${percent} % within 90 days`,
    as_of: "as of",
    model: "Model",
    retailer: "Retailer",
    route: "Route",
    routes: {
      primary: "primary, by the model",
      sparse: "sparse, by the model with rare or seasonal orders",
      cold_start: "cold start, by rules for a short history",
    },
    start: "Start: the average of the training data",
    rest: (groups) => (groups === 1 ? "1 smaller group" : `${groups} smaller groups`),
    allowance: "Allowance for a short history",
    result: "This score",
    columns: "log odds → score",
    reason: "reason",
    score: "score",
    limit: "limit",
    guardrails: "Guardrails",
    no_guardrails: "changed nothing",
    footer:
      "Internal view. Bars are SHAP values in calibrated log odds; to the right (+) lowers the risk, to the left (−, striped) raises it. A feature counts for the reason code that can name it in the direction in which it moved this score. Lenders never see these numbers.",
  },
  hi: {
    title: "यह स्कोर किन बातों से बना",
    band: "बैंड",
    pd: (percent) => `90 दिन में चूक की संभावना ${percent} %`,
    as_of: "तारीख",
    model: "मॉडल",
    retailer: "दुकान",
    route: "तरीका",
    routes: {
      primary: "सामान्य, मॉडल से",
      sparse: "कम या मौसमी ऑर्डर, मॉडल से",
      cold_start: "नई दुकान, छोटे इतिहास के नियमों से",
    },
    start: "शुरुआत: प्रशिक्षण डेटा का औसत",
    rest: (groups) => `${groups} छोटे समूह`,
    allowance: "छोटे इतिहास के लिए कटौती",
    result: "यह स्कोर",
    columns: "लॉग ऑड्स → स्कोर",
    reason: "कारण",
    score: "स्कोर",
    limit: "सीमा",
    guardrails: "सुरक्षा नियम",
    no_guardrails: "कुछ नहीं बदला",
    footer:
      "केवल अंदरूनी उपयोग के लिए। पट्टियाँ SHAP मान हैं, कैलिब्रेटेड लॉग ऑड्स में; दाईं ओर (+) जोखिम घटाती हैं, बाईं ओर (−, धारीदार) बढ़ाती हैं। हर गुण उस कारण में गिना गया है जो उसकी दिशा बताता है। ऋणदाता ये संख्याएँ कभी नहीं देखते।",
  },
};

/** What each guardrail did, in words. */
export const GUARDRAIL_TEXTS: Record<Guardrail, Record<Language, string>> = {
  data_quality_low_confidence: { en: "Incomplete records: limit halved", hi: "अधूरे रिकॉर्ड: सीमा आधी" },
  csv_only_completeness_cap: {
    en: "Csv files only: completeness capped",
    hi: "केवल csv फ़ाइलें: पूर्णता पर रोक",
  },
  freshness_low_confidence: { en: "Old data: limit halved", hi: "पुराना डेटा: सीमा आधी" },
  affordability_ceiling: {
    en: `Limit at most ${CEILING_PERCENT} % of six months' purchases`,
    hi: `सीमा छह महीने की खरीद के ${CEILING_PERCENT} % तक`,
  },
  zero_gmv_cap: { en: "No net purchases: small limit", hi: "शुद्ध खरीद शून्य: छोटी सीमा" },
  band_d_no_limit: { en: "Band D: no limit", hi: "बैंड D: कोई सीमा नहीं" },
  single_distributor_halved: { en: "One distributor: limit halved", hi: "एक ही वितरक: सीमा आधी" },
  cold_start_band_cap: { en: "Short history: never band A", hi: "छोटा इतिहास: बैंड A नहीं" },
  cold_start_limit_cap: { en: "Short history: small limit", hi: "छोटा इतिहास: छोटी सीमा" },
  sparse_pd_widened: { en: "Rare orders: upper end of the PD", hi: "कम ऑर्डर: जोखिम का ऊपरी सिरा" },
  payment_history_weighed: {
    en: "Long payment history weighed in, as the bars show",
    hi: "पुराना भुगतान इतिहास भी गिना गया, पट्टियों में शामिल",
  },
  payment_history_band_cap: {
    en: "Recent payments: up one band at most",
    hi: "हाल के भुगतान से एक ही बैंड ऊपर",
  },
  anomaly_velocity: { en: "Flag: orders far above the usual", hi: "चेतावनी: ऑर्डर सामान्य से बहुत ज़्यादा" },
  anomaly_order_then_return: {
    en: "Flag: recent orders largely returned",
    hi: "चेतावनी: हाल का माल ज़्यादातर वापस",
  },
  anomaly_isolation_forest: {
    en: "Flag: unlike the retailer's own past",
    hi: "चेतावनी: व्यवहार पहले से बहुत अलग",
  },
};

import type { Language } from "../http/language.ts";

/** What retailers are told; `{1}` is the reference. No score, amount, GSTIN or word of anybody else's. */
const TEXTS = {
  acknowledged: {
    en: "We have read your complaint {1} and are looking into it.",
    hi: "हमने आपकी शिकायत {1} पढ़ ली है और उस पर काम कर रहे हैं।",
  },
  resolved: {
    en: "Your complaint {1} is resolved. If you are not satisfied, write to dpo@altscore.in or go to the Data Protection Board of India.",
    hi: "आपकी शिकायत {1} का समाधान हो गया है। अगर आप संतुष्ट नहीं हैं, तो dpo@altscore.in पर लिखें या भारतीय डेटा संरक्षण बोर्ड जाएँ।",
  },
  rejected: {
    en: "We have looked into your complaint {1} and found nothing that we can change. If you do not agree, write to dpo@altscore.in or go to the Data Protection Board of India.",
    hi: "हमने आपकी शिकायत {1} की जाँच की और ऐसा कुछ नहीं मिला जिसे हम बदल सकें। अगर आप सहमत नहीं हैं, तो dpo@altscore.in पर लिखें या भारतीय डेटा संरक्षण बोर्ड जाएँ।",
  },
  escalated: {
    en: "We are late with your complaint {1}; it has gone to our grievance officer. You can also write to dpo@altscore.in.",
    hi: "आपकी शिकायत {1} पर काम में हमसे देर हुई है; वह अब हमारे शिकायत अधिकारी के पास है। आप dpo@altscore.in पर भी लिख सकते हैं।",
  },
  corrected: {
    en: "What was wrong in the data about your shop has been put right ({1}), and your score will be computed again.",
    hi: "आपकी दुकान की जानकारी में जो ग़लत था, वह ठीक कर दिया गया है ({1}), और आपका स्कोर फिर से निकाला जाएगा।",
  },
} as const satisfies Record<string, Record<Language, string>>;

export type TextKey = keyof typeof TEXTS;

/** A text about the grievance or request with this id. */
export function textAbout(key: TextKey, language: Language, id: string): string {
  return TEXTS[key][language].replace("{1}", id);
}

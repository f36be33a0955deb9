import type { Language } from "../http/language.ts";

/**
 * Every text that the chat sends by itself. {1} is a date or a reference number. None carries a score, an amount
 * or a GSTIN: Meta may process a message abroad.
 */
export const TEXTS = {
  granted: {
    en: "Thank you. Your permission is recorded and valid until {1}. To take it back at any time, reply STOP.",
    hi: "धन्यवाद। आपकी अनुमति दर्ज हो गई है और {1} तक रहेगी। इसे कभी भी वापस लेने के लिए STOP लिखें।",
  },
  refused: {
    en: "All right: no permission was given, and nothing is shared. Your supply does not change.",
    hi: "ठीक है: अनुमति नहीं दी गई और कुछ भी साझा नहीं होगा। आपको माल मिलने पर कोई असर नहीं पड़ेगा।",
  },
  stopped: {
    en: "Done. Your permission is taken back: from now on no lender can see your score. Your supply does not change.",
    hi: "हो गया। आपकी अनुमति वापस ले ली गई है: अब से कोई ऋणदाता आपका स्कोर नहीं देख सकता। आपको माल मिलने पर कोई असर नहीं पड़ेगा।",
  },
  ask_again: {
    en: "Your answer is not clear to us, so no permission is given. Please press Allow or Do not allow under the message above, or reply YES to allow.",
    hi: "आपका उत्तर हमें स्पष्ट नहीं हुआ, इसलिए अनुमति नहीं मानी गई है। कृपया ऊपर के संदेश के नीचे “अनुमति है” या “अनुमति नहीं है” दबाएँ, या अनुमति देने के लिए हाँ लिखें।",
  },
  use_button: {
    en: "You have more than one request from us, so a typed answer is not clear. Please press Allow or Do not allow under the message that you mean.",
    hi: "आपके पास हमारे एक से ज़्यादा अनुरोध हैं, इसलिए लिखा हुआ उत्तर स्पष्ट नहीं है। कृपया जिस संदेश का उत्तर देना है, उसी के नीचे का बटन दबाएँ।",
  },
  notice_unknown: {
    en: "That button does not belong to a request of ours to this number, so no permission is given. Please use the buttons under our newest message.",
    hi: "यह बटन इस नंबर पर भेजे गए हमारे किसी अनुरोध का नहीं है, इसलिए अनुमति नहीं मानी गई है। कृपया हमारे सबसे नए संदेश के नीचे के बटन दबाएँ।",
  },
  notice_expired: {
    en: "This request has run out, so no permission is given. Your distributor can send you a new one.",
    hi: "इस अनुरोध का समय बीत चुका है, इसलिए अनुमति नहीं मानी गई है। आपका डिस्ट्रीब्यूटर नया अनुरोध भेज सकता है।",
  },
  notice_above: {
    en: "The message in English is above. Please press a button under it.",
    hi: "हिन्दी का संदेश ऊपर है। कृपया उसके नीचे का बटन दबाएँ।",
  },
  too_late: {
    en: "You have said no or STOP to this request, and that stands: no permission is given. If you have changed your mind, your distributor can send you a new request.",
    hi: "आप इस अनुरोध पर मना कर चुके हैं या STOP लिख चुके हैं, और वही मान्य है: अनुमति नहीं मानी गई है। अगर आपने मन बदल लिया है, तो आपका डिस्ट्रीब्यूटर नया अनुरोध भेज सकता है।",
  },
  not_recorded: {
    en: "Your permission could not be recorded, so none is given. Your distributor can send you a new request.",
    hi: "आपकी अनुमति दर्ज नहीं हो सकी, इसलिए अनुमति नहीं मानी गई है। आपका डिस्ट्रीब्यूटर नया अनुरोध भेज सकता है।",
  },
  menu: {
    en: "This is AltScore. Reply STOP to take your permission back, RIGHTS to know your rights, HELP and your complaint to complain.",
    hi: "यह AltScore है। अनुमति वापस लेने के लिए STOP, अपने अधिकार जानने के लिए RIGHTS, और शिकायत के लिए HELP के साथ अपनी शिकायत लिखें।",
  },
  shop_unknown: {
    en: "We hold nothing about a shop with this number. If you think we should, please write to privacy@altscore.in.",
    hi: "इस नंबर से हमारे पास किसी दुकान की कोई जानकारी नहीं है। अगर आपको लगता है कि होनी चाहिए, तो privacy@altscore.in पर लिखें।",
  },
  several_shops: {
    en: "This number is noted for more than one shop, so we cannot tell which one you mean. Please write to privacy@altscore.in. STOP works here all the same, for all of them.",
    hi: "यह नंबर एक से ज़्यादा दुकानों के लिए दर्ज है, इसलिए हम नहीं जान सकते कि आप किसकी बात कर रहे हैं। कृपया privacy@altscore.in पर लिखें। STOP यहाँ भी चलेगा, सभी दुकानों के लिए।",
  },
  rights: {
    en: "Your rights: EXPORT to get what we hold about you, CORRECT and what is wrong to have it corrected, DELETE to have it deleted, STOP to take your permission back, HELP and your complaint to complain. You may also name a person to act for you.",
    hi: "आपके अधिकार: अपनी जानकारी पाने के लिए EXPORT, सुधार के लिए CORRECT के साथ जो ग़लत है वह, हटवाने के लिए DELETE, अनुमति वापस लेने के लिए STOP, और शिकायत के लिए HELP के साथ अपनी शिकायत लिखें। आप अपनी ओर से किसी व्यक्ति को नामित भी कर सकते हैं।",
  },
  correction: {
    en: "We have noted your request to correct your data: {1}. If you have not said yet what is wrong, reply CORRECT and then what is wrong.",
    hi: "आपकी जानकारी सुधारने का अनुरोध लिख लिया गया है: {1}। अगर आपने अभी नहीं बताया कि क्या ग़लत है, तो CORRECT लिखकर आगे वह लिखें जो ग़लत है।",
  },
  erasure: {
    en: "We have noted your request to delete your data: {1}. To stop its use at once, reply STOP as well.",
    hi: "आपकी जानकारी हटाने का अनुरोध लिख लिया गया है: {1}। उसका उपयोग तुरंत रोकने के लिए STOP भी लिखें।",
  },
  export: {
    en: "We have noted your request for what we hold about you: {1}.",
    hi: "आपकी जानकारी की प्रति का अनुरोध लिख लिया गया है: {1}।",
  },
  help: {
    en: "To complain, reply HELP and then your complaint, all in one message. You can also write to dpo@altscore.in or go to the Data Protection Board of India.",
    hi: "शिकायत के लिए HELP लिखकर उसी संदेश में आगे अपनी शिकायत लिखें। आप dpo@altscore.in पर भी लिख सकते हैं या भारतीय डेटा संरक्षण बोर्ड जा सकते हैं।",
  },
  grievance: {
    en: "We have noted your complaint: {1}. You hear from us within 24 hours, and we resolve it within 7 days.",
    hi: "आपकी शिकायत लिख ली गई है: {1}। 24 घंटे के भीतर आपको हमारी ओर से सूचना मिलेगी और 7 दिन के भीतर समाधान होगा।",
  },
  grievance_limit: {
    en: "You have sent us several complaints within a day, and we are working on them. Please wait until tomorrow with this one, or write to dpo@altscore.in.",
    hi: "आप एक दिन में हमें कई शिकायतें भेज चुके हैं, और हम उन पर काम कर रहे हैं। कृपया यह शिकायत कल भेजें, या dpo@altscore.in पर लिखें।",
  },
} as const satisfies Record<string, Record<Language, string>>;

export type TextKey = keyof typeof TEXTS;

/** A text of the table with its one variable filled in. */
export function textOf(key: TextKey, language: Language, variable = ""): string {
  return TEXTS[key][language].replace("{1}", variable);
}

/** An instant as an IST day in words, e.g. `22 November 2027`. */
export function dayInWords(iso: string, language: Language): string {
  return new Intl.DateTimeFormat(language === "hi" ? "hi-IN-u-nu-latn" : "en-IN", {
    dateStyle: "long",
    timeZone: "Asia/Kolkata",
  }).format(new Date(iso));
}

/** A consent notice as it is published; {{1}} is the distributor, {{2}} the lender, {{3}} the last day. */
export interface DemoNotice {
  notice_id: string;
  notice_version: string;
  language: string;
  text: string;
}

const NOTICE = { notice_id: "working-capital-score", notice_version: "1.0" };

/** The notice that the demonstration's consents refer to, in both languages. */
export const NOTICES: DemoNotice[] = [
  {
    ...NOTICE,
    language: "en",
    text: `AltScore asks for your permission. We want to use your bills and payments with {{1}} (dates, amounts, returns) to make a credit score, and to show the score and its reasons to {{2}} for a working-capital loan. Valid until {{3}}. You can say no: your supply from {{1}} will not change.
You can stop any time by replying STOP here. To see, correct or delete your data reply RIGHTS. Complaints: reply HELP, or Data Protection Board of India. Full notice: https://altscore.in/notice
Buttons: Allow | Do not allow | हिन्दी`,
  },
  {
    ...NOTICE,
    language: "hi",
    text: `AltScore आपकी अनुमति चाहता है। हम {{1}} के साथ आपके बिल और भुगतान की जानकारी (तारीख, रकम, वापसी) से क्रेडिट स्कोर बनाना चाहते हैं, और कार्यशील पूँजी के लोन के लिए वह स्कोर और उसके कारण {{2}} को दिखाना चाहते हैं। अनुमति {{3}} तक रहेगी। आप मना कर सकते हैं: {{1}} से आपको माल मिलने पर कोई असर नहीं पड़ेगा।
अनुमति कभी भी वापस लेने के लिए यहीं STOP लिखें। अपनी जानकारी देखने, सुधारने या हटवाने के लिए RIGHTS लिखें। शिकायत के लिए HELP लिखें, या भारतीय डेटा संरक्षण बोर्ड से संपर्क करें। पूरी सूचना: https://altscore.in/notice
बटन: अनुमति है | अनुमति नहीं है | English`,
  },
];

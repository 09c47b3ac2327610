"""What the platform itself says to askers, in their languages."""

from __future__ import annotations

_I_DO_NOT_KNOW = {
    "ar": "لا أعرف: لا تحتوي المستندات المتاحة لي على إجابة عن هذا السؤال.",
    "bg": "Не знам: достъпните ми документи не отговарят на този въпрос.",
    "bn": "আমি জানি না: আমার কাছে থাকা নথিগুলোতে এই প্রশ্নের উত্তর নেই।",
    "ca": "No ho sé: els documents de què disposo no responen aquesta pregunta.",
    "cs": "Nevím: dokumenty, které mám k dispozici, na tuto otázku neodpovídají.",
    "da": "Det ved jeg ikke: de dokumenter, jeg har, besvarer ikke dette spørgsmål.",
    "de": "Das weiß ich nicht: Die mir vorliegenden Dokumente beantworten diese Frage nicht.",
    "el": "Δεν γνωρίζω: τα έγγραφα που έχω δεν απαντούν σε αυτή την ερώτηση.",
    "en": "I don't know: the documents I have do not answer this question.",
    "es": "No lo sé: los documentos de que dispongo no responden a esta pregunta.",
    "et": "Ma ei tea: minu käsutuses olevad dokumendid ei vasta sellele küsimusele.",
    "fa": "نمی‌دانم: اسنادی که در اختیار دارم به این پرسش پاسخ نمی‌دهند.",
    "fi": "En tiedä: käytettävissäni olevat asiakirjat eivät vastaa tähän kysymykseen.",
    "fr": "Je ne sais pas : les documents dont je dispose ne répondent pas à cette question.",
    "he": "אינני יודע: המסמכים שברשותי אינם עונים על השאלה הזאת.",
    "hi": "मुझे नहीं पता: मेरे पास उपलब्ध दस्तावेज़ों में इस प्रश्न का उत्तर नहीं है।",
    "hr": "Ne znam: dokumenti koje imam ne odgovaraju na ovo pitanje.",
    "hu": "Nem tudom: a rendelkezésemre álló dokumentumok nem válaszolnak erre a kérdésre.",
    "id": "Saya tidak tahu: dokumen yang saya miliki tidak menjawab pertanyaan ini.",
    "it": "Non lo so: i documenti a mia disposizione non rispondono a questa domanda.",
    "ja": "わかりません。手元の文書にはこの質問への答えがありません。",
    "ko": "모르겠습니다. 제가 가진 문서에는 이 질문에 대한 답이 없습니다.",
    "lt": "Nežinau: turimuose dokumentuose nėra atsakymo į šį klausimą.",
    "lv": "Es nezinu: man pieejamajos dokumentos nav atbildes uz šo jautājumu.",
    "ms": "Saya tidak tahu: dokumen yang saya ada tidak menjawab soalan ini.",
    "nl": "Dat weet ik niet: de documenten die ik heb, beantwoorden deze vraag niet.",
    "no": "Det vet jeg ikke: dokumentene jeg har, svarer ikke på dette spørsmålet.",
    "pl": "Nie wiem: dostępne mi dokumenty nie odpowiadają na to pytanie.",
    "pt": "Não sei: os documentos de que disponho não respondem a esta pergunta.",
    "ro": "Nu știu: documentele pe care le am nu răspund la această întrebare.",
    "ru": "Я не знаю: в доступных мне документах нет ответа на этот вопрос.",
    "sk": "Neviem: dokumenty, ktoré mám k dispozícii, na túto otázku neodpovedajú.",
    "sl": "Ne vem: dokumenti, ki jih imam, ne odgovarjajo na to vprašanje.",
    "sr": "Не знам: документи које имам не одговарају на ово питање.",
    "sv": "Det vet jag inte: dokumenten jag har besvarar inte den här frågan.",
    "ta": "எனக்குத் தெரியவில்லை: என்னிடம் உள்ள ஆவணங்களில் இந்தக் கேள்விக்கு பதில் இல்லை.",
    "th": "ฉันไม่ทราบ เอกสารที่มีอยู่ไม่มีคำตอบสำหรับคำถามนี้",
    "tr": "Bilmiyorum: elimdeki belgeler bu soruyu yanıtlamıyor.",
    "uk": "Я не знаю: у доступних мені документах немає відповіді на це запитання.",
    "ur": "مجھے نہیں معلوم: میرے پاس موجود دستاویزات میں اس سوال کا جواب نہیں ہے۔",
    "vi": "Tôi không biết: các tài liệu tôi có không trả lời câu hỏi này.",
    "zh": "我不知道：我所掌握的文档没有回答这个问题。",
}

_NEAREST_DOCUMENTS = {
    "ar": "أقرب المستندات:", "bg": "Най-близки документи:", "bn": "নিকটতম নথি:", "ca": "Documents més propers:",
    "cs": "Nejbližší dokumenty:", "da": "Nærmeste dokumenter:", "de": "Die nächstliegenden Dokumente:",
    "el": "Τα πλησιέστερα έγγραφα:", "en": "The nearest documents:", "es": "Los documentos más cercanos:",
    "et": "Lähimad dokumendid:", "fa": "نزدیک‌ترین اسناد:", "fi": "Lähimmät asiakirjat:",
    "fr": "Les documents les plus proches :", "he": "המסמכים הקרובים ביותר:", "hi": "निकटतम दस्तावेज़:",
    "hr": "Najbliži dokumenti:", "hu": "A legközelebbi dokumentumok:", "id": "Dokumen terdekat:",
    "it": "I documenti più vicini:", "ja": "最も近い文書：", "ko": "가장 가까운 문서:", "lt": "Artimiausi dokumentai:",
    "lv": "Tuvākie dokumenti:", "ms": "Dokumen terdekat:", "nl": "De documenten die het dichtst in de buurt komen:",
    "no": "Nærmeste dokumenter:", "pl": "Najbliższe dokumenty:", "pt": "Os documentos mais próximos:",
    "ro": "Cele mai apropiate documente:", "ru": "Ближайшие документы:", "sk": "Najbližšie dokumenty:",
    "sl": "Najbližji dokumenti:", "sr": "Најближи документи:", "sv": "Närmaste dokument:", "ta": "அருகிலுள்ள ஆவணங்கள்:",
    "th": "เอกสารที่ใกล้เคียงที่สุด:", "tr": "En yakın belgeler:", "uk": "Найближчі документи:", "ur": "قریب ترین دستاویزات:",
    "vi": "Các tài liệu gần nhất:", "zh": "最接近的文档：",
}  # fmt: skip
_THE_SOURCE_SAYS = {
    "ar": "يقول المصدر:", "bg": "В източника пише:", "bn": "উৎসে বলা হয়েছে:", "ca": "La font diu:", "cs": "Zdroj uvádí:",
    "da": "Kilden siger:", "de": "In der Quelle steht:", "el": "Η πηγή λέει:", "en": "The source says:",
    "es": "La fuente dice:", "et": "Allikas ütleb:", "fa": "منبع می‌گوید:", "fi": "Lähde sanoo:", "fr": "La source dit :",
    "he": "במקור כתוב:", "hi": "स्रोत कहता है:", "hr": "Izvor kaže:", "hu": "A forrás szerint:", "id": "Sumber menyatakan:",
    "it": "La fonte dice:", "ja": "出典の記述：", "ko": "출처의 내용:", "lt": "Šaltinyje rašoma:", "lv": "Avotā teikts:",
    "ms": "Sumber menyatakan:", "nl": "De bron zegt:", "no": "Kilden sier:", "pl": "Źródło podaje:", "pt": "A fonte diz:",
    "ro": "Sursa spune:", "ru": "В источнике сказано:", "sk": "Zdroj uvádza:", "sl": "Vir pravi:", "sr": "Извор каже:",
    "sv": "Källan säger:", "ta": "மூலம் கூறுகிறது:", "th": "แหล่งข้อมูลระบุว่า:", "tr": "Kaynak şöyle diyor:",
    "uk": "У джерелі сказано:", "ur": "ماخذ میں لکھا ہے:", "vi": "Nguồn cho biết:", "zh": "来源中写道：",
}  # fmt: skip

LANGUAGES = frozenset(_I_DO_NOT_KNOW)


_I_ONLY_ANSWER_QUESTIONS = {
    "ar": "لا يمكنني إلا الإجابة عن أسئلة حول المستندات. يُرجى صياغة سؤالك بطريقة أخرى.",
    "bg": "Мога само да отговарям на въпроси по документите. Моля, задайте въпроса с други думи.",
    "bn": "আমি কেবল নথি সম্পর্কিত প্রশ্নের উত্তর দিতে পারি। অনুগ্রহ করে অন্যভাবে জিজ্ঞাসা করুন।",
    "ca": "Només puc respondre preguntes sobre els documents. Si us plau, pregunteu-ho d'una altra manera.",
    "cs": "Mohu odpovídat pouze na otázky k dokumentům. Položte prosím otázku jinak.",
    "da": "Jeg kan kun svare på spørgsmål om dokumenterne. Stil venligst spørgsmålet på en anden måde.",
    "de": "Ich kann nur Fragen zu den Dokumenten beantworten. Bitte fragen Sie mit anderen Worten.",
    "el": "Μπορώ να απαντώ μόνο σε ερωτήσεις για τα έγγραφα. Ρωτήστε με άλλα λόγια.",
    "en": "I can only answer questions about the documents. Please ask in other words.",
    "es": "Solo puedo responder preguntas sobre los documentos. Por favor, pregunte con otras palabras.",
    "et": "Saan vastata ainult dokumentide kohta käivatele küsimustele. Palun küsige teiste sõnadega.",
    "fa": "من فقط می\u200cتوانم به پرسش\u200cهای مربوط به اسناد پاسخ دهم. لطفاً به شکل دیگری بپرسید.",
    "fi": "Voin vastata vain asiakirjoja koskeviin kysymyksiin. Kysyisitkö toisin sanoin.",
    "fr": "Je peux seulement répondre aux questions sur les documents. Veuillez reformuler votre question.",
    "he": "אני יכול לענות רק על שאלות הנוגעות למסמכים. נא לשאול במילים אחרות.",
    "hi": "मैं केवल दस्तावेज़ों से जुड़े प्रश्नों के उत्तर दे सकता हूँ। कृपया दूसरे शब्दों में पूछें।",
    "hr": "Mogu odgovarati samo na pitanja o dokumentima. Molim postavite pitanje drugim riječima.",
    "hu": "Csak a dokumentumokra vonatkozó kérdésekre tudok válaszolni. Kérem, fogalmazza meg másképp.",
    "id": "Saya hanya dapat menjawab pertanyaan tentang dokumen. Silakan bertanya dengan kata lain.",
    "it": "Posso rispondere solo a domande sui documenti. La prego di riformulare la domanda.",
    "ja": "文書に関する質問にのみお答えできます。別の言い方でお尋ねください。",
    "ko": "문서에 관한 질문에만 답할 수 있습니다. 다른 표현으로 질문해 주세요.",
    "lt": "Galiu atsakyti tik į klausimus apie dokumentus. Paklauskite kitais žodžiais.",
    "lv": "Varu atbildēt tikai uz jautājumiem par dokumentiem. Lūdzu, jautājiet citiem vārdiem.",
    "ms": "Saya hanya boleh menjawab soalan tentang dokumen. Sila tanya dengan perkataan lain.",
    "nl": "Ik kan alleen vragen over de documenten beantwoorden. Stel uw vraag alstublieft anders.",
    "no": "Jeg kan bare svare på spørsmål om dokumentene. Still gjerne spørsmålet på en annen måte.",
    "pl": "Mogę odpowiadać tylko na pytania dotyczące dokumentów. Proszę zapytać innymi słowami.",
    "pt": "Só posso responder a perguntas sobre os documentos. Por favor, pergunte com outras palavras.",
    "ro": "Pot răspunde doar la întrebări despre documente. Vă rog să întrebați cu alte cuvinte.",
    "ru": "Я могу отвечать только на вопросы о документах. Пожалуйста, спросите другими словами.",
    "sk": "Môžem odpovedať len na otázky k dokumentom. Opýtajte sa, prosím, inými slovami.",
    "sl": "Odgovarjam lahko samo na vprašanja o dokumentih. Prosim, vprašajte z drugimi besedami.",
    "sr": "Могу да одговарам само на питања о документима. Молим вас, питајте другим речима.",
    "sv": "Jag kan bara svara på frågor om dokumenten. Ställ gärna frågan på ett annat sätt.",
    "ta": "ஆவணங்கள் பற்றிய கேள்விகளுக்கு மட்டுமே என்னால் பதிலளிக்க முடியும். வேறு சொற்களில் கேளுங்கள்.",
    "th": "ฉันตอบได้เฉพาะคำถามเกี่ยวกับเอกสารเท่านั้น โปรดถามด้วยถ้อยคำอื่น",
    "tr": "Yalnızca belgelerle ilgili soruları yanıtlayabilirim. Lütfen başka sözcüklerle sorun.",
    "uk": "Я можу відповідати лише на запитання про документи. Будь ласка, запитайте іншими словами.",
    "ur": "میں صرف دستاویزات سے متعلق سوالات کے جواب دے سکتا ہوں۔ براہِ کرم دوسرے الفاظ میں پوچھیں۔",
    "vi": "Tôi chỉ có thể trả lời câu hỏi về các tài liệu. Vui lòng hỏi bằng cách khác.",
    "zh": "我只能回答与文档有关的问题。请换一种方式提问。",
}


def i_do_not_know(language: str) -> str:
    """ "I don't know" in this language (ISO 639-1); in English where no wording exists."""
    return _I_DO_NOT_KNOW.get(language, _I_DO_NOT_KNOW["en"])


def nearest_documents(language: str) -> str:
    """What stands above the documents that are offered beside "I don't know"."""
    return _NEAREST_DOCUMENTS.get(language, _NEAREST_DOCUMENTS["en"])


def the_source_says(language: str) -> str:
    """What stands before a quotation that answers a question which asks for yes or no."""
    return _THE_SOURCE_SAYS.get(language, _THE_SOURCE_SAYS["en"])


def i_only_answer_questions(language: str) -> str:
    """The refusal of what is no question but speaks to the language model; in English where no wording exists."""
    return _I_ONLY_ANSWER_QUESTIONS.get(language, _I_ONLY_ANSWER_QUESTIONS["en"])

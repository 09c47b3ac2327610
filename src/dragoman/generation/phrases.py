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

LANGUAGES = frozenset(_I_DO_NOT_KNOW)


def i_do_not_know(language: str) -> str:
    """ "I don't know" in this language (ISO 639-1); in English where no wording exists."""
    return _I_DO_NOT_KNOW.get(language, _I_DO_NOT_KNOW["en"])

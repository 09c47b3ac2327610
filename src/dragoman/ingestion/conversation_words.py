"""The words by which conversations and FAQs are recognised, in some fifteen languages: names of columns and roles, courtesies.

Lists, no logic: `conversations.py` reads them. To teach it another language, add its words to each list.
"""

from __future__ import annotations

import re
from typing import Final


def _names(text: str) -> dict[str, int]:
    """Accepted names and their rank: where several fit, the one named first is taken."""
    return {name.strip(): rank for rank, name in enumerate(text.split(","))}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names of columns of a table and of keys in JSON, lower case, `_` and `-` as spaces.
QUESTION_NAMES: Final = _names(
    "question,question text,questions,customer question,user question,faq,query,q,frage,fragen,kundenfrage,pregunta,preguntas,"
    "pergunta,perguntas,domanda,domande,вопрос,вопросы,问题,問題,提问,质问,質問,问,질문,سؤال,السؤال,الأسئلة,vraag,pytanie,soru,"
    "ερώτηση,spørgsmål,fråga,spørsmål,питання,prompt,instruction,user message,customer message,input"
)
ANSWER_NAMES: Final = _names(
    "answer,answer text,answers,accepted answer,agent answer,antwort,antworten,respuesta,respuestas,resposta,respostas,"
    "réponse,réponses,reponse,risposta,risposte,ответ,ответы,答案,回答,答复,解答,答え,答,답변,대답,إجابة,الإجابة,جواب,الجواب,antwoord,"
    "odpowiedź,cevap,yanıt,απάντηση,svar,відповідь,response,reply,solution,completion,bot response,agent response,output"
)
TEXT_NAMES: Final = _names(
    "text,message,content,body,plain body,message text,msg,utterance,value,comment,nachricht,mensaje,mensagem,messaggio,"
    "сообщение,текст,повідомлення,消息,内容,メッセージ,本文,메시지,رسالة,الرسالة,bericht,wiadomość,mesaj,μήνυμα,besked,meddelande"
)
SPEAKER_NAMES: Final = _names(
    "role,author type,sender type,speaker,author,sender,from,participant,user name,username,user,author name,name,author id,"
    "rolle,sprecher,absender,verfasser,rol,remitente,autor,hablante,papel,remetente,rôle,auteur,expéditeur,ruolo,mittente,"
    "autore,роль,отправитель,автор,角色,发送者,发言人,发件人,話者,送信者,役割,발신자,역할,المرسل,الدور,المتحدث,afzender,nadawca,gönderen"
)
CONVERSATION_NAMES: Final = _names(
    "conversation id,conversation,session id,session,ticket id,ticket,ticket number,chat id,chat,thread ts,thread id,thread,"
    "dialog id,dialogue id,dialog,case id,case number,case,channel,room,gespräch,gesprächs id,sitzung,vorgang,conversación,"
    "conversa,sesión,conversazione,диалог,сессия,обращение,会话,会话id,对话,工单,会話,세션,대화,محادثة,المحادثة,gesprek,rozmowa"
)
TIME_NAMES: Final = _names(
    "timestamp,time,created at,sent at,date,datetime,ts,create time,created,zeit,zeitpunkt,datum,fecha,hora,data,heure,дата,"
    "время,时间,日期,日時,時刻,시간,날짜,التاريخ,الوقت,tijd,czas,tarih"
)
ID_NAMES: Final = _names("message id,msg id,id,uuid,client msg id")
TITLE_NAMES: Final = _names(
    "title,subject,topic,titel,betreff,thema,título,asunto,titulo,assunto,titre,objet,sujet,titolo,oggetto,тема,заголовок,"
    "主题,标题,件名,タイトル,제목,الموضوع,العنوان,onderwerp,temat,konu"
)
CATEGORY_NAMES: Final = _names(
    "category,section,group,tags,tag,kategorie,bereich,categoría,sección,categoria,catégorie,rubrique,категория,раздел,类别,"
    "分类,カテゴリ,カテゴリー,카테고리,분류,الفئة,القسم,categorie,kategoria,kategori"
)
MESSAGE_LIST_NAMES: Final = _names(
    "messages,conversation parts,comments,turns,conversation,conversations,dialog,dialogue,transcript,chat,utterances,events,mapping"
)

# What speakers are called, and what they say that is neither question nor answer.
ASKERS: Final = _words(
    "user users human customer client visitor guest requester lead contact caller buyer patient student enduser end-user "
    "interviewer q kunde kundin besucher nutzer benutzer frage cliente usuario usuaria visitante pregunta comprador pergunta utilisateur "
    "utilisatrice visiteur utente domanda клиент пользователь посетитель покупатель вопрос гость клієнт 客户 顾客 用户 访客 买家 问 "
    "お客様 ユーザー 質問 客 고객 사용자 손님 질문 عميل العميل زبون المستخدم مستخدم الزائر سؤال klant gebruiker bezoeker klient "
    "użytkownik müşteri kullanıcı πελάτης χρήστης kunden bruger användare"
)
ANSWERERS: Final = _words(
    "assistant agent bot chatbot support operator admin staff gpt chatgpt model ai advisor representative rep helpdesk service team "
    "moderator consultant expert a berater beraterin mitarbeiter mitarbeiterin kundenservice kundendienst antwort agente asesor "
    "soporte asistente operador respuesta atendente suporte assistente resposta conseiller conseillère assistance opérateur "
    "réponse operatore assistenza supporto risposta оператор поддержка агент менеджер консультант ассистент бот ответ підтримка "
    "客服 助手 助理 机器人 顾问 坐席 答 サポート 担当者 オペレーター アシスタント 回答 상담원 상담사 지원 도우미 답변 الدعم موظف وكيل "
    "المساعد مساعد ممثل جواب medewerker ondersteuning konsultant obsługa destek temsilci asistan υποστήριξη εκπρόσωπος "
    "kundeservice kundtjänst"
)
SYSTEM: Final = _words(
    "system tool function developer notice event système sistema система 系统 システム 시스템 النظام"
)
OFFER_OF_HELP: Final = re.compile(
    r"(?:how|what) (?:can|may) (?:i|we) (?:help|assist|do for)|anything else (?:i|we) can|(?:can|may) i help you with anything else"
    r"|wie (?:kann|können|darf) (?:ich|wir)\b.{0,20}helfen|was (?:kann|können) (?:ich|wir) (?:für|fuer) (?:sie|dich) tun"
    r"|en qué (?:puedo|podemos) ayudar|comment (?:puis-je|pouvons-nous) vous aider|(?:como|em que) (?:posso|podemos) (?:te |lhe |o )?ajudar"
    r"|come (?:posso|possiamo) (?:esserle|aiutar|esserti)|чем (?:я )?(?:могу|можем)\b.{0,20}помочь|чим (?:я )?можу допомогти"
    r"|有什么可以帮|需要什么帮助|有什么需要|どのようなご用件|ご用件|お手伝いでき|무엇을 도와|어떻게 도와|كيف (?:يمكنني|يمكننا|أستطيع) مساعد"
    r"|hoe kan ik (?:u |je )?helpen|(?:jak|w czym) (?:mogę|możemy) pomóc|nasıl yardımcı|πώς μπορώ να (?:σας )?βοηθήσω",
    re.IGNORECASE,
)
COURTESIES: Final = _words(
    "hi hello hey hiya greetings morning afternoon evening sir madam thanks thank thx ty cheers ok okay great perfect awesome super "
    "bye goodbye welcome pleasure problem appreciated hallo guten moin servus grüß danke vielen dank bitte gerne tschüss tschüs "
    "wiedersehen prima hola buenos buenas gracias vale perfecto adiós adios saludos bonjour bonsoir salut merci parfait revoir olá ola "
    "bom boa obrigado obrigada tchau ciao buongiorno buonasera salve grazie perfetto arrivederci prego привет здравствуйте "
    "здравствуй добрый доброе спасибо благодарю пожалуйста свидания goedemorgen goedemiddag bedankt graag dzień cześć dziękuję "
    "dziękuje proszę merhaba teşekkürler teşekkür günaydın γεια ευχαριστώ καλημέρα παρακαλώ مرحبا مرحباً أهلا أهلاً السلام شكرا "
    "شكراً عفوا عفواً hej tak tack"
)
FILLERS: Final = _words(
    "good day night there all team dear everyone you so very much many a lot see later take care you're youre are my no not for the "
    "your help have nice lovely weekend and again it is tag morgen abend gott herzlichen schön auf schönen noch einen liebe grüße sehr "
    "alles klar ihre deine hilfe die für días dias tardes noches muchas hasta luego de nada muy amable beaucoup d'accord au bonne "
    "journée je vous en prie rien dia tarde noite muito até logo mille день вечер утро большое до хорошо dag dank je wel u tot ziens "
    "gedaan dobry bardzo ederim rica σας πολύ عليكم وعليكم جزيلا جزيلاً صباح مساء الخير مع السلامة"
)
COURTESIES_WITHOUT_SPACES: Final = re.compile(
    r"(?:你好|您好|大家好|早上好|下午好|晚上好|谢谢|多谢|感谢|非常|好的|好|再见|不客气|您|你|了|啊|的"
    r"|こんにちは|おはようございます|こんばんは|ありがとうございました|ありがとうございます|ありがとう|どうも|よろしくお願いします|了解です|失礼します|はい"
    r"|안녕하세요|안녕히|감사합니다|감사해요|고맙습니다|계세요|가세요|네|[\W_])+"
)
PROGRAM_LINE: Final = re.compile(
    r"<[^<>]{0,30}(?:omitted|weggelassen|ausgeschlossen|omitido|omis|omesso|omessi|без медиафайлов|已省略)[^<>]{0,20}>"
    r"|.{0,60}end-to-end encrypted.{0,120}|.{0,80}Ende-zu-Ende-verschlüsselt.{0,120}"
    r"|(?:This message was deleted|You deleted this message|Diese Nachricht wurde gelöscht)\.?"
    r"|.{1,60} (?:has )?(?:joined|left|entered) (?:the )?(?:chat|conversation|channel|group)\.?|(?:chat|conversation) (?:started|ended|closed).{0,80}"
    r"|.{1,60} (?:hat den Chat (?:betreten|verlassen)|se unió al chat|a rejoint (?:la )?(?:conversation|le chat))\.?",
    re.IGNORECASE | re.DOTALL,
)
PAIR_LABELS: Final = _words(
    "q a question answer frage antwort pregunta respuesta pergunta resposta réponse domanda risposta вопрос ответ 问 答 质问 質問 回答 질문 "
    "답변 سؤال جواب vraag antwoord"
)
ASKING_WORDS: Final = re.compile(
    r"(?:how|what|why|when|where|who|which|can|do|does|is|are|will|should|may|wie|was|warum|wann|wo|wer|welche[rsnm]?|kann|können|ist|sind"
    r"|cómo|qué|por qué|cuándo|dónde|quién|cuál|puedo|como|o que|quando|onde|quem|qual|posso|comment|pourquoi|quand|où|qui|quel(?:le)?s?|puis-je"
    r"|est-ce|come|che cosa|perché|dove|chi|quale|как|что|почему|когда|где|кто|какой|какие|можно|hoe|waarom|wanneer|waar|jak|dlaczego|kiedy|gdzie"
    r"|كيف|ما|ماذا|لماذا|متى|أين|من|هل)\b|如何|怎么|怎样|什么|为什么|どう|なぜ|いつ|どこ|어떻게|무엇|왜",
    re.IGNORECASE,
)
NAME_OF_FAQ: Final = re.compile(
    r"\bfaqs?\b|frequently asked|common questions|questions (?:and|&) answers|häufig.{0,10}fragen|fragen und antworten|preguntas frecuentes"
    r"|perguntas frequentes|foire aux questions|questions fréquentes|domande frequenti|veelgestelde vragen|часто задаваемые|вопросы и ответы"
    r"|常见问题|常見問題|よくある(?:ご)?質問|자주 묻는|الأسئلة الشائعة|często zadawane|sıkça sorulan|συχνές ερωτήσεις|ofte stillede|vanliga frågor|поширені запитання",
    re.IGNORECASE,
)
NEW_CONVERSATION: Final = re.compile(
    r"\s*(?:#{1,6}\s+)?(?:[-=_*]{3,}|[-=_*\s]*(?P<name>(?:conversation|chat|ticket|session|case|call|transcript|gespräch|vorgang|fall"
    r"|conversación|conversa|caso|conversation|dossier|conversazione|диалог|обращение|заявка|会话|对话|工单|会話|대화|محادثة|gesprek|rozmowa)"
    r"\b.{0,60}?)[-=_*\s]*)$",
    re.IGNORECASE,
)
MARKED_QUESTION: Final = re.compile(
    r"\s*(?:#{1,6}\s+|[-*+]\s+)?(?:\*\*|__)?(?:Q|Question|Frage|F|Pregunta|P|Pergunta|Domanda|D|Вопрос|В|问题|问|質問|問|질문|Q&A|س|سؤال|السؤال|Vraag|V)"
    r"\s?\.?\s?\d{0,3}\s?[.:：)、]\s*(?:\*\*|__)?\s*(?P<text>\S.*?)(?:\*\*|__)?\s*$"
)

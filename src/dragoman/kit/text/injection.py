"""Finds in a text what speaks to a language model instead of a reader: the one home of these phrases.

Documents are looked through at ingestion (`ingestion.suspicious`), questions and passages before a model reads them
(`generation.screening`). Signals are explainable: each says what it is, quotes what it saw, and has a weight from 0 to 1;
a text's score is 1 - (1 - w1)(1 - w2)…, and `SUSPICIOUS` is where it counts. What somebody hid is read too: characters
without width, tag characters, letters that look like others, spaced letters, Base64, hexadecimal, binary, ROT13 and
words written backwards, each bounded. No model and no download; what it finds and misses is in docs/benchmarks.md.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import heapq
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

SignalKind = Literal["instructions", "secrets", "authority", "splitting", "encoded", "hidden_text", "repetition"]
SUSPICIOUS: Final = 0.5
LONGEST_EXCERPT: Final = 120  # characters
_LONGEST_SCREENED: Final = 20_000  # characters of a question or passage; the middle of a longer one is left out
_MOST_PAYLOADS: Final = 8  # encoded stretches that are decoded
_LONGEST_PAYLOAD: Final = 4_000  # characters of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something that was seen, with up to 120 characters of it. `weight`: 0 to 1."""

    kind: SignalKind
    excerpt: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What a text looks like: its signals, the weightiest first, and the score made of them."""

    signals: tuple[Signal, ...] = ()

    @property
    def score(self) -> float:
        """0 to 1."""
        rest = 1.0
        for signal in self.signals:
            rest *= 1.0 - signal.weight
        return round(1.0 - rest, 4)

    @property
    def is_suspicious(self) -> bool:
        return self.score >= SUSPICIOUS


_CLEAN: Final = Screened()


def screen_question(text: str) -> Screened:
    """What an asker wrote. Beside phrases: asking for secrets of the machine, claimed authority, split payloads."""
    return _screened(text, asked=True)


def screen_passage(text: str) -> Screened:
    """Text of a document, which may be put before a model."""
    return _screened(text, asked=False)


def phrases(text: str, lowered: str, distinct: str) -> Iterator[Signal]:
    """Phrases by which a text speaks to the model, as they stand there. Searched only around pieces they must contain.

    Args:
        lowered: the text in lower case, each character at its place (`lower_in_place`).
        distinct: its distinct words, one a line.
    """
    yield from _phrases_of(_PHRASES, text, lowered, distinct)


def lower_in_place(text: str) -> str:
    """In lower case, each character at its place."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capitals become two characters
        lowered = "".join(sign.lower() if len(sign.lower()) == 1 else sign for sign in text)
    return lowered


def _screened(text: str, *, asked: bool) -> Screened:
    if len(text) > _LONGEST_SCREENED:
        text = f"{text[: _LONGEST_SCREENED // 2]}\n{text[-_LONGEST_SCREENED // 2 :]}"
    found: dict[tuple[str, str], Signal] = {}
    for shown in _as_read(text, asked=asked):
        for signal in _plain_signals(shown.text, asked=asked):
            hidden = _disguised(signal, shown.disguise)
            found.setdefault((hidden.kind, hidden.excerpt.lower()), hidden)
    if not found:
        return _CLEAN
    return Screened(signals=tuple(sorted(found.values(), key=lambda signal: -signal.weight)))


def _disguised(signal: Signal, disguise: SignalKind | None) -> Signal:
    """The signal as what hides it."""
    return signal if disguise is None else Signal(kind=disguise, excerpt=signal.excerpt, weight=signal.weight)


def _plain_signals(text: str, *, asked: bool) -> Iterator[Signal]:
    lowered = lower_in_place(text)
    distinct = "\n".join(set(lowered.split()))
    yield from phrases(text, lowered, distinct)
    if asked:
        yield from _phrases_of(_ASKED, text, lowered, distinct)
        if (repeated := _REPEATED.search(text)) is not None:
            yield Signal(kind="repetition", excerpt=repeated[1][:LONGEST_EXCERPT], weight=0.6)


# ---- what somebody hid


@dataclass(frozen=True, slots=True)
class _Shown:
    """A text as a reader or a decoder would see it; `disguise`: what it was hidden by, None where it was not."""

    text: str
    disguise: SignalKind | None = None


_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_STYLED: Final = re.compile(
    "[\u2100-\u214f\u2460-\u24ff\ufb00-\ufb06\uff01-\uff5e\U0001d400-\U0001d7ff\U0001f130-\U0001f189]+"
)
_TAGS: Final = re.compile("[\U000e0020-\U000e007f]{3,}")
_SPACED: Final = re.compile(r"(?<!\w)(?:\w[ .*_\-]){5,}\w(?!\w)")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,4000}={0,2}(?![A-Za-z0-9+/=])")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :]?){12,2000}(?![0-9A-Za-z])")
_BITS: Final = re.compile(r"(?<![01])(?:[01]{8} ?){6,500}(?![01])")
_ONE_BYTE: Final = re.compile("[01]{8}")
_ROT13_WORDS: Final = re.compile(r"vtaber|qvfertneq|vafgehpgvba|cebzcg|erirny|sbetrg|bireevqr")  # ignore, disregard …
_BACKWARDS: Final = re.compile(r"erongi|drageresid|snoitcurtsni|tpmorp|laever")
_FOREIGN_LETTER: Final = re.compile("[\u0370-\u03ff\u0400-\u04ff]")
_LATIN_LETTER: Final = re.compile("[A-Za-z]")
_ALIKE: Final = str.maketrans(
    "асеһіјкморԛѕтухвнгАВСЕНІЈКМОРЅТХУαεικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "acehijkmopqstyxbhrABCEHIJKMOPSTXYaeikvoptuxABEZHIKMNOPTYX",
)
_LEET: Final = str.maketrans("013457@$", "oieastas")
_LEET_WORD: Final = re.compile(
    r"(?<!\w)[A-Za-z@$]*[A-Za-z@$][013457@$][A-Za-z013457@$]*(?!\w)|(?<!\w)[013457@$][A-Za-z][A-Za-z013457@$]*(?!\w)"
)


def _as_read(text: str, *, asked: bool) -> Iterator[_Shown]:
    """The text, and what it becomes without its disguises; each only where there is one."""
    plain = text
    if not text.isascii():
        for tags in _TAGS.finditer(text):
            yield _Shown("".join(chr(ord(sign) - 0xE0000) for sign in tags[0]), "hidden_text")
        plain = _TAGS.sub("", _UNSEEN.sub("", text))
        plain = _latin_letters(_STYLED.sub(lambda match: unicodedata.normalize("NFKC", match[0]), plain))
    yield _Shown(plain)
    if (joined := _SPACED.sub(lambda match: re.sub(r"[ .*_\-]", "", match[0]), plain)) != plain:
        yield _Shown(joined, "hidden_text")
    if asked and (spelled := _LEET_WORD.sub(lambda match: match[0].translate(_LEET), plain)) != plain:
        yield _Shown(spelled, "encoded")
    lowered = plain.lower()
    if _ROT13_WORDS.search(lowered):
        yield _Shown(codecs.decode(plain, "rot13"), "encoded")
    if _BACKWARDS.search(lowered):
        yield _Shown(plain[::-1], "encoded")
        yield _Shown(" ".join(word[::-1] for word in plain.split()), "encoded")
    yield from (_Shown(decoded, "encoded") for decoded in _payloads(plain))


def _latin_letters(text: str) -> str:
    """Words that mix Latin letters with Greek or Cyrillic ones that look like them, in Latin letters."""
    if not _FOREIGN_LETTER.search(text) or not _LATIN_LETTER.search(text):
        return text
    return re.sub(
        r"\w+",
        lambda match: (
            match[0].translate(_ALIKE)
            if _FOREIGN_LETTER.search(match[0]) and _LATIN_LETTER.search(match[0])
            else match[0]
        ),
        text,
    )


def _payloads(text: str) -> Iterator[str]:
    """Encoded stretches as text, `_MOST_PAYLOADS` at most; what does not decode to text is passed over."""
    left = _MOST_PAYLOADS
    for pattern, decode in ((_BASE64, _from_base64), (_HEX, _from_hex), (_BITS, _from_bits)):
        if pattern is _BITS and not _ONE_BYTE.search(text):
            continue
        for match in pattern.finditer(text):
            if left == 0:
                return
            left -= 1
            decoded = decode(match[0][:_LONGEST_PAYLOAD])
            if decoded is not None and _is_text(decoded):
                yield decoded


def _from_base64(payload: str) -> str | None:
    compact = payload.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(compact[: len(compact) - (len(compact) % 4 == 1)] + "=" * (-len(compact) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _from_hex(payload: str) -> str | None:
    try:
        return bytes.fromhex(payload.replace(":", " ")).decode()
    except (UnicodeDecodeError, ValueError):
        return None


def _from_bits(payload: str) -> str | None:
    try:
        return bytes(int(byte, 2) for byte in re.findall("[01]{8}", payload)).decode()
    except UnicodeDecodeError:
        return None


def _is_text(decoded: str) -> bool:
    return " " in decoded and all(sign.isprintable() or sign.isspace() for sign in decoded)


# ---- phrases

_BEFORE: Final = r"previous|prior|above|earlier|preceding|foregoing|initial|original|former|existing"
_ORDERS: Final = (
    r"instructions?|prompts?|rules?|directions?|directives?|guidelines?|commands?|orders?|restrictions?|constraints?"
)


_Phrase = tuple[SignalKind, float, tuple[tuple[str, str], ...], re.Pattern[str]]


def _phrase(keys: str, pattern: str, kind: SignalKind = "instructions", weight: float = 0.8) -> _Phrase:
    """A pattern with the pieces (in lower case) of which it must contain one: by them most of a text is passed over.

    Beside each piece stands its longest part without spaces.
    """
    pieces = keys.lower().split("|")
    needed = tuple((max(piece.split() or [piece], key=len), piece) for piece in pieces)
    return kind, weight, needed, re.compile(pattern, re.IGNORECASE)


class _Known(NamedTuple):
    """Phrases, and the parts of all their pieces, each once; of those that a text of ASCII can hold, three in five."""

    phrases: tuple[_Phrase, ...]
    parts: tuple[str, ...]
    parts_of_ascii: tuple[str, ...]


def _known(*phrases: _Phrase) -> _Known:
    parts = tuple(dict.fromkeys(part for _, _, keys, _ in phrases for part, _ in keys))
    return _Known(phrases, parts, tuple(filter(str.isascii, parts)))


_PHRASES: Final = _known(
    _phrase(
        r"nstruct|rompt|rules|irecti|uidelin|ommand|orders|estrict|onstrain|told|said|written|learned",
        rf"(?<!not )(?<!n't )(?<!never )\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|overlook|bypass|neglect|do not follow|don'?t follow|stop following)\s+"
        rf"(?:\w+\s+){{0,4}}?(?:(?:{_BEFORE}|system|your|all)\s+(?:(?:of|the|your|my|these|those|{_BEFORE}|system|safety)\s+){{0,3}}(?:{_ORDERS})\b"
        rf"|(?:everything|everthing|all)\s+(?:[\w']+\s+){{0,4}}(?:told|said|written|learned|instructed|above|before)\b|(?:{_BEFORE})\s+(?:text|context|messages?|conversation|tasks?)\b)",
    ),
    _phrase(
        r"rompt|nstruct|your |s above|t above|ing above",
        r"\b(?:reveal|show|print|repeat|output|display|disclose|leak|tell|give|share|write|recite|summari[sz]e|translate|what (?:is|are|was|were)|copy)\b"
        r"[^.\n]{0,50}?(?:\b(?:system|initial|hidden|secret|original|first|full|above) (?:prompt|instructions?|message)"
        r"|\byour (?:(?:system|initial|original|starting|exact|full|previous|secret|own) )*(?:prompt|instructions|rules|guidelines)\b"
        r"|\binstructions? (?:that )?(?:you (?:were|have been|are|received|got)|given to you|above)|\b(?:text|words|everything|lines?|content) above\b)",
    ),
    _phrase(
        r"ou are|rom now|ct as|retend| mode|nything now|nrestrict",
        r"\bfrom now on,? (?:you|act|answer|respond|ignore|pretend|speak)\b|\byou are (?:now|no longer) (?:an? |the |in |bound|restricted|free|dan\b|going to (?:act|be))"
        r"|\bact as (?:if you (?:were|are|have)|an? (?:unrestricted|unfiltered|evil|hacker))|\bpretend (?:that )?you(?: are|'re) (?:not|no longer|free|an? (?:unrestricted|unfiltered|different) )"
        r"|\b(?:developer|dan|god|debug|admin(?:istrator)?) mode (?:enabled|activated|on\b|is)|\bdo anything now\b|\bunrestricted (?:ai|model|mode)\b",
    ),
    _phrase(
        r"nstruct|rompt|SYSTEM|system|AI:|ssistant",
        r"\b(?:new|updated|real|actual|additional|important) (?:system )?(?:instructions?|prompts?)\s*(?:[:：]|for the (?:ai|assistant|model))"
        r"|(?:^|\n|>|\"|--)\s*(?:SYSTEM|System (?:message|prompt|note|override)|ASSISTANT|AI|LLM)\s*[:：]\s*(?:you\b|ignore|reveal|say|do\b|never|always|from|the (?:user|assistant)|forget|answer)"
        r"|\b(?:attention|note to|instructions? (?:for|to)|message (?:for|to)|dear|hey),? (?:the )?(?:ai|llm|language model|assistant|chatbot|ai model|ai assistant)s?\b\s*[:,]",
    ),
    _phrase(
        r"every |each |append |all questions|all answers|all messages|all responses",
        r"\b(?:answer|respond to|reply to|end|begin|start|finish|append (?:\S+ )?to) (?:every|each|all)(?: \w+){0,2} "
        r"(?:questions?|answers?|responses?|messages?|repl(?:y|ies)|quer(?:y|ies))(?: \w+){0,2} (?:with|by)\b"
        r"|\bappend \S{3,40} to (?:each|every|all) (?:answer|response|message|reply)",
    ),
    _phrase(
        r"the user|the human|the customer|the reader",
        r"\b(?:do not|don'?t|never) (?:tell|inform|alert|notify|mention (?:this|it) to|let) the (?:user|human|customer|reader)\b[^.\n]{0,40}\b(?:this|about|know|these)\b"
        r"|\bwithout (?:telling|informing|alerting|notifying) the (?:user|human)\b",
    ),
    _phrase(
        r"im_start|inst]|<<sys|start_header",
        r"<\|im_start\|>|\[/?INST\]|<<SYS>>|<\|start_header_id\|>",
    ),
    _phrase(
        r"nweisung|nstruktion|orgaben|egeln|ystemprompt|efehl",
        r"\b(?:ignorier(?:e|en)?|vergiss|vergessen sie|missachte(?:n)?|übergehe|befolge nicht)\b(?: \w+){0,4}? (?:anweisung(?:en)?|instruktion(?:en)?|vorgaben|regeln|befehle?)"
        r"|\b(?:zeig|nenn|verrat|gib|wiederhol)\w*\b(?: \w+){0,4}? (?:systemprompt|system-prompt|systemanweisung(?:en)?|deine (?:anweisungen|instruktionen))",
    ),
    _phrase(
        r"nstruc|nstruç|rdenes|eglas|egras|struzion|onsign|egole",
        r"\b(?:ignora|ignore|ignorar?|olvida|olvide|esquece|esqueça|dimentica|omite|descarta|desconsidere|oublie[zs]?|ignorez|ne (?:tenez|tiens) pas compte)\b"
        r" (?:toutes?|tous|les|tes|vos|ces|mes|des?|todas?|todos?|las?|los|tus?|sus?|estas|esas|as|os|suas|tuas|tutte|tutti|le|gli|ogni|qualquer|cualquier)\b(?: [\w']+){0,4}?"
        r" (?:(?:d'|l')?instruc(?:ciones|tions)|instruções|istruzioni|[óo]rdenes|reglas|regras|regole|consignes|prompt)"
        r"|\b(?:muestra|revela|mostre|révèle[zs]?|affiche[zs]?|mostra|rivela|répète[zs]?|repite|repita|ripeti)\b(?: [\w']+){0,5}? (?:prompt|instruc(?:ciones|tions)|instruções|istruzioni)",
    ),
    _phrase(
        r"нструкц|казани|равил|ромпт|оманд",
        r"\b(?:игнорир\w+|забудь\w*|не обращай\w* внимания на|отмени\w*|пренебреги\w*)(?: \w+){0,4}? (?:инструкци\w+|указани\w+|правил\w*|команд\w*|промпт\w*)"
        r"|\b(?:покажи|раскрой|выведи|повтори|напечатай)\w*(?: \w+){0,4}? (?:системн\w+ (?:промпт|инструкц|сообщени)\w*|промпт\w*|(?:свои|твои|ваши) инструкции)",
    ),
    _phrase(
        r"指令|指示|提示|规则|規則|命令|プロンプト",
        r"(?:忽略|无视|無視|忘记|忘掉|不要理会|不要遵守|跳过)[^。\n]{0,15}(?:指令|指示|提示词?|规则|規則|命令)"
        r"|(?:显示|透露|输出|告诉我|重复|打印)[^。\n]{0,12}(?:系统提示|系統提示|提示词|系统指令|初始指令)"
        r"|(?:指示|命令|プロンプト|規則|ルール)(?:を|は)?(?:すべて|全て)?(?:無視|忘れ)|システムプロンプト(?:を|の)[^。\n]{0,10}(?:表示|教え|出力|開示)",
    ),
    _phrase(
        r"지시|지침|명령|프롬프트|규칙",
        r"(?:지시|지침|명령|프롬프트|규칙)\S{0,4}\s?(?:\S{1,6} ){0,2}(?:무시|잊어)|시스템 프롬프트\S{0,3} (?:보여|공개|출력|알려)",
    ),
    _phrase(
        r"تعليمات|التعليمات|أوامر|الأوامر|قواعد|القواعد|موجه",
        r"(?:تجاهل|انس|انسى|اهمل|أهمل|لا تتبع)\S{0,3}(?: \S+){0,4}? (?:ال)?(?:تعليمات|أوامر|قواعد|توجيهات)|(?:اكشف|أظهر|اعرض|كرر)(?: \S+){0,4}? (?:موجه النظام|تعليماتك|تعليمات النظام)",
    ),
    _phrase(
        r"δηγίες|ντολές|κανόνες|निर्देश|आदेश|नियम",
        r"\b(?:αγνοήστε|αγνόησε|ξέχασε|ξεχάστε)(?: \w+){0,4}? (?:οδηγίες|εντολές|κανόνες)|(?:निर्देश|आदेश|नियम)\S{0,5}(?: \S+){0,3} (?:अनदेखी|अनदेखा|नज़रअंदाज़|भूल)",
    ),
    _phrase(
        r"nstructies|olecen|nstrukcj|alimat|egels|omut|eguły",
        r"\b(?:negeer|vergeet)\b(?: \w+){0,4}? (?:instructies|regels|opdrachten)|\b(?:zignoruj|ignoruj|zapomnij)\b(?: \w+){0,4}? (?:instrukcj\w+|polece\w+|reguł\w*)"
        r"|\b(?:önceki|tüm|yukarıdaki)(?: \w+){0,3}? (?:talimat\w*|komut\w*|kural\w*)(?: \w+){0,2} (?:yok say|unut|görmezden gel)\w*",
    ),
    _phrase(
        r"нструкці|казівк|равил|okyn|nstrukc|nstruktion|nstruks|utasítás|nstrucțiuni|struksi|perintah|hướng dẫn|chỉ dẫn|lệnh",
        r"\b(?:ігноруй\w*|забудь\w*|не зважай\w* на)(?: \w+){0,4}? (?:інструкці\w+|вказівк\w+|правил\w*)"
        r"|\b(?:ignoruj\w*|zapomeň\w*|zabudni\w*)(?: \w+){0,4}? (?:pokyn\w*|instrukc\w*|inštrukci\w*|pravidl\w*)"
        r"|\b(?:ignorer[a]?|glöm|glem)(?: \w+){0,4}? (?:instruktion\w*|instruks\w*|anvisning\w*)"
        r"|(?:hagyd figyelmen kívül|felejtsd el)(?: \w+){0,4}? (?:utasítás\w*|szabály\w*)|\b(?:ignoră|uită)(?: \w+){0,4}? (?:instrucțiuni\w*|reguli\w*)"
        r"|\b(?:abaikan|lupakan)(?: \w+){0,3}? (?:instruksi|perintah|petunjuk)|(?:bỏ qua|quên|phớt lờ)(?: \w+){0,4}? (?:hướng dẫn|chỉ dẫn|lệnh|quy tắc)",
    ),
    _phrase(
        r"คำสั่ง|คำแนะนำ|دستور|הוראות|ההוראות|নির্দেশ",
        r"(?:เพิกเฉย|ละเลย|ไม่ต้องสนใจ|ไม่สนใจ|ลืม)[^\n]{0,20}(?:คำสั่ง|คำแนะนำ)|(?:دستور\S{0,12}(?: \S+){0,4}? (?:نادیده|فراموش))"
        r"|(?:התעלם|התעלמי|שכח|תתעלם)(?: \S+){0,4}? ?ה?הוראות|নির্দেশ\S{0,6}(?: \S+){0,3} (?:উপেক্ষা|ভুলে)",
    ),
    _phrase(
        r"system prompt|systemprompt|system-prompt|シスプロ|システムプロンプト|系统提示|系統提示|시스템 프롬프트|промпт|invite système|prompt de sistema|prompt del sistema|prompt do sistema|prompt di sistema|موجه النظام|सिस्टम प्रॉम्प्ट",
        r"\b(?:see|need|want|show|give|send|encode|output|print|dump|post|paste|continue|complete|replace|rot13|base64|zeig\w*|gib|nenn\w*|verrat\w*|montre[zrs]?|donne[zrs]?|muestra\w*|dime|enséñame|mostr\w*|dimmi|покажи\w*|раскрой\w*|скажи\w*|выведи\w*)\b[^.\n]{0,40}?"
        r"(?:system[ -]?prompt|invite système|prompt (?:de|del|do|di) sistema|системн\w+ промпт\w*)"
        r"|console\.log\(\s*system|(?:the|your|my) system prompt (?:is|was|reads|says)\s*:"
        r"|(?:系统提示|系統提示|システムプロンプト)(?:词|詞)?[^。\n]{0,12}(?:是什么|是什麼|告诉|告訴|给我|給我|教え|見せ|何)|시스템 프롬프트[^.\n]{0,8}(?:뭐|무엇|말해|알려|보여)"
        r"|सिस्टम प्रॉम्प्ट[^।\n]{0,16}(?:दिखा|बता|क्या)|موجه النظام[^.\n]{0,12}(?:ما هو|أرني|أخبرني)",
    ),
    _phrase(
        r"ignore |disregard |forget ",
        r"(?<!not )(?<!n't )(?<!never )\b(?:ignore|disregard|forget)(?: about)? (?:all (?:of )?)?(?:the above|everything above|what(?:ever)? (?:was|is|has been) (?:said|written) (?:above|before))\b"
        r"|(?:^|[.!?:\n] *)forget(?: about)? (?:that|this|it|everything),? (?:and |now )?(?:can you|please|instead|give|tell|provide|write|say|print|answer)",
    ),
    _phrase(
        r"word for word|verbatim|was instructed to|structions are",
        r"\brepeat (?:this|the|our|your)(?: entire| whole| full)? (?:conversation|prompt|instructions?|text|context)[^.\n]{0,40}(?:word for word|verbatim)"
        r"|['\"‘“]i (?:was|have been|am) instructed to|['\"‘“]my instructions (?:are|were)",
    ),
    _phrase(
        r" mode>|mode]|mode>|_mode|ode: ",
        r"[<\[]\s*/?\s*(?:system|admin|developer|debug|god|root|sudo)[ _-]?(?:mode|override|prompt|message)\s*[>\]]|\boverride[ _]mode\b",
    ),
    _phrase(
        r"function|the code|the table|the paper|the text|the document|the above",
        r"\b(?:ignore|disregard) the (?:function|code|table|paper|text|document|data|numbers?)\b[^\n]{0,20}\b(?:and|,) (?:state|say|claim|report|answer|output|write|tell)\b"
        r"|\bignorez? (?:la fonction|le code|le tableau|le texte)\b[^\n]{0,20}\bet (?:indique|dites?|affirme)",
    ),
)

_SECRETS: Final = r"(?:secret |admin(?:istrator)? |access |hidden |private )?(?:pass(?:word|code|phrase)|secret(?: key)?|api key|credentials)"
_ASKED: Final = _known(
    _phrase(
        r"password|passcode|passphrase|secret|api key|credentials",
        rf"\b(?:your|the (?:system|server|admin)(?:'s)?|our system'?s?) {_SECRETS}\b|\b{_SECRETS} (?:that|which) (?:you (?:were|have been|are)|unlocks? (?:our|the|this) system)"
        rf"|\b(?:poem|haiku|song|story|riddle|limerick|acrostic) (?:about|on|with|containing) the {_SECRETS}\b|\bwrite the {_SECRETS}\b|\b(?:password|secret) for our system\b"
        rf"|(?:^|[.!?,] ?)(?:what(?:'s| is| was)|tell me|give me|reveal|say|spell) the {_SECRETS}\s*[?.!]?\s*$|\b(?:confirm|provide|reveal|disclose|leak) the {_SECRETS}\b",
        "secrets",
        0.6,
    ),
    _phrase(
        r"passwort|kennwort|mot de passe|contraseña|senha|парол|密码|密碼|パスワード|비밀번호|पासवर्ड|كلمة المرور|كلمة السر|şifre|hasło|wachtwoord",
        r"\b(?:dein|ihr|euer)(?:e[nrms]?)? (?:geheime[ns]? )?(?:passwort|kennwort)\b|\b(?:ton|votre|tes|vos) (?:mots? de passe|codes? secrets?)\b|\b(?:tu|su|tus|vuestra) contraseña\b|\b(?:sua|tua) senha\b|\b(?:tua|vostra) password\b"
        r"|\b(?:твой|ваш|твоего|вашего|свой) (?:секретный )?парол\w*|(?:你的|您的|妳的)(?:密码|密碼|口令)|(?:あなたの|君の|お前の)(?:パスワード|暗証)|(?:너의|당신의|네|니) ?비밀번호"
        r"|(?:आपका|तुम्हारा|अपना) (?:गुप्त )?पासवर्ड|كلمة (?:المرور|السر) (?:الخاصة بك|لديك)|\bşifren(?:i|iz)?\b|\b(?:twoje|wasze) hasło\b|\b(?:je|jouw|uw) wachtwoord\b"
        r"|^\W*(?:was ist das passwort|quel est le mot de passe|cuál es la contraseña|qual è la password|qual é a senha|какой пароль|密码是什么|パスワードは何ですか|비밀번호가 뭐야)\W*$",
        "secrets",
        0.6,
    ),
    _phrase(
        r"i'm your|i am your|i am god|your developer|your creator|system reset|security audit|police officer|your system",
        r"\bi(?:'m| am) (?:your|the) (?:lead )?(?:developer|creator|maker|admin(?:istrator)?|owner|programmer|maintainer of your system|boss)\b|\bi am god\b"
        r"|\bi(?:'m| am) (?:a|the) (?:police officer|president of)\b[^\n]{0,60}\b(?:i need|share|tell|you)\b|\b(?:running|performing|initiating|conducting) an? ['\"]?(?:security audit|system (?:check|reset|override))",
        "authority",
        0.5,
    ),
    _phrase(
        r"interlace|= a +|strings|combine a|morse|binary string|decode this|pig latin|a = ",
        r"\binterlace part 1\b|\b[xyz] = a ?\+ ?b\b|\b[a-d] = [\"'][^\"'\n]{3,200}[\"'][,.;]? (?:and )?[a-d] = [\"']|\bcombine a, b,? and c\b"
        r"|\bdecode (?:this|the following) (?:morse|binary|base64|hex|rot13|string|message)\b[^\n]{0,60}\b(?:tell|follow|answer|execute|do what)\b",
        "splitting",
        0.5,
    ),
)
_REPEATED: Final = re.compile(r"(?<!\S)(\S{2,40})(?:\s+\1){15,}(?!\S)")
_REACH: Final = 200  # characters around the piece that a phrase must contain


def _phrases_of(known: _Known, text: str, lowered: str, distinct: str) -> Iterator[Signal]:
    parts = known.parts_of_ascii if distinct.isascii() else known.parts
    there = {part for part in parts if part in distinct}
    if not there:
        return
    for kind, weight, keys, phrase in known.phrases:
        held = [key for part, key in keys if part in there]
        for start, end in _around(lowered, held) if held else ():
            for found in phrase.finditer(text, start, end):
                yield Signal(kind=kind, excerpt=" ".join(found[0].split())[:LONGEST_EXCERPT], weight=weight)


def _around(lowered: str, keys: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Stretches around each of the pieces, joined where they meet."""
    opened = closed = -1
    for at in heapq.merge(*(_places(lowered, key) for key in keys)):
        if at - _REACH > closed:
            if closed >= 0:
                yield opened, closed
            opened = max(0, at - _REACH)
        closed = min(len(lowered), at + _REACH)
    if closed >= 0:
        yield opened, closed


def _places(lowered: str, key: str) -> Iterator[int]:
    at = lowered.find(key)
    while at >= 0:
        yield at
        at = lowered.find(key, at + _REACH // 2)

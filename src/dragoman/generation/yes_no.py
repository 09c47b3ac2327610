"""Whether a question asks for yes or no, in the main languages. A quotation does not say which; it lets the source speak."""

from __future__ import annotations

import re
from typing import Final

from dragoman.kit.text.terms import base_language

_ASKS: Final = {
    "ar": re.compile(r"^\s*(?:و?هل|أليس|ألا)\b"),
    "bg": re.compile(r"\bли\b"),
    "bn": re.compile(r"কি\s*[?？]?\s*$"),
    "cs": re.compile(r"^(?:je|jsou|má|mají|může|mohou|lze|smí|musí|byl|byla|bude)\b", re.IGNORECASE),
    "da": re.compile(r"^(?:er|har|kan|må|skal|vil|var|bliver|findes|gælder|får)\b", re.IGNORECASE),
    "de": re.compile(
        r"^(?:ist|sind|war|waren|kann|können|könnte|darf|dürfen|muss|müssen|soll|sollen|hat|haben|habe|wird|werden|"
        r"wurde|gibt es|gilt|gelten|bekomme|bekommt|bietet|bieten|lässt|braucht|brauche|benötigt|erhalte|erhält|"
        r"unterstützt|akzeptiert|enthält|funktioniert)\b",
        re.IGNORECASE,
    ),
    "el": re.compile(r"^(?:είναι|ήταν|έχει|έχουν|μπορ\w+|υπάρχ\w+|πρέπει|επιτρέπεται|ισχύει)\b", re.IGNORECASE),
    "en": re.compile(
        r"^(?:(?:and|so|but|ok|hi|hello)[, ]+)?(?:is|are|was|were|am|do|does|did|can|could|may|might|must|shall|should|"
        r"will|would|has|have|had|isn['’]t|aren['’]t|doesn['’]t|don['’]t|can['’]t|won['’]t)\b(?! you (?:tell|explain|show|list|describe|give))",
        re.IGNORECASE,
    ),
    "es": re.compile(
        r"^¿?\s*(?:es|son|está|están|era|fue|puedo|puede|pueden|podemos|hay|tiene|tienen|tengo|debe|debo|deben|ha|han|existe|"
        r"existen|ofrece|ofrecen|acepta|incluye|se puede|se pueden)\b(?! (?:cuánt|qué|quién))",
        re.IGNORECASE,
    ),
    "fa": re.compile(r"^\s*آیا"),
    "fi": re.compile(r"^\w+(?:ko|kö)\b", re.IGNORECASE),
    "fr": re.compile(
        r"^(?:est-ce qu|(?:est|sont|peut|peuvent|puis|doit|a|ont|faut|existe|y a)-(?:t-)?(?:il|elle|ils|elles|on|je|ce)\b)|"
        r"^\w+(?: \w+){1,5} (?:est|sont|peut|doit|a)-(?:t-)?(?:il|elle|ils|elles)\b",
        re.IGNORECASE,
    ),
    "he": re.compile(r"^\s*האם"),
    "hi": re.compile(r"^\s*क्या(?!\s+(?:है|हैं|था|थी)\s*\?)"),
    "hu": re.compile(r"\b\w+-e\b"),
    "id": re.compile(r"^(?:apakah|bisakah|bolehkah|adakah)\b", re.IGNORECASE),
    "it": re.compile(r"^(?:è|sono|era|può|posso|possono|c['’]è|ci sono|ha|hanno|deve|devo|esiste|si può)\b", re.IGNORECASE),
    "ja": re.compile(r"(?:ます|です|ません)か[。？?]?\s*$"),
    "ko": re.compile(r"(?:나요|습니까|ㅂ니까|인가요|가능한가요)\s*[?？]?\s*$"),
    "nl": re.compile(r"^(?:is|zijn|was|kan|kunnen|mag|mogen|moet|moeten|heeft|hebben|heb|wordt|worden|geldt|bestaat)\b", re.IGNORECASE),
    "no": re.compile(r"^(?:er|har|kan|må|skal|vil|var|blir|finnes|gjelder|får)\b", re.IGNORECASE),
    "pl": re.compile(r"^czy\b", re.IGNORECASE),
    "pt": re.compile(r"^(?:é|são|está|estão|era|foi|posso|pode|podem|há|tem|têm|tenho|deve|devo|existe|existem)\b", re.IGNORECASE),
    "ro": re.compile(r"^(?:este|sunt|e|era|a fost|pot|poate|există|are|au|am|trebuie|se poate)\b", re.IGNORECASE),
    "ru": re.compile(r"\bли\b|^(?:можно|нужно|надо|есть|разве|правда|должен|должна|должны|может|могу|является)\b", re.IGNORECASE),
    "sv": re.compile(r"^(?:är|har|kan|får|måste|ska|vill|var|blir|finns|gäller)\b", re.IGNORECASE),
    "th": re.compile(r"(?:ไหม|มั้ย|หรือไม่|หรือเปล่า|ใช่ไหม)\s*[?？]?\s*$"),
    "tr": re.compile(r"\bm[ıiuü](?:y\w+|s\w+|d\w+)?\s*[?？]?\s*$|\bm[ıiuü](?:dır|dir|dur|dür)\b", re.IGNORECASE),
    "uk": re.compile(r"^чи\b|\bли\b", re.IGNORECASE),
    "vi": re.compile(r"(?:không|chưa|phải không|hay không)\s*[?？]?\s*$|^có phải\b", re.IGNORECASE),
    "zh": re.compile(r"[吗嗎么][？?]?\s*$|是否|是不是|能不能|可不可以|有没有|能否|可否"),
}  # fmt: skip
_OR: Final = {
    "ar": "أم", "bg": r"\bили\b", "cs": r"\bnebo\b", "da": r"\beller\b", "de": r"\boder\b", "el": r"\bή\b", "en": r"\bor\b",
    "es": r"\b[ou]\b", "fi": r"\bvai\b", "fr": r"\bou\b", "hi": r"\bया\b", "it": r"\bo\b", "ja": "それとも", "nl": r"\bof\b",
    "no": r"\beller\b", "pl": r"\balbo\b", "pt": r"\bou\b", "ro": r"\bsau\b", "ru": r"\bили\b", "sv": r"\beller\b",
    "th": "หรือ(?!ไม่|เปล่า)", "tr": r"\byoksa\b", "uk": r"\bабо\b", "zh": "还是",
}  # fmt: skip
_OPENING: Final = "\"'“”„«»¿¡ \t"


def asks_yes_or_no(question: str, language: str) -> bool:
    """Whether it can be answered by yes or no; "A or B?" cannot. False for languages that are not known."""
    base = base_language(language)
    pattern, text = _ASKS.get(base), question.strip().lstrip(_OPENING)
    if pattern is None or not text or (base in _OR and re.search(_OR[base], text, re.IGNORECASE)):
        return False
    return pattern.search(text) is not None

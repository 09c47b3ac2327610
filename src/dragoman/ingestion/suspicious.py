"""Finds in a text what was put there for a machine: hidden characters, instructions to a model, formulas, encoded data.

Signs, not proof: a handbook on security quotes such phrases too. So they lower the score and are shown, and nothing is
removed for them. What the phrases catch, and what they do not, is measured in tests/unit/test_quality.py.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

SuspicionKind = Literal["instructions", "hidden_text", "hidden_characters", "bidi", "formula", "encoded", "script_link"]
LONGEST_EXCERPT: Final = 120  # characters
SHORTEST_BLOB: Final = 400  # characters of Base64; shorter ones are keys and checksums
FEWEST_ZERO_WIDTH: Final = 20  # a page copied from the web carries some


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What was seen and where: `excerpt` with up to 120 characters of it."""

    kind: SuspicionKind
    excerpt: str


def suspicions(text: str) -> Iterator[Suspicion]:
    """All that is suspicious in a text as it was extracted, before hidden characters are cleaned away."""
    yield from _hidden(text)
    lowered = _lowered(text)
    distinct = "\n".join(
        set(lowered.split())
    )  # a third of an ordinary text, and what has no space is in it or not in the text at all
    for kind, may_be_in, pattern in _PATTERNS:
        if may_be_in(distinct):
            for found in pattern.finditer(text):
                yield Suspicion(kind=kind, excerpt=" ".join(found[0].split())[:LONGEST_EXCERPT])
    yield from _instructions(text, lowered, distinct)


def _lowered(text: str) -> str:
    """In lower case, each character at its place."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capitals become two characters
        lowered = "".join(sign.lower() if len(sign.lower()) == 1 else sign for sign in text)
    return lowered


# --- characters nobody sees ------------------------------------------------------------------------------------------

_TAGS: Final = re.compile(
    "(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]{3,}"
)  # flags of regions use them
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{6,}")
_BIDI: Final = re.compile("[\u202d\u202e]")  # overrides; marks and isolates are ordinary in Arabic and Hebrew
_ZERO_WIDTH: Final = re.compile("[\u200b\u2060-\u2064\ufeff]")
_UNSEEN: Final = re.compile(
    "[\u200b\u202d\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
)


def _hidden(text: str) -> Iterator[Suspicion]:
    if text.isascii() or not _UNSEEN.search(text):
        return
    for found in _TAGS.finditer(text):
        words = "".join(chr(ord(sign) - 0xE0000) for sign in found[0])
        yield Suspicion(kind="hidden_text", excerpt=words[:LONGEST_EXCERPT])
    for found in _SELECTORS.finditer(text):
        yield Suspicion(kind="hidden_text", excerpt=f"{len(found[0])} variation selectors in a row")
    if overrides := len(_BIDI.findall(text)):
        yield Suspicion(kind="bidi", excerpt=f"{overrides} characters that reverse the direction of writing")
    zero_width = len(_ZERO_WIDTH.findall(text))
    if zero_width >= FEWEST_ZERO_WIDTH and zero_width * 200 > len(text):
        yield Suspicion(kind="hidden_characters", excerpt=f"{zero_width} characters without width")


_FORMULA_WORDS: Final = (
    *("@", "cmd", "powershell", "mshta", "rundll32", "msexcel", "hyperlink(", "webservice(", "importxml("),
    *("importdata(", "importhtml(", "importfeed(", "importrange(", "dde(", "call(", "exec(", "register("),
)


def _may_hold_formula(distinct: str) -> bool:
    return any(word in distinct for word in _FORMULA_WORDS)


def _may_hold_blob(distinct: str) -> bool:
    return max(map(len, distinct.split("\n"))) >= SHORTEST_BLOB


def _may_hold_link(distinct: str) -> bool:
    return "](" in distinct


# Kind, a quick look at the distinct words by which most texts are passed over, and the pattern.
_PATTERNS: Final[tuple[tuple[SuspicionKind, Callable[[str], bool], re.Pattern[str]], ...]] = (
    (
        "formula",
        _may_hold_formula,
        re.compile(
            r"(?:^|[|,;\t\"'])[ ]*[=+@-][ ]*(?:(?:cmd|powershell|mshta|rundll32|msexcel)[^\n|]{0,40}\\?\|"
            r"|[^\n|]{0,40}(?:HYPERLINK|WEBSERVICE|IMPORTXML|IMPORTDATA|IMPORTHTML|IMPORTFEED|IMPORTRANGE|DDE|CALL|EXEC|REGISTER)\()"
            r"|(?:^|[|,;\t\"'])[ ]*@[A-Z]{2,20}\(",
            re.MULTILINE | re.IGNORECASE,
        ),
    ),
    (
        "encoded",
        _may_hold_blob,
        re.compile(rf"(?<![A-Za-z0-9+/])(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{{{SHORTEST_BLOB},}}={{0,2}}"),
    ),
    (
        "script_link",
        _may_hold_link,
        re.compile(r"\]\(\s*(?:javascript|vbscript|data:text/html)[^)]{0,80}", re.IGNORECASE),
    ),
)

# --- instructions to a model -----------------------------------------------------------------------------------------

_BEFORE: Final = r"previous|prior|above|earlier|preceding|foregoing|initial|original|former|existing"
_ORDERS: Final = (
    r"instructions?|prompts?|rules?|directions?|directives?|guidelines?|commands?|orders?|restrictions?|constraints?"
)


def _phrase(keys: str, pattern: str) -> tuple[tuple[tuple[str, str], ...], re.Pattern[str]]:
    """A pattern with the pieces (in lower case) of which it must contain one: by them most of a text is passed over.

    Beside each piece stands its longest part without spaces.
    """
    pieces = keys.lower().split("|")
    return tuple((max(piece.split(), key=len), piece) for piece in pieces), re.compile(pattern, re.IGNORECASE)


_INSTRUCTIONS: Final = (
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
)
_REACH: Final = 200  # characters around the piece that a phrase must contain


def _instructions(text: str, lowered: str, distinct: str) -> Iterator[Suspicion]:
    """Phrases by which a text speaks to the model. Searched only around the pieces that they must contain."""
    for keys, phrase in _INSTRUCTIONS:
        held = [key for part, key in keys if part in distinct]
        for start, end in _around(lowered, held) if held else ():
            for found in phrase.finditer(text, start, end):
                yield Suspicion(kind="instructions", excerpt=" ".join(found[0].split())[:LONGEST_EXCERPT])


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

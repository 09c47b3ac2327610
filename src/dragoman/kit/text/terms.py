"""Turns text into the terms of the keyword index, for documents and for questions.

Words are normalised (NFKC, case, digits), stop words dropped, the rest stemmed by Snowball (Porter 2001,
https://snowballstem.org) where it knows the language, then accents are folded. Scripts that write no spaces between
words become overlapping bigrams (Chinese, Japanese, Korean), as in Lucene's CJK analysis, or trigrams (Thai, Lao, Burmese,
Khmer: xquad-a/th 0.979 nDCG@10, with bigrams 0.950), whatever the document's language is said to be: a Japanese name in a
German document is found too. Dictionaries gained nothing on Chinese (partner-center-a 0.982 with jieba, bigrams 0.990;
xquad-a 0.970 and 0.977), single characters beside the bigrams neither, at twice the terms. Codes such as `DX-4100/2`, `v2.3.1` or an e-mail address are kept
whole and in parts.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Final

import snowballstemmer


def analyse(text: str, language: str) -> list[str]:
    """The index terms of a text, in text order, with repetitions.

    Args:
        text: Any text; Markdown is fine.
        language: ISO 639-1 code; a region (`pt-BR`) is ignored. An unknown code means no stemming and no stop words.
    """
    known = _KNOWN[base_language(language)]
    if len(known) > _MOST_KNOWN:
        known.clear()
    return [term for surface in _surfaces(text) for term in known[surface]]


def analyse_query(
    text: str, languages: Sequence[str], *, question_language: str = "", is_phrase: bool = False
) -> list[tuple[str, ...]]:
    """The terms to look up for a question: one tuple of alternatives for each of its tokens.

    A token's alternatives are the forms under which each of the languages would have indexed it, so one question
    searches knowledge in several languages. A passage scores a token by its best alternative, once. A token that is a
    stop word in all the languages is dropped; a repeated token counts once.

    Args:
        text: The question, in any language.
        languages: The languages the knowledge is written in (not the question's own, unless it is one of them).
        question_language: Its stop words are dropped too: a Spanish question would otherwise ask English documents for
            "la", which there is a rare and so a weighty word (xquad-a es->en lost 0.02 hit@1 to it).
        is_phrase: Leave out what a text may lack that holds these words in this order.
    """
    own = _stop_words(base_language(question_language))
    bases = list(dict.fromkeys(base_language(language) for language in languages)) or [""]
    tokens: dict[tuple[str, ...], None] = {}
    for surface in _surfaces(text):
        if _plain(surface, "") in own:
            continue
        if is_phrase and _RUN.match(surface):
            tokens |= dict.fromkeys((piece,) for piece in _pieces(surface, with_ends=False))
            continue
        for forms in zip(*(_terms(surface, base) for base in bases), strict=True):
            alternatives = tuple(dict.fromkeys(form for form in forms if form))
            if alternatives:
                tokens[alternatives] = None
    return list(tokens)


def normalise_prefix(prefix: str, languages: Sequence[str]) -> tuple[str, ...]:
    """The beginnings of terms that stand for the beginning of a word, in each of the languages; not stemmed."""
    surface = unicodedata.normalize("NFKC", prefix)
    bases = list(dict.fromkeys(base_language(language) for language in languages)) or [""]
    return tuple(dict.fromkeys(form for base in bases if (form := _folded(_plain(surface, base), base))))


def base_language(language: str) -> str:
    """`pt-BR` -> `pt`; the two written forms of Norwegian share one code."""
    base = re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0]
    return "no" if base in {"nb", "nn"} else base


def is_code(term: str) -> bool:
    """True for a number, part number, version, date or address: evidence that survives a change of language."""
    return not term.isalpha() and ("@" in term or any(character.isdigit() for character in term))


# --- tokens ----------------------------------------------------------------------------------------------------------


def _surfaces(text: str) -> list[str]:
    """The words, numbers, codes and unspaced runs of a text, as written but for compatibility forms."""
    if text.isascii():
        return _ASCII_TOKEN.findall(text)
    text = unicodedata.normalize("NFKC", text)
    return (_TOKEN if _NOT_SIMPLE.search(text) else _SIMPLE_TOKEN).findall(text)


def _mark_class() -> str:
    r"""All combining marks, which Python's `\w` leaves out (Hindi vowels are marks)."""
    codes = [code for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in {"Mn", "Mc"}]
    return "".join(map(chr, codes))


_SYLLABIC: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u103f\u1050-\u108f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f\u1780-\u17d3\u17dc\u17dd"  # Burmese, Khmer
)
_UNSPACED: Final = (
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"  # Han and kana
    "\u1100-\u11ff\u3131-\u318e\uac00-\ud7af"  # Hangul
    f"{_SYLLABIC}"
)
_JOINERS: Final = "\u00ad\u200b-\u200d\u2060\ufeff"
_LETTER: Final = rf"(?![{_UNSPACED}])[\w{_JOINERS}{_mark_class()}]"
_TOKEN: Final = re.compile(rf"[{_UNSPACED}]+|(?:{_LETTER})+(?:[-‐‑./@:+#,&'’ʼ]+(?:{_LETTER})+)*(?:\+\+|\#(?!\w))?")
# The same for texts without unspaced runs, marks and joiners, three times as fast.
_SIMPLE_TOKEN: Final = re.compile(r"\w+(?:[-‐‑./@:+#,&'’ʼ]+\w+)*(?:\+\+|\#(?!\w))?")
_ASCII_TOKEN: Final = re.compile(_SIMPLE_TOKEN.pattern, re.ASCII)
_NOT_SIMPLE: Final = re.compile(
    "[^\0-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u0588\u2010-\u205f\u20a0-\u20cf\u2100-\u2bff]"
)
_RUN: Final = re.compile(f"[{_UNSPACED}]")
_RUNS: Final = re.compile(f"(?P<syllabic>[{_SYLLABIC}]+)|[^{_SYLLABIC}]+")
_CONNECTOR: Final = re.compile(r"[-./@:+#,&'_]+")
_AMOUNT: Final = re.compile(r"(\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3})+|\d{1,3}(?:'\d{3})+|\d+)(?:[.,](\d+))?")
_LETTERS_OR_DIGITS: Final = re.compile(r"\d+|[^\W\d_]+")
LONGEST_CODE: Final = 64  # characters; a longer "code" is a web address or a blob: its parts say enough


class _KnownTerms(dict[str, tuple[str, ...]]):
    """The terms of the surfaces that were seen in texts of one language, without those that it drops."""

    def __init__(self, base: str) -> None:
        self._base = base

    def __missing__(self, surface: str) -> tuple[str, ...]:
        terms = self[surface] = tuple(term for term in _terms(surface, self._base) if term)
        return terms


class _KnownLanguages(dict[str, _KnownTerms]):
    def __missing__(self, base: str) -> _KnownTerms:
        known = self[base] = _KnownTerms(base)
        return known


_KNOWN: Final = _KnownLanguages()
_MOST_KNOWN: Final = 1 << 16  # surfaces of one language


@lru_cache(maxsize=1 << 14)
def _terms(surface: str, base: str) -> tuple[str, ...]:
    """The terms of one token; `""` where the language drops one, so that languages can be laid side by side."""
    if _RUN.match(surface):
        return _pieces(surface)
    plain = _plain(surface, base)
    if not _CONNECTOR.search(plain):
        return _word_terms(plain, base)
    amount = _AMOUNT.fullmatch(plain)
    if amount:
        return (_amount_term(amount[1], amount[2]),)
    parts = tuple(term for part in _CONNECTOR.split(plain) for term in _part_terms(part, base))
    return (*_whole(plain), *parts)


def _amount_term(whole: str, decimals: str | None) -> str:
    """1,500.00 = 1.500,00 = 1'500 = 1500: a number is the same in every language."""
    digits = re.sub(r"\D", "", whole)
    return f"{digits}.{decimals}" if decimals and decimals.strip("0") else digits


def _pieces(run: str, *, with_ends: bool = True) -> tuple[str, ...]:
    """The overlapping pieces of a run without spaces.

    A syllable of Thai and its like takes several letters and marks, hence trigrams; the first and last two letters stand
    beside them, where a short word may be alone in another text.
    """
    pieces: list[str] = []
    for part in _RUNS.finditer(run):
        text = part[0]
        size = 3 if part["syllabic"] else 2
        if len(text) < size:
            pieces.append(text)
            continue
        pieces += [text[at : at + size] for at in range(len(text) - size + 1)]
        pieces += [text[:2], text[-2:]] if size == 3 and with_ends else []
    return tuple(pieces)


def _word_terms(word: str, base: str) -> tuple[str, ...]:
    if word.isalpha() or not is_code(word):
        return (_index_form(word, base),)
    runs = _LETTERS_OR_DIGITS.findall(word)
    return (word, *runs) if len(runs) > 1 and len(word) > 3 else (word,)  # "4k" has no parts


def _part_terms(part: str, base: str) -> tuple[str, ...]:
    """A part of a code or of a compound; a single letter (the s of `Tesla's`, the l of `l'offre`) says nothing."""
    return _word_terms(part, base) if len(part) > 1 or part.isdigit() else ("",)


def _whole(plain: str) -> tuple[str, ...]:
    """What stands for the code as a whole, so that an exact match outweighs its parts."""
    if plain.endswith(("++", "#")) or (is_code(plain) and len(plain) <= LONGEST_CODE):
        version = re.fullmatch(r"v(\d.*)", plain)
        return (plain, version[1]) if version else (plain,)
    short, hyphen, rest = plain.partition("-")
    joined = hyphen and len(short) <= 2 and rest.isalpha()  # "e-mail" is also written "email"
    return (short + rest,) if joined else ()


# --- words -----------------------------------------------------------------------------------------------------------


def _plain(surface: str, base: str) -> str:
    """Lower case, ASCII digits, plain apostrophes and hyphens, no optional marks."""
    letters = _LETTERS.get(base)
    lowered = (surface.translate(letters) if letters else surface).casefold()
    if not lowered.isascii():
        lowered = _CYRILLIC_APOSTROPHE.sub("", lowered.replace("i̇", "i").translate(_UNIFIED))
    return lowered.removesuffix("'s")


def _index_form(word: str, base: str) -> str:
    """The stemmed, folded word; `""` for a stop word."""
    if word in _stop_words(base):
        return ""
    stem = _stemmer(base)
    if base == "ar":
        word = _ARABIC_ARTICLE.sub("", word)
    return _folded(stem(word) if stem else word, base)[:LONGEST_CODE]


def _folded(word: str, base: str) -> str:
    """Without accents, for Latin and Greek letters; in Vietnamese another tone is another word, so it stays."""
    if word.isascii() or base == "vi":
        return word
    plain = unicodedata.normalize("NFD", word.translate(_FOLDED))
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", plain))


def _stemmer(base: str) -> Callable[[str], str] | None:
    """Snowball's stemmer; None for languages it does not know. It keeps state while it works: each thread has its own."""
    name = _SNOWBALL.get(base)
    if name is None:
        return None
    stemmers: dict[str, Callable[[str], str]] = _OF_THREAD.__dict__
    if name not in stemmers:
        stemmers[name] = snowballstemmer.stemmer(name).stemWord  # in C where PyStemmer is installed; the same stems
    return stemmers[name]


@cache
def _stop_words(base: str) -> frozenset[str]:
    return frozenset(_plain(word, base) for word in STOP_WORDS.get(base, "").split())


_UNIFIED: Final = (
    {code: str(unicodedata.digit(chr(code))) for code in range(0x80, 0x20000) if chr(code).isdecimal()}
    | {ord(sign): "'" for sign in "’ʼ"}
    | {ord(sign): "-" for sign in "‐‑"}
    | {ord("ँ"): "ं", ord("ё"): "е"}
    | dict.fromkeys([0x00AD, *range(0x200B, 0x200E), 0x2060, 0xFEFF])  # soft hyphen and joiners
    | dict.fromkeys([0x0640, *range(0x064B, 0x0653), 0x0670])  # Arabic stretching and vowel signs
    | dict.fromkeys([*range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2])  # Hebrew points
    | dict.fromkeys([0x093C, 0x09BC])  # nukta: क़ is written क too
)
_LETTERS: Final = {
    "ar": str.maketrans("یک", "يك"),
    "fa": str.maketrans("يك", "یک"),
    "tr": str.maketrans("Iİ", "ıi"),
    "az": str.maketrans("Iİ", "ıi"),
}
_FOLDED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه"}
)
_CYRILLIC_APOSTROPHE: Final = re.compile("(?<=[\u0400-\u04ff])'(?=[\u0400-\u04ff])")  # Ukrainian writes it inside words
_ARABIC_ARTICLE: Final = re.compile("^(?:[وفبك]?ال|لل)(?=..)")  # Larkey's light10 prefixes; Snowball leaves some on
_ACCENTED: Final = re.compile("([a-z\u0370-\u03ff])[\u0300-\u036f]+")
_OF_THREAD: Final = threading.local()
_SNOWBALL: Final = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

# Function and question words only. The published lists go further (stopwords-iso drops "system", "new", "two"), which
# costs answers; the score's own weighting already discounts what is frequent.
STOP_WORDS: Final = {
    "ar": "من في على إلى عن مع هذا هذه ذلك تلك التي الذي الذين ما ماذا هل كم كيف متى أين لماذا أي هو هي هم كان كانت "
    "يكون تكون أن إن لا لم لن قد و أو ثم بين كل عند بعد قبل حتى إذا كما لقد أنا نحن أنت التى الى او ان",
    "cs": "a aby aj ale ani až bude být co což do i jak jako je jeho jejich její jen ještě již jsem jsou k kde kdo "
    "kdy když který která které má mám může na nebo není o od po pod pokud pro proč proto s se si tak také ten "
    "to u v ve však z za ze že kolik jaký jaká jaké",
    "da": "af alle at da de den der deres det dette disse du efter eller en end er et for fra ham han har havde hun "
    "hvad hvem hvis hvor hvordan hvorfor hvornår hvilke hvilken i ikke jeg kan man med men mig min mange må når "
    "nu og også om op os over på sig skal som så til ud under var ved vi vil være",
    "de": "aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist da damit dann das dass "
    "dein deine dem den denn der des dessen die dies diese diesem diesen dieser dieses doch dort du durch ein "
    "eine einem einen einer eines er es euch euer für gibt hat hatte hatten habe haben hier ich ihm ihn ihnen "
    "ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden jeder jedes jene kann kein keine keinen "
    "können könnte man mein meine meinem meinen meiner mich mir mit muss müssen nach nicht noch nun nur ob oder "
    "ohne sehr sein seine seinem seinen seiner seit sich sie sind so soll sollte sonst über um und uns unser "
    "unsere unter viel viele vom von vor wann war waren warum was welche welchem welchen welcher welches wenn "
    "wer werde werden wem wen weshalb wie wieso wird wir wo woher wohin womit worden wurde wurden zu zum zur "
    "zwischen",
    "el": "ο η το οι τα του της των τον την τους τις στο στη στην στον στα στους στις και κι ή αλλά αν να θα με σε "
    "από για που πού πως πώς ποιος ποια ποιο ποιοι ποιες τι πότε γιατί πόσο πόσα πόσοι πόσες είναι ήταν έχει "
    "έχουν είχε δεν μην ως αυτό αυτή αυτός αυτά αυτές ένα ένας μια μία ενός μιας όπως όταν κατά μετά πριν μας "
    "σας μου σου",
    "en": "a about after again all also am an and any are as at be because been before being between both but by can "
    "could did do does doing done for from get had has have having he her here him his how i if in into is it "
    "its itself just me might more most must my myself no nor not of off on once only or other our ours out "
    "over own s same shall she should so some such t than that the their theirs them then there these they this "
    "those through to too under until up upon us very was we were what when where which while who whom whose "
    "why will with would you your yours",
    "es": "a al algo algunas algunos ante antes aquí así aunque cada como cómo con cual cuál cuales cuáles cuando "
    "cuándo cuanto cuánto cuánta cuántas cuántos de del desde donde dónde dos durante e el él ella ellas ellos "
    "en entre era eran es esa esas ese eso esos está están esta estas este esto estos fue fueron ha había han "
    "hasta hay la las le les lo los más me mi mis mientras muy ni no nos nosotros o os otra otro para pero por "
    "porque puede pueden puedo que qué quien quién quienes se según ser si sí sin sobre son su sus también tan "
    "te tener tengo tiene tienen todo todos tu tus un una unas uno unos usted y ya yo",
    "fi": "että ei eivät en ennen entä hän he ja jo joka jonka jos joita jotka kanssa kuin kuinka kun koska kuka me "
    "mikä mikäli millainen milloin minä minkä missä mistä miten mitä mitkä mutta myös ne niin niiden noin nyt "
    "oli olivat olla on ovat sekä se sen siinä sitä sinä tai tämä tämän te vai vaan voi voiko voin",
    "fr": "à ai alors au aucun aussi autre aux avait avant avec avez avoir avons ayant c ça ce ceci cela celle celles "
    "celui ces cet cette ceux chaque chez ci combien comme comment d dans de depuis des deux dois doit donc "
    "dont du elle elles en entre es est et étaient était étant été être eu eux faire fait faut il ils j je "
    "jusqu l la laquelle le lequel les lesquelles lesquels leur leurs lors lorsque lui m ma mais me même mes "
    "moi mon n ne ni nos notre nous on ont ou où par parce pas pendant peut peuvent peux plus pour pourquoi "
    "puis puisque qu quand que quel quelle quelles quelque quels qui quoi s sa sans se sera serait ses si son "
    "sont sous sur t ta te tes toi ton tous tout toute toutes très tu un une vers vos votre vous y",
    "hi": "का की के को से में पर ने है हैं था थी थे हो होता होती होते हुआ हुई हुए और या एक यह ये वह वे इस इसके इसका "
    "इसकी इन उस उसके उसका उसकी उन जो जिस जिसे कि तो ही भी नहीं न क्या कौन कब कहाँ कहां कैसे क्यों कितना कितने "
    "कितनी किस किसे किसने किसका किसके किसकी कर करना करने करता करते करती किया किए किये जा जाता जाती जाते गया गई "
    "गए लिए साथ तक बाद द्वारा कुछ सभी अपने अपनी अपना मैं हम आप मेरा मेरे मेरी रहा रही रहे सकता सकते सकती कौनसा "
    "कौनसी",
    "hu": "a az és vagy de hogy is nem ha egy ez azt ezt ami aki amely mi mit ki kit hol mikor miért hogyan hány "
    "mennyi melyik milyen van volt lesz lehet már még csak mint meg be el fel le en után előtt alatt között "
    "által",
    "id": "ada adalah agar akan anda antara apa apakah atau bagaimana bagi bahwa beberapa berapa bisa dalam dan dapat "
    "dari dengan di dia hanya harus ia ini itu juga kami kapan karena ke kepada kita lebih mana mengapa mereka "
    "namun oleh pada para saat saya sebagai secara sedang sejak sebuah seperti siapa sudah tahun telah tentang "
    "tersebut tidak untuk yang",
    "it": "a ad agli ai al alla alle allo anche avere aveva c che chi ci ciò come con cosa cui d da dagli dai dal "
    "dalla dalle dallo degli dei del dell della delle dello di dopo dove due durante e è ed era erano essere "
    "fra gli ha hai hanno ho i il in io l la le lei li lo loro lui ma mentre mi mia miei mio ne nei nel nell "
    "nella nelle nello no noi non o ogni per perché più può possono posso prima qual quale quali quando quanta "
    "quante quanti quanto quella quelle quelli quello questa queste questi questo qui se sei si sia sono sta "
    "stato su sua sue sugli sui sul sulla sulle suo suoi tra tu tutti tutto un una uno vi voi",
    "nl": "aan al alle als bij dan dat de deze die dit doen door dus een en er geen had hebben heb heeft hem het hier "
    "hij hoe hoeveel hun ik in is ja je jij jouw kan kunnen kun maar me meer men met mij mijn moet moeten na "
    "naar niet nog nu of om omdat onder ons onze ook op over te tegen toch toen tot u uit uw van veel voor waar "
    "waarom wanneer waren was wat we wel welk welke werd wie wij wil word worden wordt zal ze zich zij zijn zo "
    "zonder zou",
    "no": "alle at av både da de deg dem den denne der deres det dette disse du eller en enn er et etter for fra ha "
    "han har hun hva hvem hver hvilke hvilken hvis hvor hvordan hvorfor når i ikke ja jeg kan man mange med men "
    "mitt må ned nå og også om opp oss over på seg sin skal skulle som så til ut var ved vi vil være ble blir",
    "pl": "a aby ale ani był była było były być bez co czy czyli dla do gdzie gdy i ich ile im ja jak jaka jakie jaki "
    "jako jego jej jest jestem jeszcze jeśli już każdy kiedy kogo komu kto która które którego której który "
    "których którzy lub ma mają może można mnie mój my na nad nie nich nim niż o od ona one oni ono oraz po pod "
    "ponieważ przed przez przy są się sobie swój ta tak także tam te tego tej ten to tu tylko tym u w we więc "
    "wszystko z za ze że dlaczego",
    "pt": "a à ainda ao aos as às até cada com como da das de dela dele deles depois do dos e é ela elas ele eles em "
    "enquanto entre era eram essa essas esse esses esta está estão estar estas este estes eu foi foram há isso "
    "isto já lhe mais mas me mesmo meu meus minha muito na não nas nem no nos nós nossa nosso num numa o onde "
    "os ou outra outro para pela pelas pelo pelos pode podem por porque porquê posso qual quais quando quanto "
    "quanta quantas quantos que quê quem se sem ser será seu seus só são sobre sua suas também te tem têm tenho "
    "ter todo todos tu tudo um uma umas uns você vocês",
    "ro": "a acea aceasta această acest aceste acestea aceștia acestui acolo ai al ale am ar are as au avea ca că "
    "care câți câte cât câtă ce cea cei cele cel cine cu cum cui când dacă dar de deci despre din după ea ei el "
    "ele era este eu fi fie fost în între îi îl la le li lor lui mai mea meu mi ne nici noi nu o ori pe pentru "
    "prin poate pot sa să sau se sub sunt și ști te tot toate tu un una unde unei unor unui va vor voi",
    "ru": "а без более бы был была были было быть в вам вас ваш во вот все всего всех вы где да даже для до его ее "
    "если есть еще же за здесь и из или им их к как какая какие какими каким какой каком какую ко когда кого "
    "кому которая которые который которых кто куда ли между меня мне мой моя мы на над надо нам нас наш не него "
    "нее нет ни них но ну о об один он она они оно от очень по под после потому почему при про с сам свой себя "
    "сколько со так также такой там те тем то того тоже той только том тот ты у уже чего чей чем что чтобы чье "
    "чья эта эти этих это этого этой этом этот я является",
    "sv": "all alla allt att av blev bli blir de dem den denna deras dess dessa det detta dig din dina ditt du då där "
    "efter ej eller en er ert ett från för ha hade han har henne hennes hon honom hos hur här i icke inte ja "
    "jag kan kunde man med mellan men mig min mina mitt mot mycket många ni nu när och också om oss på samma "
    "sedan sig sin sina ska skulle som så till under upp ut utan vad var varför varje vara vars vart vem vi vid "
    "vilka vilken vilket vill är över",
    "tr": "acaba ama ancak aslında az bana bazı belki ben beni benim bir biri biz bize bizim bu buna bunda bundan "
    "bunu bunun çok çünkü da daha de değil diye dolayı en gibi hangi hem hep hepsi her hiç için ile ise kaç "
    "kadar ki kim kime kimi kimin mı mi mu mü nasıl ne neden nerede nereye nereden niçin niye o olan olarak "
    "oldu olduğu olduğunu olur on ona onlar onu onun sana sen seni senin siz sizin şey şu tüm var ve veya ya "
    "yani yok zaman",
    "uk": "а але без би був була були було бути в вам вас ваш вже від він вона вони воно все всі де для до його й ж "
    "за з і із її їх коли кого котрий ми мені моя мій на над нам нас не немає ні них про при по під після та "
    "так також там те тільки то той у це цей ця ці хто чи чого чому що щоб як яка яке який які якою скільки є",
    "vi": "ai bao bị bởi các cái cho có cùng của cũng đã đang đâu để đến được gì hay hoặc khi không là làm lúc mà mấy "
    "một nào này nên nếu nhiêu như những nó ở ra rằng sao sau sẽ tại theo thì từ trong trên và vào vẫn về vì "
    "với",
}

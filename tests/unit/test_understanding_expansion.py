"""Acronyms and other names are found in texts of many languages, believed only on evidence, and used both ways."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.understanding.expansion_patterns import Find, find_names, is_acronym, is_spelt_out, long_form
from dragoman.understanding.expansion_table import EMPTY, ExpansionTable, Told, make_table


def found(text: str, language: str = "en") -> set[tuple[str, str, str]]:
    return {(find.kind, find.short, find.long) for find in find_names(text, language)}


def table_of(*texts: str, language: str = "en") -> ExpansionTable:
    counts: Counter[Find] = Counter(find for text in texts for find in find_names(text, language))
    return make_table(
        Told(kind=find.kind, short=find.short, long=find.long, language=language, chunks=chunks)
        for find, chunks in counts.items()
    )


# --- acronyms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language", "short", "long"),
    [
        ("You claim market development funds (MDF) in the portal.", "en", "MDF", "market development funds"),
        ("You claim MDF (market development funds) in the portal.", "en", "MDF", "market development funds"),
        ("We sell software as a service (SaaS).", "en", "SaaS", "software as a service"),
        ("Use Identity and Access Management (IAM).", "en", "IAM", "Identity and Access Management"),
        ("Ask independent software vendors (ISVs).", "en", "ISVs", "independent software vendors"),
        ("Turn on multifactor authentication (“MFA”).", "en", "MFA", "multifactor authentication"),
        (
            "Les **principaux indicateurs de performance** (PIP) sont suivis.",
            "fr",
            "PIP",
            "principaux indicateurs de performance",
        ),
        ("El impuesto sobre el valor añadido (IVA) se paga.", "es", "IVA", "impuesto sobre el valor añadido"),
        ("Der Marktförderungs-Etat (MFE) gilt.", "de", "MFE", "Marktförderungs-Etat"),
        ("Налог на добавленную стоимость (НДС) включён.", "ru", "НДС", "Налог на добавленную стоимость"),
        ("[Azure Active Directory](https://example.org/a_(b)) (AAD) is needed.", "en", "AAD", "Azure Active Directory"),
    ],
)
def test_an_acronym_is_found_with_what_it_stands_for(text: str, language: str, short: str, long: str) -> None:
    assert ("acronym", short, long) in found(text, language)


@pytest.mark.parametrize(
    "text",
    [
        "The price is 100 dollars (USD).",
        "See chapter three (III).",
        "The second option (recommended) is better.",
        "Dynamics 365 for Sales Professional (NEW)",
        "Call me (maybe).",
        "It is ready (see 4.2).",
    ],
)
def test_not_everything_in_brackets_is_an_acronym(text: str) -> None:
    assert not [kind for kind, _, _ in found(text) if kind == "acronym"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("MDF", True),
        ("SaaS", True),
        ("R&D", True),
        ("ISVs", True),
        ("НДС", True),
        ("Hat", False),
        ("it", False),
        ("XIV", False),
        ("A", False),
    ],
)
def test_an_acronym_is_mostly_capitals(word: str, expected: bool) -> None:
    assert is_acronym(word) is expected


def test_the_letters_must_mostly_begin_words() -> None:
    assert long_form("MDF", "some market development funds") == "market development funds"
    assert long_form("XYZ", "market development funds") == ""
    assert long_form("CAT", "a certificate") == ""
    assert is_spelt_out("MDF", "market development funds")
    assert not is_spelt_out("UUID", "unique identifier")


def test_a_translated_name_is_known_when_two_texts_agree_on_its_beginning() -> None:
    one = "Vous êtes un fournisseur de solutions Cloud (CSP)."
    other = "Rejoignez le programme fournisseur de solutions Cloud (CSP) !"
    assert table_of(one, language="fr").by_acronym == {}
    assert table_of(one, other, language="fr").by_acronym == {"csp": ("fournisseur de solutions Cloud",)}


def test_a_name_in_chinese_or_japanese_is_known_when_two_texts_agree() -> None:
    chinese = table_of("你是云解决方案提供商 (CSP)。", "请参阅 云解决方案提供商（CSP）的说明。", language="zh")
    assert chinese.by_acronym == {"csp": ("云解决方案提供商",)}
    assert chinese.expand("云解决方案提供商如何注册？", "zh").synonyms == {"云解决方案提供商": ("CSP",)}
    japanese = table_of(
        "これはコントロール パネル ベンダー (CPV) です。",
        "次はコントロール パネル ベンダー (CPV) です。",
        language="ja",
    )
    assert japanese.by_acronym["cpv"][0].endswith("パネル ベンダー")


# --- other names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language", "names"),
    [
        ("The Partner Portal, also known as Partner Hub, is open.", "en", {"Partner Portal", "Partner Hub"}),
        ("The hypervisor (aka virtual machine monitor) starts.", "en", {"hypervisor", "virtual machine monitor"}),
        ("Das Partner Portal (auch Partner Hub genannt) ist offen.", "de", {"Partner Portal", "Partner Hub"}),
        (
            "Le Portail Partenaires, également appelé Espace Revendeurs, est ouvert.",
            "fr",
            {"Portail Partenaires", "Espace Revendeurs"},
        ),
        ("El Portal Socios (también llamado Centro Socios) funciona.", "es", {"Portal Socios", "Centro Socios"}),
        ("Il Portale Partner, noto anche come Centro Partner, funziona.", "it", {"Portale Partner", "Centro Partner"}),
        (
            "O Portal Parceiros, também conhecido como Centro Parceiros, abre.",
            "pt",
            {"Portal Parceiros", "Centro Parceiros"},
        ),
        ("Het Partner Portaal, ook bekend als Partner Hub, is open.", "nl", {"Partner Portaal", "Partner Hub"}),
        (
            "Портал Партнёров, также известный как Центр Партнёров, открыт.",
            "ru",
            {"Портал Партнёров", "Центр Партнёров"},
        ),
        ("分销商（也称间接提供商）可以注册。", "zh", {"分销商", "间接提供商"}),
    ],
)
def test_another_name_is_found_in_many_languages(text: str, language: str, names: set[str]) -> None:
    assert [{find.short, find.long} for find in find_names(text, language) if find.kind == "alias"] == [names]


def test_another_name_is_believed_when_two_texts_tell_it() -> None:
    one, other = (
        "The Partner Portal, also known as Partner Hub, is open.",
        "Use the Partner Portal (formerly Partner Hub).",
    )
    assert table_of(one).expand("Where is the Partner Hub?", "en").synonyms == {}
    both = table_of(one, other)
    assert both.expand("Where is the Partner Hub?", "en").synonyms == {"Partner Hub": ("Partner Portal",)}
    assert both.expand("Where is the partner portal?", "en").synonyms == {"partner portal": ("Partner Hub",)}


# --- use -------------------------------------------------------------------------------------------------------------

FUNDS = table_of(
    "You claim market development funds (MDF).",
    "Market Development Funds (MDF) are paid by Human Annotation Tool (HAT).",
)


def test_an_acronym_in_a_question_gets_its_name() -> None:
    expansion = FUNDS.expand("How do I claim MDF?", "en")
    assert [name.lower() for name in expansion.synonyms["MDF"]] == ["market development funds"]
    assert [text.lower() for text in expansion.also_ask] == ["how do i claim market development funds?"]


def test_a_name_in_a_question_gets_its_acronym_in_any_form() -> None:
    expansion = FUNDS.expand("Who pays for a market development fund?", "en")
    assert expansion.synonyms == {"market development fund": ("MDF",)}
    assert expansion.also_ask == ("Who pays for a MDF?",)


@pytest.mark.parametrize("question", ["how to claim mdf", "Are MDFs taxed?"])
def test_an_acronym_is_known_in_lower_case_and_in_the_plural(question: str) -> None:
    assert FUNDS.expand(question, "en").synonyms


def test_an_ordinary_word_is_no_acronym() -> None:
    assert FUNDS.expand("What is Red Hat?", "en").synonyms == {}
    needs = table_of("Information technology (IT) and Universal Serial Exchange (USE).")
    assert needs.expand("how can i use it", "en").synonyms == {}


def test_what_the_question_says_itself_is_not_added() -> None:
    assert FUNDS.expand("What are market development funds (MDF)?", "en").synonyms == {}


def test_an_acronym_with_two_meanings_keeps_both_unless_one_is_rare() -> None:
    told = [
        Told(kind="acronym", short="CIS", long="Center for Internet Security", language="en", chunks=14),
        Told(kind="acronym", short="CIS", long="Cloud Internet Services", language="en", chunks=9),
        Told(kind="acronym", short="CIS", long="Company Information Sheet", language="en", chunks=1),
    ]
    assert make_table(told).by_acronym == {"cis": ("Center for Internet Security", "Cloud Internet Services")}


def test_an_acronym_bridges_languages() -> None:
    told = [
        Told(kind="acronym", short="CSP", long="Cloud Solution Provider", language="en", chunks=9),
        Told(kind="acronym", short="CSP", long="Cloud-Service-Partner", language="de", chunks=4),
    ]
    assert make_table(told).expand("Was ist CSP?", "de").synonyms["CSP"] == (
        "Cloud-Service-Partner",
        "Cloud Solution Provider",
    )


def test_a_short_vague_find_needs_more_than_one_text() -> None:
    told = Told(kind="acronym", short="UUID", long="unique identifier", language="en", chunks=1)
    assert make_table([told]).by_acronym == {}


def test_nothing_known_expands_nothing() -> None:
    assert EMPTY.expand("How do I claim MDF?", "en").synonyms == {}
    assert make_table([]) == EMPTY


@given(st.text(max_size=300), st.sampled_from(["en", "de", "zh", "ar", "und", ""]))
def test_any_text_can_be_read_and_expanded(text: str, language: str) -> None:
    table = table_of(text, text, language=language)
    for question in (text, "How do I claim MDF?"):
        expansion = table.expand(question, language)
        assert all(words in question for words in expansion.synonyms)
        assert all(asked != question for asked in expansion.also_ask)


def test_the_name_in_the_language_of_the_question_comes_first() -> None:
    told = [
        Told(kind="acronym", short="CSP", long="Cloud Solution Provider", language="en", chunks=3),
        Told(kind="acronym", short="CSP", long="Proveedor de soluciones en la nube", language="es", chunks=9),
    ]
    table = make_table(told)
    assert table.expand("What can a CSP sell?", "en").also_ask == ("What can a Cloud Solution Provider sell?",)
    assert table.expand("¿Qué vende un CSP?", "es").also_ask == ("¿Qué vende un Proveedor de soluciones en la nube?",)


def test_a_question_in_a_language_without_names_keeps_its_wording_but_gets_synonyms() -> None:
    table = table_of("You claim market development funds (MDF) in the portal.")
    expansion = table.expand("Wie beantrage ich MDF?", "de")
    assert expansion.synonyms == {"MDF": ("market development funds",)}
    assert expansion.also_ask == ()
    assert table.expand("pay MDF", "und").also_ask == ("pay market development funds",)

"""Which questions lean on their conversation, in many languages, and which words of it they need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.text.terms import analyse
from dragoman.understanding.history import Said, context_words, knows_language, need_of_context
from dragoman.understanding.reference_words import CONTINUING, POINTING, TALK

CAST = Path(__file__).parents[3] / "shared/data/rewrite-cast2019/turns.jsonl"
LANGUAGES = sorted(POINTING)


def user(*texts: str) -> list[Said]:
    return [Said(role="user", text=text) for text in texts]


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("ar", "وماذا عن الشركاء؟"),
        ("ar", "من يوافق عليها؟"),
        ("de", "Und für Partner?"),
        ("de", "Welche Unterlagen brauche ich dafür?"),
        ("en", "And for partners?"),
        ("en", "Who approves them?"),
        ("en", "What’s its warranty in the European Union?"),
        ("es", "¿Y para los socios?"),
        ("es", "¿Cuánto tarda eso?"),
        ("fr", "Et pour les revendeurs ?"),
        ("fr", "Combien de temps cela prend-il ?"),
        ("hi", "और साझेदारों के लिए?"),
        ("hi", "इसे कौन मंज़ूर करता है?"),
        ("it", "E per i rivenditori?"),
        ("it", "Chi li approva?"),
        ("ja", "それは誰が承認しますか？"),
        ("ja", "パートナーの場合は？"),
        ("ko", "그럼 파트너는요?"),
        ("nl", "En voor wederverkopers?"),
        ("nl", "Hoe lang duurt dat?"),
        ("pt", "E para os revendedores?"),
        ("pt", "Quanto tempo isso demora?"),
        ("ru", "А для партнёров?"),
        ("ru", "Кто его утверждает?"),
        ("tr", "Peki ortaklar için?"),
        ("zh", "那合作伙伴呢？"),
        ("zh", "它由谁批准？"),
        ("sw", "Na washirika?"),
    ],
)
def test_a_follow_up_needs_its_conversation(language: str, question: str) -> None:
    assert need_of_context(question, language).weight > 0


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("ar", "كيف أغير كلمة مرور بوابة الشركاء؟"),
        ("de", "Wie richte ich die Zwei-Faktor-Anmeldung im Partnerportal ein?"),
        ("de", "Wie ändern Sie das Passwort Ihrer Kunden im Portal?"),
        ("en", "How do I reset the password of the partner portal?"),
        ("en", "Is it possible to extend the warranty of a printer abroad?"),
        ("es", "¿Cómo se cambia la contraseña del portal de socios?"),
        ("fr", "Comment réinitialiser le mot de passe du portail partenaire ?"),
        ("fr", "Est-ce qu'il y a une garantie pour les imprimantes achetées d'occasion ?"),
        ("hi", "साझेदार पोर्टल का पासवर्ड कैसे बदलें?"),
        ("it", "Come cambio la password del portale partner?"),
        ("ja", "パートナーポータルのパスワードを変更する手順を教えてください"),
        ("ko", "파트너 포털 비밀번호를 변경하는 방법이 무엇인가요?"),
        ("nl", "Hoe wijzig ik het wachtwoord van het partnerportaal?"),
        ("pt", "Como altero a senha do portal de parceiros?"),
        ("ru", "Как изменить пароль партнёрского портала компании?"),
        ("zh", "如何重置合作伙伴门户的登录密码？"),
    ],
)
def test_a_complete_question_stands_alone(language: str, question: str) -> None:
    assert need_of_context(question, language).reason == "none"


def test_an_empty_question_leans_most_and_a_short_one_least() -> None:
    empty, short = need_of_context("And then?", "en"), need_of_context("Lite plan?", "en")
    pointing = need_of_context("Which limits does it have for attachments?", "en")
    assert (empty.reason, short.reason, pointing.reason) == ("empty", "short", "pointing")
    assert empty.weight > pointing.weight > short.weight > 0


def test_a_language_without_tables_is_said_to_be_unknown() -> None:
    assert knows_language("pt-BR")
    assert not knows_language("sw")


@pytest.mark.parametrize("table", [POINTING, CONTINUING, TALK])
def test_every_table_holds_lower_case_words(table: dict[str, str]) -> None:
    for language, words in table.items():
        assert words == words.lower(), language


# --- words of the conversation ---------------------------------------------------------------------------------------


def words_of(question: str, history: list[Said], language: str = "en", limit: int = 4) -> list[str]:
    return [word.text for word in context_words(question, history, language, limit=limit)]


def test_the_subject_of_the_conversation_comes_first() -> None:
    history = user("What is the warranty of the DX-4100/2?", "Does it hold in Norway?")
    assert words_of("And for batteries?", history)[:2] == ["DX-4100/2", "Norway"]


def test_words_of_the_question_are_not_repeated_in_any_form() -> None:
    history = user("Which fund pays for marketing events?")
    assert words_of("Who approves the funds?", history) == ["pays", "marketing", "events"]


def test_a_subject_lives_through_follow_ups_and_fades_behind_a_new_one() -> None:
    history = user("How do I claim expenses for a journey to Norway?", "Who approves them?", "And without a receipt?")
    assert "Norway" in words_of("How long does it take?", history)
    history += user("How do I change the password of the portal?")
    weights = {word.text: word.weight for word in context_words("And if I forgot it?", history, "en", limit=20)}
    assert weights["password"] > weights["receipt"]


def test_what_the_assistant_said_counts_less_than_what_the_user_said() -> None:
    history = [
        *user("How do I claim travel expenses?"),
        Said(role="assistant", text="Open Concur, then file the receipt."),
    ]
    found = {word.text: word.weight for word in context_words("And then?", history, "en", limit=20)}
    assert found["travel"] > found["receipt"]
    assert found["travel"] > found["Concur"]


def test_a_conversation_in_chinese_gives_its_nouns() -> None:
    assert words_of("它由谁批准？", user("市场开发基金的报销期限是多久？"), "zh")[:2] == ["市场开发基金", "报销期限"]


def test_nothing_said_gives_nothing() -> None:
    assert words_of("And then?", []) == []
    assert words_of("And then?", user("", "?", "ok")) == []


@given(st.text(max_size=200), st.lists(st.text(max_size=100), max_size=4), st.sampled_from(LANGUAGES))
def test_any_text_is_a_valid_conversation(question: str, said: list[str], language: str) -> None:
    assert 0 <= need_of_context(question, language).weight < 1
    assert len(context_words(question, user(*said), language, limit=3)) <= 3


@pytest.mark.skipif(not CAST.exists(), reason="the conversations of CAsT 2019 are not there")
def test_most_words_that_people_add_to_follow_ups_are_found() -> None:
    turns = [json.loads(line) for line in CAST.read_text().splitlines()]
    seen = follow_ups = found = added_words = 0
    for turn in turns:
        added = set(analyse(turn["rewrite"], "en")) - set(analyse(turn["text"], "en"))
        if turn["history"] and added:
            follow_ups += 1
            seen += need_of_context(turn["text"], "en").reason != "none"
            words = words_of(turn["text"], user(*turn["history"]))
            found += len(added & {term for word in words for term in analyse(word, "en")})
            added_words += len(added)
    assert seen / follow_ups > 0.85
    assert found / added_words > 0.75

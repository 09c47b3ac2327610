"""Questions and answers in other languages than the knowledge: searched across languages, or translated both ways.

The embedder `hashing` knows words only: what is found for a question in another language is found because it was translated.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.ports.translator import LanguagePair, TranslatorUnavailableError

QUESTION = "Wie lange kann Ware zurückgegeben werden?"
TRANSLATED = "How many days after delivery may goods be returned?"
ENGLISH = "Goods may be returned within 42 days of delivery in their original packaging."
GERMAN = "Ware kann innerhalb von 42 Tagen nach Lieferung in der Originalverpackung zurückgegeben werden."


class Dictionary:
    """A translator that knows whole sentences; another one it gives back in brackets."""

    placeholder = "XQ{n}"

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.known = {
            QUESTION: TRANSLATED,
            ENGLISH: GERMAN,
            "Gold partners get 17 percent": "Gold-Partner erhalten 17 Prozent",
        }

    async def pairs(self) -> frozenset[LanguagePair]:
        return frozenset({LanguagePair("de", "en"), LanguagePair("en", "de")})

    def model_of(self, pair: LanguagePair) -> str:
        return f"dictionary:{pair}"

    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        if self.error is not None:
            raise self.error
        self.asked += texts
        return [self.known.get(each, f"<{source}>{target}: {each}>") for each in texts]

    async def close(self) -> None: ...


@pytest.fixture
async def dictionary(service: Any, monkeypatch: pytest.MonkeyPatch) -> Dictionary:
    made = Dictionary()
    translators = service.deps.translators
    monkeypatch.setitem(translators._roster._made, "llm", made)
    monkeypatch.setattr(translators._roster, "_breakers", {})
    return made


@pytest.fixture
async def bot(company: Any) -> Callable[..., Any]:
    """Sets the chatbot, which knows the English handbook."""
    await company.know()

    async def set_up(**settings: Any) -> Any:
        changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
        assert changed.status_code == 200, changed.text
        return company

    return set_up


async def test_a_question_is_translated_answered_and_the_answer_translated_back(
    bot: Any, service: Any, dictionary: Dictionary
) -> None:
    company = await bot(language_policy="translate", translator="llm")
    answer = await company.ask(QUESTION)
    assert answer["content"] == f"{GERMAN.removesuffix('.')}. [1]"
    assert (answer["language"], answer["degraded"], answer["answered"]) == ("de", [], True)
    assert answer["grounding"]["translated"] == {"by": "llm", "from": ["en"], "to": "de"}
    [source] = answer["sources"]
    assert source["excerpt"] == ENGLISH  # the citation keeps the words of the source
    assert dictionary.asked == [QUESTION, ENGLISH]
    await service.deps.inference._usage.flush()
    async with service.deps.database.transaction(company.tenant_id) as connection:
        rows = (await connection.execute(text("select * from usage_records where purpose = 'translate'"))).all()
        turn = (await connection.execute(text("select * from turns"))).one()
    assert {row.model for row in rows} == {"dictionary:de-en", "dictionary:en-de"}
    assert (turn.rewritten_question, turn.language) == (TRANSLATED, "de")


async def test_a_search_is_translated_by_the_same_policy(bot: Any, dictionary: Dictionary) -> None:
    company = await bot(language_policy="translate", translator="llm")
    found = await company.search(QUESTION, explain=True, mode="keyword")
    assert found["results"][0]["content"].startswith("# Returns")
    assert (found["query"], found["language"], found["degraded"]) == (QUESTION, "de", [])
    assert found["explanation"]["searched_query"] == TRANSLATED
    assert dictionary.asked == [QUESTION]


async def test_a_query_that_says_exactly_which_words_it_means_is_not_translated(
    bot: Any, dictionary: Dictionary
) -> None:
    company = await bot(language_policy="translate", translator="llm")
    await company.search('"zurückgegeben werden" kann die Ware wie lange', language="de")
    assert dictionary.asked == []


async def test_a_follow_up_is_completed_and_then_translated(bot: Any, dictionary: Dictionary) -> None:
    company = await bot(language_policy="translate", translator="llm")
    session_id = await company.open_session()
    await company.ask(QUESTION, session_id=session_id)
    dictionary.asked.clear()
    await company.ask("Und ab wann gilt das?", session_id=session_id, language="de")
    assert dictionary.asked[0] == "Und ab wann gilt das?"
    assert any("Ware" in asked for asked in dictionary.asked[1:])


async def test_what_is_asked_in_the_knowledges_language_needs_no_translator(bot: Any, dictionary: Dictionary) -> None:
    company = await bot(language_policy="translate", translator="llm")
    answer = await company.ask(TRANSLATED)
    assert "42 days" in answer["content"]
    assert (dictionary.asked, answer["degraded"]) == ([], [])


async def test_the_knowledges_language_can_be_set(bot: Any, dictionary: Dictionary) -> None:
    company = await bot(language_policy="translate", translator="llm", knowledge_language="de")
    await company.search(QUESTION)
    assert dictionary.asked == []
    await company.search(TRANSLATED)
    assert dictionary.asked == [TRANSLATED]


ABOUT_AURORA = "Wie lange dauert denn die Garantie für einen Aurora?"
WARRANTY = "The warranty of the Aurora projector lasts five years and covers the lamp."


async def test_searched_directly_a_quote_is_translated_and_its_citation_is_not(
    bot: Any, dictionary: Dictionary
) -> None:
    company = await bot(translator="llm", confidence_threshold=0.0, max_quotes=1)
    dictionary.known[WARRANTY] = "Die Garantie des Aurora-Projektors dauert fünf Jahre."
    answer = await company.ask(ABOUT_AURORA)
    assert dictionary.asked == [WARRANTY]  # not the question
    assert (answer["content"], answer["language"]) == (
        "Die Garantie des Aurora-Projektors dauert fünf Jahre. [1]",
        "de",
    )
    assert answer["sources"][0]["excerpt"] == WARRANTY


async def test_without_a_translator_a_quote_is_labelled_with_its_language(bot: Any) -> None:
    company = await bot(confidence_threshold=0.0, max_quotes=1)
    answer = await company.ask(ABOUT_AURORA)
    assert answer["content"] == f"(English) {WARRANTY} [1]"
    assert (answer["language"], answer["degraded"]) == ("de", [])


async def test_a_translator_that_is_away_fails_no_answer_and_is_named(bot: Any, dictionary: Dictionary) -> None:
    company = await bot(language_policy="translate", translator="llm")
    dictionary.error = TranslatorUnavailableError()
    answer = await company.ask(QUESTION)
    assert answer["content"]
    assert "translation_failed:translator.unavailable" in answer["degraded"]
    found = await company.search(QUESTION)
    assert "translation_failed:translator.unavailable" in found["degraded"]


async def test_the_policy_without_a_translator_is_named_and_searches_directly(bot: Any) -> None:
    company = await bot(language_policy="translate")
    answer = await company.ask(QUESTION)
    assert "translation_failed:no_translator" in answer["degraded"]


async def test_a_models_answer_is_translated_sentence_by_sentence(
    service: Any,
    bot: Any,
    dictionary: Dictionary,
    script: Callable[..., None],
    events_of: Callable[[Any], list[dict[str, Any]]],
) -> None:
    script(replies=["Gold partners get 17 percent [1]. Nothing else is known [1]."])
    company = await bot(language_policy="translate", translator="llm", answerer="scripted", rewrite="off")
    dictionary.known["Welchen Rabatt bekommen Gold-Partner auf Projektoren?"] = (
        "What discount do gold partners receive?"
    )
    session_id = await company.open_session()
    asked = {"message": "Welchen Rabatt bekommen Gold-Partner auf Projektoren?"}
    events = events_of(await company.api().post(f"/api/chatbot/sessions/{session_id}/messages/stream/", json=asked))
    said = "".join(event["content"] for event in events if event["type"] == "token")
    assert said.startswith("Gold-Partner erhalten 17 Prozent [1]. ")
    assert said.count("[1]") == 2
    assert events[-1]["type"] == "complete"
    assert events[-1]["language"] == "de"
    stored = (await company.api().get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"][1]
    assert stored["content"] == said
    assert stored["sources"][0]["number"] == 1
    async with service.deps.database.transaction(company.tenant_id) as connection:
        [prompt] = (await connection.execute(text("select rendered_prompt from turns"))).scalars()
    assert '"en"' in prompt[0]["content"]  # it is told to write in the language of the knowledge
    assert "\nWhat discount do gold partners receive?\n</question " in prompt[-1]["content"]


async def test_code_in_a_models_answer_is_not_translated(
    bot: Any, dictionary: Dictionary, script: Callable[..., None]
) -> None:
    code = '```sh\ncount=17; for partner in gold silver; do\n  echo "${partner}". Done\ndone\n```'
    script(replies=[f"Gold partners get 17 percent [1].\n\n{code}\n\nNothing else is known [1]."])
    company = await bot(language_policy="translate", translator="llm", answerer="scripted", rewrite="off")
    answer = await company.ask("Welchen Rabatt bekommen Gold-Partner auf Projektoren?")
    assert answer["content"].startswith(f"Gold-Partner erhalten 17 Prozent [1].\n\n{code}\n\n&lt;en>de: Nothing")
    assert not any("count" in text or "done" in text for text in dictionary.asked)


async def test_a_model_that_does_not_know_says_so_in_the_askers_language(
    bot: Any, dictionary: Dictionary, script: Callable[..., None]
) -> None:
    script(replies=["I don't know: the documents I have do not answer this question."])
    company = await bot(language_policy="translate", translator="llm", answerer="scripted")
    answer = await company.ask(QUESTION)
    assert answer["content"].startswith("Das weiß ich nicht")
    assert answer["answered"] is False


async def test_terms_of_the_glossary_are_kept(bot: Any, dictionary: Dictionary) -> None:
    term = {"term": "Aurora"}
    company = await bot(language_policy="translate", translator="llm", glossary=[term])
    await company.search("Wie lange dauert die Garantie des Aurora Projektors?")
    assert dictionary.asked == ["Wie lange dauert die Garantie des XQ1 Projektors?"]


@pytest.mark.parametrize(
    "settings",
    [
        {"language_policy": "always"},
        {"knowledge_language": "German"},
        {"glossary": [{"term": "!"}]},
        {"glossary": [{"term": "x", "translations": {"German": "y"}}]},
    ],
)
async def test_settings_that_mean_nothing_are_refused(company: Any, settings: dict[str, Any]) -> None:
    refused = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    assert refused.status_code == 422


@pytest.mark.skipif(shutil.which("apertium") is None, reason="needs the program apertium (apt: apertium-eng-spa)")
async def test_apertium_lets_a_spanish_asker_read_an_english_handbook(bot: Any) -> None:
    company = await bot(language_policy="translate", translator="apertium", glossary=[{"term": "Aurora"}])
    answer = await company.ask("¿Cuántos años dura la garantía del proyector Aurora?")
    assert (answer["language"], answer["degraded"], answer["answered"]) == ("es", [], True)
    assert "garantía" in answer["content"]
    assert "cinco años" in answer["content"]
    assert "Aurora" in answer["content"]
    assert "[1]" in answer["content"]
    assert "five years" in answer["sources"][0]["excerpt"]

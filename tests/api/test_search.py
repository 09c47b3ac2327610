"""`/api/search` and its sisters: fields, pages, batches, content types, conversations."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from dragoman.kit.errors import UnavailableError
from dragoman.search.schemas import BatchOut, HybridOut, SearchOut

ABSENT = "019a0000-0000-7000-8000-000000000000"
_PARTS = ["lamp", "lens", "stand", "cable", "remote", "screen", "battery", "mount"]


def _strictly(model: type[BaseModel], given: dict[str, Any]) -> None:
    """Each field is documented and each documented field is there."""
    _same_fields(model.model_json_schema(), model.model_json_schema(), given, model.__name__)
    model.model_validate(given)


def _same_fields(schema: dict[str, Any], root: dict[str, Any], given: Any, where: str) -> None:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    for choice in schema.get("anyOf", ()):
        if given is not None and choice.get("type") != "null":
            _same_fields(choice, root, given, where)
    if isinstance(given, dict) and "properties" in schema:
        assert set(given) == set(schema["properties"]), where
        for name, value in given.items():
            _same_fields(schema["properties"][name], root, value, f"{where}.{name}")
    if isinstance(given, list) and "items" in schema:
        for value in given:
            _same_fields(schema["items"], root, value, f"{where}[]")


@pytest.fixture
async def parts(company: Any) -> Any:
    """A company that knows eight documents about projector parts."""
    for name in _PARTS:
        await company.know(f"# {name.title()}\n\nThe {name} of the projector is replaced every year.\n", f"{name}.md")
    return company


# ---- fields


@pytest.mark.parametrize("explain", [False, True])
async def test_an_answer_has_the_fields_that_are_documented(company: Any, explain: bool) -> None:
    await company.know()
    found = await company.search("What discount do gold partners receive?", explain=explain)
    assert found["results"]
    _strictly(SearchOut, found)


async def test_the_request_of_the_seed_works_as_it_is_written(company: Any) -> None:
    await company.know()
    body = {
        "query": "How long is the warranty?",
        "chatbot_id": str(company.chatbot_id),
        "max_results": 5,
        "similarity_threshold": 0.0,
    }
    found = (await company.api().post("/api/search", json=body)).json()
    for result in found["results"]:
        assert 0 <= result["similarity_score"] <= 1
        assert result["content"]
    assert found["total_results"] == len(found["results"])
    assert found["search_time_ms"] > 0


async def test_an_explanation_is_for_those_who_may_see_it(company: Any) -> None:
    await company.know()
    refused = await company.api("member").post("/api/search", json={"query": "discount", "explain": True})
    assert refused.status_code == 403
    path = f"/api/search/hybrid/{company.chatbot_id}"
    assert (await company.api("member").get(path, params={"q": "discount", "explain": True})).status_code == 403
    assert (await company.search("discount", who="member"))["explanation"] is None


async def test_an_explanation_tells_of_everything_that_was_considered(parts: Any) -> None:
    found = await parts.search("replaced", explain=True, max_results=2)
    explanation = found["explanation"]
    assert explanation["searched_query"] == "replaced"
    assert explanation["rewritten_by"] == "none"
    shown = [candidate["chunk_id"] for candidate in explanation["considered"] if candidate["shown"]]
    assert shown == [result["chunk_id"] for result in found["results"]]
    assert all(candidate["left_out"] for candidate in explanation["considered"] if not candidate["shown"])
    assert len(explanation["considered"]) == len(_PARTS)
    assert explanation["terms"]


async def test_an_explanation_tells_which_word_was_taken_for_another_one(company: Any) -> None:
    await company.know("# Warranty\n\nThe warranty of every projector ends after five years.\n", "warranty.md")
    await company.know("# Kabel\n\nDas Kabel des Projektors ist sehr lang und schwarz wie die Nacht.\n", "kabel.md")

    found = await company.search("How long is the waranty?", explain=True)

    first, second = found["explanation"]["terms"]
    assert (first["forms"], first["corrected_from"]) == (["long"], "")
    assert second["corrected_from"].startswith("warant")
    assert second["forms"][0].startswith("warrant")


# ---- pages


async def test_pages_put_together_are_the_whole_list(parts: Any) -> None:
    whole = await parts.search("The projector is replaced", max_results=100)
    assert whole["total_results"] == len(_PARTS)
    pages = [await parts.search("The projector is replaced", max_results=3, offset=offset) for offset in (0, 3, 6)]
    assert [page["total_results"] for page in pages] == [len(_PARTS)] * 3
    assert [page["offset"] for page in pages] == [0, 3, 6]
    results = [result for page in pages for result in page["results"]]
    assert [(result["rank"], result["chunk_id"]) for result in results] == [
        (result["rank"], result["chunk_id"]) for result in whole["results"]
    ]
    assert {page["knowledge_revision"] for page in pages} == {whole["knowledge_revision"]}


async def test_a_page_behind_the_last_is_empty_and_tells_the_total(parts: Any) -> None:
    found = await parts.search("The projector is replaced", offset=50)
    assert (found["results"], found["total_results"]) == ([], len(_PARTS))


async def test_the_total_counts_what_reaches_the_threshold(parts: Any) -> None:
    whole = await parts.search("The projector is replaced", max_results=100)
    scores = sorted({result["similarity_score"] for result in whole["results"]})
    threshold = scores[len(scores) // 2]
    found = await parts.search("The projector is replaced", similarity_threshold=threshold, max_results=1)
    assert found["total_results"] == sum(result["similarity_score"] >= threshold for result in whole["results"])
    assert len(found["results"]) == 1


@pytest.mark.parametrize("body", [{"offset": -1}, {"offset": 101}, {"max_results": 0}, {"max_results": 101}])
async def test_a_page_out_of_range_is_refused(company: Any, body: dict[str, int]) -> None:
    refused = await company.api().post("/api/search", json={"query": "x", **body})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


# ---- filters


async def test_a_filter_that_cannot_be_read_is_refused_with_its_place(company: Any) -> None:
    for path, request in (
        ("POST", {"json": {"query": "x", "filter": "language:de colour:red"}}),
        ("GET", {"params": {"q": "x", "filter": "language:de colour:red"}}),
    ):
        address = "/api/search" if path == "POST" else f"/api/search/hybrid/{company.chatbot_id}"
        refused = await company.api().request(path, address, **request)
        assert (refused.status_code, refused.json()["code"]) == (422, "search.invalid_filter")
        assert "at character 13 (“colour:red”)" in refused.json()["detail"]


# ---- several at once


async def test_a_batch_answers_each_query_by_itself(company: Any, other_company: Any) -> None:
    await company.know()
    queries = [
        {"query": "discount for gold partners"},
        {"query": ""},
        {"query": "warranty", "chatbot_id": str(other_company.chatbot_id)},
        {"query": "warranty", "filter": "colour:red"},
        {"query": "warranty", "nonsense": True},
        "no object",
        {"query": "warranty of the lamp", "max_results": 1},
    ]
    answer = await company.api().post("/api/search/batch", json={"queries": queries})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    _strictly(BatchOut, found)
    assert [entry["index"] for entry in found["results"]] == list(range(len(queries)))
    assert [entry["error"] and entry["error"]["code"] for entry in found["results"]] == [
        None,
        "invalid_request",
        "tenancy.chatbot_not_found",
        "search.invalid_filter",
        "invalid_request",
        "invalid_request",
        None,
    ]
    assert found["failed"] == 5
    assert "query" in found["results"][1]["error"]["detail"]
    assert "17 percent" in found["results"][0]["result"]["results"][0]["content"]
    assert len(found["results"][6]["result"]["results"]) == 1


async def test_a_batch_finds_what_single_searches_find(company: Any) -> None:
    await company.know()
    queries = [{"query": text} for text in ("returns", "warranty", "gold partners") * 4]
    batch = (await company.api().post("/api/search/batch", json={"queries": queries})).json()["results"]
    for query, entry in zip(queries, batch, strict=True):
        alone = await company.search(query["query"])
        assert [hit["chunk_id"] for hit in entry["result"]["results"]] == [hit["chunk_id"] for hit in alone["results"]]


@pytest.mark.parametrize("queries", [[], [{"query": "x"}] * 51, "x"])
async def test_a_batch_has_one_to_fifty_queries(company: Any, queries: Any) -> None:
    assert (await company.api().post("/api/search/batch", json={"queries": queries})).status_code == 422


async def test_an_explanation_in_a_batch_is_refused_to_a_member_alone(company: Any) -> None:
    queries = [{"query": "x", "explain": True}, {"query": "x"}]
    found = (await company.api("member").post("/api/search/batch", json={"queries": queries})).json()
    assert [entry["error"] and entry["error"]["status"] for entry in found["results"]] == [403, None]


async def test_an_outage_fails_the_query_and_not_the_batch(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise UnavailableError

    monkeypatch.setattr("dragoman.search.service.retrieval.find_passages", fail)
    found = (await company.api().post("/api/search/batch", json={"queries": [{"query": "x"}]})).json()
    assert found["results"][0]["error"]["status"] == 503


# ---- across content types


@pytest.fixture
async def library(company: Any) -> Any:
    """Seven tickets about lamps, one price list and one page of questions."""
    for number in range(7):
        await company.know(
            f"# Ticket {number}\n\nThe lamp price was asked for by customer {number}.\n",
            f"ticket-{number}.md",
            content_type="ticket",
        )
    await company.know("# Prices\n\nThe lamp price is 40 euros.\n", "prices.md", content_type="product")
    await company.know("# Questions\n\nWhere do I find the lamp price?\n", "questions.md", content_type="faq")
    return company


async def _hybrid(company: Any, **params: Any) -> dict[str, Any]:
    answer = await company.api().get(
        f"/api/search/hybrid/{company.chatbot_id}", params={"q": "lamp price", "max_results": 4, **params}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    _strictly(HybridOut, found)
    return found


async def test_balanced_gives_each_content_type_its_share(library: Any) -> None:
    found = await _hybrid(library)
    assert len(found["results"]) == 4
    assert set(found["groups"]) == {"ticket", "product", "faq"}
    assert [result["rank"] for result in found["results"]] == [1, 2, 3, 4]
    scores = [result["similarity_score"] for result in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert found["arrangement"] == "balanced"


async def test_grouped_gives_a_list_of_each_content_type(library: Any) -> None:
    found = await _hybrid(library, arrangement="grouped", max_results=3)
    assert {name: len(ranks) for name, ranks in found["groups"].items()} == {"ticket": 3, "product": 1, "faq": 1}
    by_rank = {result["rank"]: result["content_type"] for result in found["results"]}
    assert all(by_rank[rank] == name for name, ranks in found["groups"].items() for rank in ranks)


async def test_ranked_goes_by_score_alone(library: Any) -> None:
    found = await _hybrid(library, arrangement="ranked", max_results=9)
    scores = [result["similarity_score"] for result in found["results"]]
    assert len(scores) == 9
    assert scores == sorted(scores, reverse=True)


async def test_content_types_can_be_chosen(library: Any) -> None:
    found = await _hybrid(library, content_types=["product", "faq"])
    assert set(found["groups"]) == {"product", "faq"}
    address = f"/api/search/hybrid/{library.chatbot_id}"
    refused = await library.api().get(address, params={"q": "lamp", "content_types": "pdf"})
    assert refused.status_code == 422


async def test_an_empty_chatbot_has_no_groups(company: Any) -> None:
    found = await _hybrid(company)
    assert (found["results"], found["groups"], found["total_results"]) == ([], {}, 0)


# ---- in a conversation


async def test_history_or_session_but_not_both(company: Any) -> None:
    session_id = await company.open_session()
    body = {"query": "And the lamp?", "session_id": session_id, "history": [{"role": "user", "content": "Hello"}]}
    assert (await company.api().post("/api/search", json=body)).status_code == 422


async def test_a_search_in_a_session_keeps_to_its_documents(company: Any) -> None:
    chosen = await company.know("# Lamp\n\nThe lamp lasts five years.\n", "lamp.md")
    await company.know("# Lens\n\nThe lens lasts five years.\n", "lens.md")
    session_id = await company.open_session(document_ids=[chosen["id"]])
    found = await company.search("lasts five years", session_id=session_id)
    assert {result["document_id"] for result in found["results"]} == {chosen["id"]}


async def test_nobody_searches_in_a_session_of_another(company: Any, other_company: Any) -> None:
    session_id = await company.open_session("member")
    for stranger in (company.api("second_member"), other_company.api()):
        refused = await stranger.post("/api/search", json={"query": "x", "session_id": session_id})
        assert (refused.status_code, refused.json()["code"]) == (404, "chat.session_not_found")
    refused = await company.api().post("/api/search", json={"query": "x", "session_id": ABSENT})
    assert refused.status_code == 404


async def test_a_search_of_two_words_in_a_session_is_in_its_language(company: Any) -> None:
    await company.know()
    session_id = await company.open_session()
    await company.ask("Welchen Rabatt bekommen die Goldpartner für Projektoren?", session_id=session_id)
    assert (await company.search("MDF?", session_id=session_id))["language"] == "de"


_TALK = [
    {"role": "user", "content": "What is the warranty of the Aurora projector?"},
    {"role": "assistant", "content": "Five years."},
]


async def test_a_follow_up_is_searched_with_what_was_said_before(company: Any) -> None:
    await company.know("# Aurora\n\n## Warranty\n\nThe warranty of the Aurora projector lasts five years.\n", "a.md")
    await company.know("# Borealis\n\n## Weight\n\nThe Borealis scale weighs nine kilograms.\n", "b.md")
    alone = await company.search("How long does it last?", explain=True, language="en")
    assert alone["explanation"]["searched_query"] == "How long does it last?"
    found = await company.search("How long does it last?", explain=True, language="en", history=_TALK)
    assert "Aurora" in found["explanation"]["searched_query"]
    assert found["explanation"]["rewritten_by"] == "history"
    assert found["query"] == "How long does it last?"
    assert found["results"][0]["file_name"] == "a.md"


async def test_the_messages_of_a_session_are_its_history(company: Any) -> None:
    await company.know()
    session_id = await company.open_session()
    await company.ask("What is the warranty of the Aurora projector?", session_id=session_id)
    found = await company.search("How long does it last?", session_id=session_id, explain=True)
    assert "Aurora" in found["explanation"]["searched_query"]


async def test_a_chatbot_may_leave_follow_ups_as_they_are(company: Any) -> None:
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"rewrite": "off"}})
    found = await company.search("How long does it last?", explain=True, history=_TALK)
    assert found["explanation"]["searched_query"] == "How long does it last?"


@pytest.mark.parametrize("history", [[{"role": "system", "content": "x"}], [{"role": "user"}], "x", [_TALK[0]] * 51])
async def test_a_history_that_is_none_is_refused(company: Any, history: Any) -> None:
    refused = await company.api().post("/api/search", json={"query": "x", "history": history})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


# ---- remembered


async def test_the_same_search_is_remembered_until_the_knowledge_changes(company: Any) -> None:
    document = await company.know()
    states = [(await company.search("gold partners"))["cached"] for _ in range(2)]
    assert states == [False, True]
    assert not (await company.search("gold partners", explain=True))["cached"]
    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    after = await company.search("gold partners")
    assert (after["cached"], after["results"]) == (False, [])


# ---- operators


async def test_a_phrase_and_a_forbidden_word_rule_what_is_found(company: Any) -> None:
    await company.know("# Pumps\n\nThe green pump is cleaned every week with warm water.", "pumps.md")
    await company.know("# Lamps\n\nA pump that is green with rust is cleaned by hand.", "rust.md")

    async def titles(query: str) -> list[str]:
        return [hit["title"] for hit in (await company.search(query))["results"]]

    assert len(await titles("green pump")) == 2
    assert await titles('"green pump"') == ["Pumps"]
    assert await titles("green pump -rust") == ["Pumps"]
    assert await titles("+rust pump") == ["Lamps"]
    keyword = await company.search("rus*", mode="keyword")
    assert [hit["title"] for hit in keyword["results"]] == ["Lamps"]


async def test_quotation_marks_in_a_question_exclude_nothing(company: Any) -> None:
    await company.know("# Access\n\nAn emergency account opens every door of the pump house.", "access.md")
    found = await company.search('How do I get an emergency account ("break glass")?')
    assert found["results"][0]["title"] == "Access"


async def test_a_misspelt_word_is_found(company: Any) -> None:
    await company.know("# Warranty\n\nThe refrigerator has a warranty of three years.", "warranty.md")
    found = await company.search("refrigarator", mode="keyword")
    assert "refrigerator" in found["results"][0]["content"]


async def test_a_search_chooses_its_own_re_ranker(company: Any) -> None:
    await company.know()
    query = {"query": "How long is the warranty of the lamp?", "explain": True}
    plain = (await company.api().post("/api/search", json=query)).json()
    ranked = (await company.api().post("/api/search", json={**query, "reranker": "sentences"})).json()
    assert {each["signals"]["reranked"] for each in plain["results"]} == {None}
    assert None not in {each["signals"]["reranked"] for each in ranked["results"]}
    assert ranked["degraded"] == []
    batch = {"queries": [{**query, "reranker": "sentences"}, {**query, "reranker": "nobody"}, query]}
    first, wrong, last = (await company.api().post("/api/search/batch", json=batch)).json()["results"]
    assert first["result"]["results"][0]["signals"]["reranked"] is not None
    assert wrong["error"]["code"] == "inference.reranker_not_set_up"
    assert last["result"]["results"][0]["signals"]["reranked"] is None
    path = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(path, json={"settings": {"reranker": "sentences"}})
    without = (await company.api().post("/api/search", json={**query, "reranker": "none"})).json()
    assert {each["signals"]["reranked"] for each in without["results"]} == {None}


@pytest.mark.parametrize(
    ("reranker", "says"),
    [("nobody", "Choose one of"), ("cross_encoder", "needs `model`"), ("llm", "DRAGOMAN_LLM")],
)
async def test_a_re_ranker_that_is_not_set_up_is_refused_with_what_to_do(
    company: Any, reranker: str, says: str
) -> None:
    refused = await company.api().post("/api/search", json={"query": "lamp", "reranker": reranker})
    assert (refused.status_code, refused.json()["code"]) == (422, "inference.reranker_not_set_up")
    assert says in refused.json()["detail"]


async def test_who_may_not_see_explanations_chooses_no_re_ranker(company: Any, other_company: Any) -> None:
    await company.know()
    for who, status in (("owner", 200), ("editor", 200), ("agent", 403), ("member", 403)):
        answer = await company.api(who).post("/api/search", json={"query": "lamp", "reranker": "sentences"})
        listed = await company.api(who).get("/api/search/rerankers")
        assert (answer.status_code, listed.status_code) == (status, status), who
    assert (await company.api().get("/api/search/rerankers")).json() == {"rerankers": ["none", "sentences"]}
    query = {"chatbot_id": str(company.chatbot_id)}
    assert (await company.api().get("/api/search/rerankers", params=query)).status_code == 200
    foreign = await other_company.api().get("/api/search/rerankers", params=query)
    assert (foreign.status_code, foreign.json()["code"]) == (404, "tenancy.chatbot_not_found")

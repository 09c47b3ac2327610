"""Thumbs, comments and corrections on answers, and what follows from them, over HTTP."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from dragoman.feedback import repository
from dragoman.feedback import service as given_feedback
from dragoman.feedback.entities import FeedbackFilter
from dragoman.kit.clock import now

QUESTION = "What discount do gold partners receive?"
ABSENT = "019a0000-0000-7000-8000-000000000000"


def _path(message_id: str) -> str:
    return f"/api/chatbot/messages/{message_id}/feedback/"


async def _rated(company: Any, who: str = "member", question: str = QUESTION, **body: Any) -> tuple[str, Any]:
    """An answer that was asked for and rated, and what was said of it."""
    answer = await company.ask(question, who=who)
    given = await company.api(who).post(_path(answer["id"]), json={"rating": "down", **body})
    assert given.status_code == 201, given.text
    return answer["id"], given.json()


async def _events(service: Any, company: Any, prefix: str = "feedback.") -> list[tuple[str, dict[str, Any]]]:
    async with service.deps.database.transaction(company.tenant_id) as connection:
        rows = await connection.execute(text("select topic, payload from outbox_events order by id"))
        return [(row.topic, row.payload) for row in rows if row.topic.startswith(prefix)]


# ---- giving


async def test_an_asker_rates_an_answer_changes_it_and_takes_it_back(company: Any, service: Any) -> None:
    await company.know()
    api = company.api("member")
    answer = await company.ask(QUESTION, who="member")
    path = _path(answer["id"])
    assert (await api.get(path)).json()["code"] == "feedback.not_found"

    given = await api.post(path, json={"rating": "up", "comment": " Thank you. ", "metadata": {"screen": "chat"}})
    assert given.status_code == 201
    assert (given.json()["rating"], given.json()["comment"], given.json()["is_review"]) == ("up", "Thank you.", False)

    again = await api.post(path.rstrip("/"), json={"rating": "down", "reason": "outdated", "correction": "20 percent."})
    assert again.status_code == 200
    assert again.json()["id"] == given.json()["id"]
    assert (again.json()["comment"], again.json()["correction_state"]) == ("", "open")

    changed = await api.patch(path, json={"comment": "As of May."})
    assert (changed.json()["reason"], changed.json()["correction"]) == ("outdated", "20 percent.")
    shown = (await api.get(path)).json()
    assert [(each["rating"], each["comment"]) for each in shown["history"]] == [("down", ""), ("up", "Thank you.")]

    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    topics = [topic for topic, _ in await _events(service, company)]
    assert topics == ["feedback.given", "feedback.changed", "feedback.changed", "feedback.withdrawn"]
    assert "As of May" not in json.dumps(await _events(service, company))


async def test_ratings_are_counted(company: Any) -> None:
    def counted(rating: str) -> float:
        return REGISTRY.get_sample_value("dragoman_feedback_total", {"rating": rating}) or 0.0

    before = counted("up"), counted("down")
    answer_id, _ = await _rated(company)
    for body in ({"comment": "Again."}, {"rating": "up"}):
        assert (await company.api("member").patch(_path(answer_id), json=body)).status_code == 200
    assert (counted("up"), counted("down")) == (before[0] + 1, before[1] + 1)


async def test_saying_the_same_again_changes_nothing(company: Any, service: Any) -> None:
    answer_id, first = await _rated(company, comment="No.")
    again = await company.api("member").post(_path(answer_id), json={"rating": "down", "comment": "No."})
    assert again.status_code == 200
    assert again.json()["updated_at"] == first["updated_at"]
    assert len(await _events(service, company)) == 1


@pytest.mark.parametrize(
    ("word", "rating", "reason"),
    [("useful", "up", None), ("incorrect", "down", "incorrect"), ("up", "up", None), ("down", "down", None)],
)
async def test_words_of_ratings(company: Any, word: str, rating: str, reason: str | None) -> None:
    answer = await company.ask("Anything?")
    given = (await company.api().post(_path(answer["id"]), json={"rating": word})).json()
    assert (given["rating"], given["reason"]) == (rating, reason)


async def test_what_cannot_be_rated(company: Any, other_company: Any) -> None:
    session_id = await company.open_session("member")
    answer = await company.ask("Anything?", who="member", session_id=session_id)
    up = {"rating": "up"}
    assert (await company.api("member").post(_path(answer["parent_id"]), json=up)).json()["code"] == (
        "feedback.not_an_answer"
    )
    for client in (company.api("second_member"), company.api("editor"), other_company.api()):
        assert (await client.post(_path(answer["id"]), json=up)).json()["code"] == "feedback.message_not_found"
    assert (await company.api("member").post(_path(ABSENT), json=up)).status_code == 404
    for body in (
        {"rating": "sideways"},
        {"rating": "down", "reason": "ugly"},
        {"rating": "down", "comment": "x" * 4001},
        {"rating": "down", "metadata": {"x": "y" * 5000}},
        {},
    ):
        assert (await company.api("member").post(_path(answer["id"]), json=body)).status_code == 422, body


async def test_a_review_stands_beside_the_rating_of_the_asker(company: Any) -> None:
    answer_id, _ = await _rated(company, reason="incorrect")
    review = await company.api("agent").post(_path(answer_id), json={"rating": "up"})
    assert (review.status_code, review.json()["is_review"]) == (201, True)
    assert (await company.api("member").get(_path(answer_id))).json()["rating"] == "down"
    sums = (await company.api().get("/api/chatbot/analytics/feedback/")).json()
    assert (sums["up"], sums["down"], sums["reviews"]["up"]) == (0, 1, 1)


async def test_messages_and_exports_show_what_the_asker_said(company: Any) -> None:
    session_id = await company.open_session("member")
    answer = await company.ask("Anything?", who="member", session_id=session_id)
    await company.api("member").post(_path(answer["id"]), json={"rating": "down", "comment": "Not <b>quite</b>."})
    sessions = f"/api/chatbot/sessions/{session_id}"
    for who in ("member", "agent"):
        messages = (await company.api(who).get(f"{sessions}/messages/")).json()["messages"]
        assert messages[0]["feedback"] is None
        assert (messages[1]["feedback"]["rating"], messages[1]["feedback"]["comment"]) == ("down", "Not <b>quite</b>.")
    exported = (await company.api("member").get(f"{sessions}/export/", params={"format": "json"})).json()
    assert exported["messages"][1]["feedback"]["rating"] == "down"
    markdown = (await company.api("member").get(f"{sessions}/export/")).text
    assert "Rated down." in markdown
    assert "<b>" not in markdown


async def test_rating_at_the_same_time_leaves_one_feedback(company: Any) -> None:
    answer = await company.ask("Anything?")
    api = company.api()
    answers = await asyncio.gather(
        *(api.post(_path(answer["id"]), json={"rating": "up", "comment": str(number)}) for number in range(8))
    )
    assert sorted(each.status_code for each in answers) == [200] * 7 + [201]
    assert len({each.json()["id"] for each in answers}) == 1
    assert len((await api.get(_path(answer["id"]))).json()["history"]) == 7


# ---- reading


async def test_the_list_has_filters_and_the_export_the_same_ones(company: Any) -> None:
    document = await company.know()
    _, first = await _rated(company, reason="outdated", comment='=HYPERLINK("x")')
    await _rated(company, question="How long is the warranty of the Aurora projector?", correction="Six years.")
    answer = await company.ask(QUESTION)
    await company.api().post(_path(answer["id"]), json={"rating": "up"})
    api = company.api("editor")

    async def ids(**params: Any) -> list[str]:
        found = (await api.get("/api/chatbot/feedback/", params=params)).json()
        assert found["total"] == len(found["feedback"])
        return [each["id"] for each in found["feedback"]]

    assert len(await ids()) == 3
    assert await ids(reason="outdated") == [first["id"]]
    assert len(await ids(rating="up")) == 1
    assert len(await ids(correction="open")) == 1
    assert len(await ids(has_text=True)) == 2
    assert len(await ids(document_id=document["id"])) == 3
    assert await ids(document_id=ABSENT) == []
    assert await ids(is_review=True) == []
    assert len(await ids(**{"from": f"{now():%Y-%m-%d}"})) == 3
    assert await ids(to="2020-01-01") == []
    assert (await api.get("/api/chatbot/feedback/", params={"chatbot_id": ABSENT})).status_code == 404
    listed = (await api.get("/api/chatbot/feedback/", params={"reason": "outdated"})).json()["feedback"][0]
    assert (listed["question"], listed["document_ids"]) == (QUESTION, [document["id"]])
    assert "17 percent" in listed["answer"]

    export = "/api/chatbot/feedback/export/"
    rows = list(csv.DictReader(io.StringIO((await api.get(export)).text)))
    assert [row["rating"] for row in rows] == ["down", "down", "up"]
    assert rows[0]["comment"] == '\'=HYPERLINK("x")'
    lines = (await api.get(export, params={"format": "jsonl", "rating": "up"})).text.splitlines()
    assert [json.loads(line)["rating"] for line in lines] == ["up"]


@pytest.mark.parametrize(("kept", "shown"), [("off", None), ("anonymised", None), ("masked", "Mail me at")])
async def test_questions_are_shown_as_far_as_the_chatbot_keeps_them(company: Any, kept: str, shown: str | None) -> None:
    settings = {"settings": {"query_log": kept}}
    assert (await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=settings)).status_code == 200
    await _rated(company, question="Mail me at ann.lee@example.com, please?", comment="No.")
    listed = (await company.api().get("/api/chatbot/feedback/")).json()["feedback"][0]
    exported = (await company.api().get("/api/chatbot/feedback/export/")).text
    assert listed["comment"] == "No."
    assert "ann.lee" not in exported
    if shown is None:
        assert (listed["question"], listed["answer"]) == (None, None)
    else:
        assert listed["question"].startswith(shown)
        assert "ann.lee" not in listed["question"]


async def test_analytics_count_ratings_by_all_that_matters(company: Any) -> None:
    document = await company.know()
    await _rated(company, reason="outdated", comment="Old.")
    for _ in range(3):
        answer = await company.ask(QUESTION, who="member")
        await company.api("member").post(_path(answer["id"]), json={"rating": "up"})
    sums = (await company.api("agent").get("/api/chatbot/analytics/feedback")).json()
    assert (sums["up"], sums["down"], sums["satisfaction_rate"]) == (3, 1, 0.75)
    assert (sums["satisfaction_low"], sums["satisfaction_high"]) == (0.3006, 0.9544)
    assert (sums["by_reason"], sums["comments"], sums["corrections"]["open"]) == ({"outdated": 1}, 1, 0)
    today = f"{now():%Y-%m-%d}"
    expected = {
        "by_day": today,
        "by_language": "en",
        "by_model": "extractive",
        "by_chatbot": str(company.chatbot_id),
        "by_document": document["id"],
    }
    for name, key in expected.items():
        assert [(line["key"], line["up"], line["down"]) for line in sums[name]] == [(key, 3, 1)], name
    assert sums["by_document"][0]["title"] == document["title"]
    assert [each["comment"] for each in sums["recent"]] == ["Old."]
    empty = (await company.api().get("/api/chatbot/analytics/feedback/", params={"to": "2020-01-01"})).json()
    assert (empty["total"], empty["satisfaction_rate"], empty["by_day"]) == (0, None, [])
    wrong = await company.api().get("/api/chatbot/analytics/feedback/", params={"from": "2019-01-01"})
    assert wrong.json()["code"] == "feedback.invalid_period"


async def test_one_query_reads_prompt_passages_answer_and_rating(company: Any, service: Any) -> None:
    await company.know()
    answer_id, _ = await _rated(company, correction="20 percent.")
    async with service.deps.database.transaction(company.tenant_id) as connection:
        [example] = await repository.list_examples(connection, tenant_id=company.tenant_id, wanted=FeedbackFilter())
    assert str(example.feedback.answer_id) == answer_id
    assert (example.question, example.feedback.given.correction) == (QUESTION, "20 percent.")
    assert "17 percent" in example.answer
    assert example.retrieved[0]["score"] >= example.retrieved[-1]["score"]
    assert any(passage["cited"] and "17 percent" in passage["text"] for passage in example.retrieved)


# ---- what belongs to an asker


async def test_what_an_asker_said_is_exported_and_erased(company: Any, service: Any) -> None:
    answer_id, _ = await _rated(company, comment="My secret comment.")
    await company.api("member").patch(_path(answer_id), json={"comment": "Another."})
    await company.api("agent").post(_path(answer_id), json={"rating": "up", "comment": "Of an agent."})
    await _rated(company, who="second_member", comment="Of somebody else.")
    async with service.deps.database.transaction(company.tenant_id) as connection:
        asker = (await connection.execute(text("select asker from sessions order by id limit 1"))).scalar_one()
        [exported] = await given_feedback.export_asker(connection, company.tenant_id, asker)
        assert (exported["comment"], exported["history"][0]["comment"]) == ("Another.", "My secret comment.")
        assert await given_feedback.erase_asker(connection, company.tenant_id, asker) == 2
    async with service.deps.database.transaction(company.tenant_id) as connection:
        left = (await connection.execute(text("select comment from feedback"))).scalars().all()
        history = (await connection.execute(text("select count(*) from feedback_history"))).scalar_one()
    assert (left, history) == (["Of somebody else."], 0)


# ---- corrections


async def test_an_accepted_correction_is_quoted_from_the_next_question_on(company: Any, service: Any) -> None:
    await company.know()
    question = "How long is the warranty of the Borealis screen?"
    answer_id, given = await _rated(
        company, question=question, correction="The Borealis screen is covered for 11 years."
    )
    assert "11 years" not in (await company.ask(question, who="member"))["content"]
    accept = f"/api/chatbot/feedback/{given['id']}/accept-correction/"
    assert (await company.api("agent").post(accept)).status_code == 403
    accepted = await company.api("editor").post(accept)
    assert accepted.status_code == 202, accepted.text
    assert (accepted.json()["feedback"]["correction_state"], accepted.json()["waits_for_approval"]) == (
        "accepted",
        False,
    )
    await service.run_jobs()
    answer = await company.ask(question, who="member")
    assert "covered for 11 years" in answer["content"]
    assert answer["sources"][0]["doc_id"] == accepted.json()["document_id"]

    path = f"/api/chatbot/documents/{accepted.json()['document_id']}/"
    document = (await company.api().get(path)).json()
    assert document["content_type"] == "faq"
    assert document["metadata"]["feedback_id"] == given["id"]
    assert (await company.api("editor").post(accept)).json()["code"] == "feedback.correction_decided"
    async with service.deps.database.transaction(company.tenant_id) as connection:
        actions = (await connection.execute(text("select action from audit_events"))).scalars().all()
    assert "feedback.correction_accepted" in actions
    assert answer_id


async def test_a_correction_waits_for_approval_where_the_chatbot_wants_that(company: Any, service: Any) -> None:
    review = {"settings": {"moderation": "review"}}
    assert (await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=review)).status_code == 200
    question = "How long is the warranty of the Borealis screen?"
    _, given = await _rated(company, question=question, correction="The Borealis screen is covered for 11 years.")
    accepted = await company.api("editor").post(f"/api/chatbot/feedback/{given['id']}/accept-correction/")
    assert accepted.json()["waits_for_approval"]
    await service.run_jobs()
    assert not (await company.ask(question))["answered"]
    approve = f"/api/chatbot/documents/{accepted.json()['document_id']}/approve/"
    assert (await company.api("editor").post(approve)).status_code == 200
    await service.run_jobs()
    assert "11 years" in (await company.ask(question))["content"]


async def test_a_changed_correction_waits_anew_and_replaces_its_document(company: Any, service: Any) -> None:
    question = "How long is the warranty of the Borealis screen?"
    answer_id, given = await _rated(company, question=question, correction="It is covered for 11 years.")
    accept = f"/api/chatbot/feedback/{given['id']}/accept-correction/"
    edited = {"answer": "The Borealis screen is covered for 12 years."}
    first = (await company.api().post(accept, json=edited)).json()
    await service.run_jobs()
    assert "12 years" in (await company.ask(question))["content"]
    changed = await company.api("member").patch(_path(answer_id), json={"correction": "Covered for 13 years."})
    assert changed.json()["correction_state"] == "open"
    second = (await company.api().post(accept)).json()
    assert second["document_id"] == first["document_id"]
    await service.run_jobs()
    assert "13 years" in (await company.ask(question))["content"]


async def test_a_correction_is_turned_down(company: Any) -> None:
    _, given = await _rated(company, correction="Never.")
    path = f"/api/chatbot/feedback/{given['id']}"
    rejected = await company.api("editor").post(f"{path}/reject-correction/", json={"note": "Wrong."})
    assert rejected.json()["correction_state"] == "rejected"
    assert (await company.api("editor").post(f"{path}/accept-correction/")).status_code == 409
    _, without = await _rated(company, who="second_member")
    path = f"/api/chatbot/feedback/{without['id']}"
    for action in ("accept-correction", "reject-correction"):
        assert (await company.api().post(f"{path}/{action}/")).json()["code"] == "feedback.no_correction"
    assert UUID(without["id"])

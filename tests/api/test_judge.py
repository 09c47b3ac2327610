"""A judge beside the built-in check: what it changes, what it may not change, and what happens without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.inference.errors import CircuitOpenError
from dragoman.inference.judging import JudgeLimits
from dragoman.kit.errors import DragomanError
from dragoman.metering.errors import BudgetExhaustedError
from dragoman.ports.judge import JudgeUnavailableError, Statement

QUESTION = "What discount do gold partners receive on projectors?"
QUOTED = "Gold partners receive a discount of 17 percent on every projector [1]."
FREE = "Top tier resellers pay considerably less for such devices [1]."  # true, in words that the check does not find
WRONG_NUMBER = "Gold partners receive a discount of 71 percent [1]."
Script = Callable[..., None]


class OwnJudge:
    """Says of each statement what it is told to; `waits` for an event first."""

    model = "own"

    def __init__(self, *, score: float = 1.0, fails: Exception | None = None, waits: bool = False) -> None:
        self.score, self.fails, self.waits = score, fails, waits
        self.asked: list[Statement] = []
        self.calls, self.was_stopped = 0, False

    async def judge(self, statements: Sequence[Statement]) -> list[float | None]:
        self.calls += 1
        self.asked += statements
        try:
            while self.waits:
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.was_stopped = True
            raise
        if self.fails is not None:
            raise self.fails
        return [self.score] * len(statements)

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
async def company(company: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setattr(service.deps.judges, "limits", JudgeLimits(timeout_s=0.3, prompted_timeout_s=0.3))
    await company.know()
    await _set(company, answerer="scripted", judge="own", judge_sentences="all")
    yield company
    service.deps.inference._llms.pop("scripted", None)
    service.deps.judges._roster._breakers.clear()
    service.deps.judges._roster._made.pop("own", None)


@pytest.fixture
def hire(service: Any) -> Callable[[OwnJudge], OwnJudge]:
    def put(judge: OwnJudge) -> OwnJudge:
        service.deps.judges._roster._made["own"] = judge
        return judge

    return put


Hire = Callable[[OwnJudge], OwnJudge]


async def _set(company: Any, **settings: Any) -> None:
    response = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    assert response.status_code == 200, response.text


async def _purposes(service: Any, company: Any) -> list[tuple[str, str]]:
    await service.deps.inference._usage.flush()
    async with service.deps.database.transaction(company.tenant_id) as connection:
        rows = await connection.execute(text("select purpose, kind from usage_records where purpose = 'judge'"))
        return [(row.purpose, row.kind) for row in rows]


async def test_a_language_model_judges_on_the_answers_bill(company: Any, service: Any, script: Script) -> None:
    await _set(company, judge="llm")
    script(replies=[{"pattern": "<statement id=", "reply": "1: 9\n2: 0"}, f"{FREE} {QUOTED}"])
    answer = await company.ask(QUESTION)
    first, second = answer["grounding"]["sentences"]
    assert (first["grounded"], first["judge"], first["score"], first["reason"]) == (True, 0.9, 0.9, None)
    assert (second["grounded"], second["judge"], second["reason"]) == (False, 0.0, "unsupported")
    assert answer["grounding"]["judge"] == {"name": "llm", "asked": 2, "judged": 2}
    assert answer["grounding"]["ungrounded"] == 1
    assert (answer["degraded"], answer["usage"]["llm_calls"]) == ([], 2)
    assert await _purposes(service, company) == [("judge", "llm")]
    usage = (await company.api().get("/api/usage/", params={"by": "operation"})).json()
    assert "judge" in {line["key"] for line in usage["lines"]}


async def test_an_answer_that_is_told_again_is_not_judged_again(
    company: Any, service: Any, hire: Hire, script: Script
) -> None:
    judge = hire(OwnJudge(score=0.8))
    script(replies=[FREE])
    first = await company.ask(QUESTION)
    again = await company.ask(QUESTION)
    assert (again["usage"]["cached_calls"], judge.calls) == (1, 1)
    assert again["grounding"]["sentences"] == first["grounding"]["sentences"]
    assert again["grounding"]["judge"] == {"name": "own", "asked": 1, "judged": 1}
    await _set(company, cache_answers=False)
    await company.ask(QUESTION)
    assert judge.calls == 2


async def test_without_a_judge_the_check_alone_decides(company: Any, service: Any, hire: Hire, script: Script) -> None:
    judge = hire(OwnJudge())
    await _set(company, judge="none")
    script(replies=[FREE])
    answer = await company.ask(QUESTION)
    assert answer["grounding"]["sentences"][0]["reason"] == "unsupported"
    assert "judge" not in answer["grounding"]
    assert judge.asked == []


async def test_it_gets_the_sentence_and_the_passage_that_it_cites(company: Any, hire: Hire, script: Script) -> None:
    judge = hire(OwnJudge())
    script(replies=[FREE])
    await company.ask(QUESTION)
    (asked,) = judge.asked
    assert (asked.text, asked.language) == (FREE.replace(" [1]", ""), "en")
    assert "17 percent on every projector" in asked.passages[0]


async def test_a_wrong_number_stays_wrong_whatever_it_says(company: Any, hire: Hire, script: Script) -> None:
    judge = hire(OwnJudge(score=1.0))
    script(replies=[WRONG_NUMBER])
    answer = await company.ask(QUESTION)
    assert answer["grounding"]["sentences"][0]["reason"] == "number"
    assert judge.asked == []


async def test_of_the_borderline_it_is_not_asked_what_the_check_is_sure_of(
    company: Any, hire: Hire, script: Script
) -> None:
    judge = hire(OwnJudge())
    await _set(company, judge_sentences="borderline")
    script(replies=[f"{QUOTED} Top tier gold partners pay less for a projector [1]."])
    await company.ask(QUESTION)
    assert [asked.text for asked in judge.asked] == ["Top tier gold partners pay less for a projector."]


@pytest.mark.parametrize("mode", ["flag", "remove"])
@pytest.mark.parametrize(
    "failure", [JudgeUnavailableError(), BudgetExhaustedError(), CircuitOpenError(), RuntimeError("broken"), None]
)
async def test_where_it_fails_the_check_decides_and_the_answer_says_so(
    company: Any, hire: Hire, script: Script, failure: DragomanError | None, mode: str
) -> None:
    hire(OwnJudge(fails=failure, waits=failure is None))  # None: it never answers
    await _set(company, grounding=mode)
    script(replies=[f"{QUOTED} {FREE}"])
    answer = await company.ask(QUESTION)
    assert answer["content"].startswith(QUOTED)
    assert (FREE in answer["content"]) == (mode == "flag")
    assert "judge_unavailable" in answer["degraded"]
    assert answer["grounding"]["judge"]["judged"] == 0
    assert answer["grounding"]["sentences"][0]["grounded"]


async def test_with_remove_it_decides_what_is_sent_and_in_which_order(
    company: Any, hire: Hire, script: Script, events_of: Callable[[Any], list[dict[str, Any]]]
) -> None:
    class Picky(OwnJudge):
        async def judge(self, statements: Sequence[Statement]) -> list[float | None]:
            await super().judge(statements)
            return [0.9 if "Top tier" in one.text else 0.1 for one in statements]

    hire(Picky())
    await _set(company, grounding="remove")
    script(replies=[f"{FREE} {QUOTED} {FREE.replace('devices', 'goods')} {WRONG_NUMBER} Who would not?"])
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    events = events_of(await company.api().post(f"{path}stream/", json={"message": QUESTION}))
    said = "".join(event["content"] for event in events if event["type"] == "token")
    assert said.split() == f"{FREE} {FREE.replace('devices', 'goods')} Who would not?".split()
    end = events[-1]
    assert (end["grounding"]["removed"], end["grounding"]["ungrounded"]) == (2, 0)
    for sentence in end["grounding"]["sentences"]:
        assert said[sentence["start"] : sentence["end"]].strip() == said[sentence["start"] : sentence["end"]]
    assert end["quality"] == end["grounding"]["quality"]
    assert 0.0 < end["quality"] <= 1.0


async def test_no_word_waits_for_it_and_sentences_go_together(
    company: Any, service: Any, hire: Hire, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge answers only when the last word has been sent: were the stream to wait for it, neither would end."""
    from dragoman.chat.answer import Asked, answer_question
    from dragoman.chat.entities import Complete, Token

    monkeypatch.setattr(service.deps.judges, "limits", JudgeLimits(timeout_s=20.0, prompted_timeout_s=20.0))
    judge = hire(OwnJudge(waits=True))
    script(replies=[" ".join(FREE.replace("devices", f"devices of kind{word}") for word in "abcdef")], delay_ms=5)
    session_id = await company.open_session()
    caller, asker = await _caller(service, company)
    said, complete = "", None
    async for event in answer_question(
        service.deps, caller, Asked(session_id=session_id, asker=asker, question=QUESTION)
    ):
        if isinstance(event, Token):
            said += event.content
            if "kindf" in said:
                judge.waits = False
        elif isinstance(event, Complete):
            complete = event
    assert complete is not None
    assert complete.turn.grounding["judge"] == {"name": "own", "asked": 6, "judged": 6}
    assert judge.calls < 6


async def test_leaving_the_answer_stops_it(company: Any, service: Any, hire: Hire, script: Script) -> None:
    from dragoman.chat.answer import Asked, answer_question
    from dragoman.chat.entities import Token

    judge = hire(OwnJudge(waits=True))
    script(replies=[f"{FREE} {QUOTED} And more [1]."], delay_ms=20)
    session_id = await company.open_session()
    caller, asker = await _caller(service, company)
    events = answer_question(service.deps, caller, Asked(session_id=session_id, asker=asker, question=QUESTION))
    async for event in events:
        if isinstance(event, Token) and judge.asked:
            break
    await events.aclose()
    async with asyncio.timeout(5):
        while not judge.was_stopped:
            await asyncio.sleep(0.01)


async def _caller(service: Any, company: Any) -> tuple[Any, str]:
    from dragoman.tenancy.access import asker_of, authenticate

    caller = await authenticate(service.deps.database, company.secrets["owner"])
    return caller, asker_of(caller, None)


async def test_quality_is_lower_without_citations_and_of_a_refusal_what_it_is_sure_of(
    company: Any, hire: Hire, script: Script, service: Any
) -> None:
    hire(OwnJudge(score=1.0))
    settings = (await company.api().get(f"/api/chatbots/{company.chatbot_id}/")).json()["settings"]
    await _set(company, **{**settings, "cache_answers": False})  # the same question is asked in three ways
    script(replies=[QUOTED])
    cited = await company.ask(QUESTION)
    script(replies=["So it is said."])
    uncited = await company.ask(f"Tell me: {QUESTION}")
    assert uncited["degraded"] == ["uncited"]
    assert uncited["quality"] < cited["quality"] == pytest.approx(cited["confidence"] ** 0.5, abs=0.02)
    script(replies=["I don't know: the documents I have do not answer this question."])
    refused = await company.ask(f"Say: {QUESTION}")
    assert refused["quality"] == pytest.approx(1 - refused["confidence"], abs=1e-3)
    await _set(company, answerer="extractive")
    quoted = await company.ask(QUESTION)
    assert quoted["quality"] == pytest.approx(quoted["confidence"] ** 0.5, abs=1e-3)
    async with service.deps.database.transaction(company.tenant_id) as connection:
        stored = (await connection.execute(text("select grounding from turns order by id"))).scalars().all()
    assert [turn["quality"] for turn in stored] == [each["quality"] for each in (cited, uncited, refused, quoted)]

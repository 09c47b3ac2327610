"""`POST /api/search` on the short way answers as it does on FastAPI's: the same results, and the same words for what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import Response
from pydantic import BaseModel
from tests.api.conftest import Company

from dragoman.deps.http import DepsDep, LeanEndpoint
from dragoman.tenancy.entities import Permission
from dragoman.tenancy.http import AnyCaller, CallerWhoSearches

SHORT = {"content-type": "application/json"}
LONG = {"content-type": "application/json;charset=UTF-8"}  # fits no short way, and means the same
QUESTION = json.dumps({"query": "What discount do gold partners receive?"}).encode()
VARIES = {"search_id", "timings_ms", "search_time_ms", "request_id", "cached"}


async def both(company: Company, content: bytes, who: str = "owner", **headers: str) -> list[tuple[int, Any]]:
    """Status and answer on either way, without what differs from one request to the next."""
    answers = []
    for way in (SHORT, LONG):
        answer = await company.api(who).post("/api/search", content=content, headers={**way, **headers})
        assert answer.headers["x-request-id"]
        said = answer.json()
        assert set(said) & VARIES
        answers.append((answer.status_code, {name: value for name, value in said.items() if name not in VARIES}))
    return answers


async def test_results_are_the_same(company: Company) -> None:
    await company.know()
    short, long = await both(company, QUESTION)
    assert short == long
    assert short[0] == 200
    assert "17 percent" in short[1]["results"][0]["content"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"query": ""}',
        b'{"query": 7}',
        b'{"query": "a\\u0000b"}',
        b'{"query": "x", "max_results": 0}',
        b'{"query": "x", "max_results": "ten"}',
        b'{"query": "x", "similarity_threshold": NaN}',
        b'{"query": "x", "surprise": true}',
        b'{"query": "x", "chatbot_id": "nobody"}',
        b'{"query": "x", "chatbot_id": "019a0000-0000-7000-8000-000000000000"}',
        b'{"query": "x", "mode": "telepathy"}',
    ],
)
async def test_what_is_wrong_is_said_in_the_same_words(company: Company, content: bytes) -> None:
    short, long = await both(company, content)
    assert short == long
    assert short[0] in (400, 404, 422)
    assert short[1]["code"]


@pytest.mark.parametrize("key", ["", "dgm_nobody_has_this_one", "nonsense"])
async def test_a_key_that_opens_nothing_is_refused_in_the_same_words(company: Company, key: str) -> None:
    short, long = await both(company, QUESTION, **{"x-api-key": key})
    assert short == long
    assert short[0] == 401


async def test_both_kinds_of_header_carry_the_key(company: Company) -> None:
    secret = company.secrets["member"]
    client = company.service.client()
    for scheme in ("Bearer", "bearer"):
        headers = {**SHORT, "authorization": f"{scheme} {secret}"}
        assert (await client.post("/api/search", content=QUESTION, headers=headers)).status_code == 200
    basic = {**SHORT, "authorization": f"Basic {secret}"}
    assert (await client.post("/api/search", content=QUESTION, headers=basic)).status_code == 401


async def test_both_spellings_of_the_path_are_served(company: Company) -> None:
    for path in ("/api/search", "/api/search/"):
        assert (await company.api().post(path, content=QUESTION, headers=SHORT)).status_code == 200


async def test_an_explanation_needs_its_permission_on_either_way(company: Company) -> None:
    content = json.dumps({"query": "discount", "explain": True}).encode()
    short, long = await both(company, content, who="member")
    assert short == long
    assert short[0] == 403


def test_an_endpoint_with_other_parameters_cannot_be_lean() -> None:
    class Body(BaseModel):
        text: str

    async def fits(body: Body, caller: CallerWhoSearches, deps: DepsDep) -> Response:
        raise NotImplementedError

    async def asks_for_more(body: Body, caller: CallerWhoSearches, deps: DepsDep, page: int) -> Response:
        raise NotImplementedError

    async def lets_anybody_in(body: Body, deps: DepsDep) -> Response:
        raise NotImplementedError

    async def states_no_permission(body: Body, caller: AnyCaller, deps: DepsDep) -> Response:
        raise NotImplementedError

    for function in (fits, asks_for_more, lets_anybody_in, states_no_permission):
        function.__annotations__["body"] = Body
    assert LeanEndpoint.of(fits).permission is Permission.SEARCH
    for function in (asks_for_more, lets_anybody_in, states_no_permission):
        with pytest.raises(TypeError, match=function.__name__):
            LeanEndpoint.of(function)

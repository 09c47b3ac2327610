"""No label of a metric grows with what people send."""

from __future__ import annotations

import random
import string
from collections import Counter
from typing import Any

import pytest
from prometheus_client import REGISTRY

from dragoman.entrypoints.reference import metric_list
from dragoman.kit.telemetry import BoundedWords

_ROUNDS = 150
_MOST_SERIES = 400  # of a label that is no route: words of this program
_HOSTILE = "hostile"
# Identity: who, which thing, what was said.
_FORBIDDEN = {
    "tenant",
    "tenant_id",
    "user",
    "user_id",
    "key",
    "key_id",
    "url",
    "query",
    "text",
    "session",
    "id",
    "email",
}


def test_no_label_is_named_after_an_identity_or_a_text() -> None:
    assert not [(name, labels) for name, _, labels, _ in metric_list() if _FORBIDDEN & set(labels)]


async def test_hostile_requests_make_no_series_of_their_own(service: Any, company: Any) -> None:
    random.seed(7)
    await company.know()
    session = await company.open_session()
    await company.ask("What discount do gold partners receive?", session_id=session)
    await _be_hostile(company, session, "warm")
    before = _series()
    for _ in range(_ROUNDS):
        await _be_hostile(company, session, _word())
    after = _series()
    grown = {name: count - before[name] for name, count in after.items() if count > before[name] + 20}
    assert grown == {}
    assert {name: count for name, count in after.items() if count > _MOST_SERIES and "http_request" not in name} == {}
    assert not [line for line in _label_values() if _HOSTILE in line.lower()]


async def _be_hostile(company: Any, session: str, word: str) -> None:
    api = company.api()
    await api.get(f"/{word}/{word}")
    await api.get(f"/api/chatbot/documents/{word}/")
    await api.request(word.upper()[:12], "/api/chatbots/")
    await api.post("/api/search", json={"query": word, "language": word[-8:]})
    await api.post(
        f"/api/chatbot/sessions/{session}/messages/",
        json={"message": f"What discount do {word} receive?", "language": word[-8:]},
    )
    await api.post("/v1/chat/completions", json={"model": word, "messages": [{"role": "user", "content": word}]})
    await api.post("/v1/embeddings", json={"model": word, "input": [word]})
    await api.get("/api/chatbots/", headers={"X-Request-ID": word, "traceparent": word, "User-Agent": word})
    await company.service.client(word).get("/api/chatbots/")


def _word() -> str:
    return _HOSTILE + "".join(random.choices(string.ascii_lowercase, k=random.randint(3, 12)))


def _series() -> Counter[str]:
    """How many series each metric has; the buckets of a histogram are one."""
    return Counter(
        family.name
        for family in REGISTRY.collect()
        if family.name.startswith("dragoman_")
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_sum", "_created"))
    )


def _label_values() -> list[str]:
    return [value for family in REGISTRY.collect() for sample in family.samples for value in sample.labels.values()]


@pytest.mark.parametrize("word", ["", "DE", "de1", "x" * 4, "a b", "de\n"])
def test_words_of_another_shape_are_other(word: str) -> None:
    assert BoundedWords("[a-z]{2,3}", most=5)(word) == "other"


def test_only_so_many_different_words_are_kept() -> None:
    bounded = BoundedWords("[a-z]{2,3}", most=2)
    assert [bounded(word) for word in ("de", "en", "fr", "de", "en")] == ["de", "en", "other", "de", "en"]

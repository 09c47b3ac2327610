"""Filters over HTTP: what they let through, in every mode, and that they never widen what an asker may see."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

MODES = ("hybrid", "dense", "keyword")
_DOCUMENTS = {
    "warranty": {
        "content": "# Aurora\n\n## Warranty\n\nThe lamp of the projector is covered for five years.\n",
        "category": "Policies",
        "tags": "public,lamp",
        "external_id": "sku-1",
    },
    "prices": {
        "content": "# Price list\n\n## Spare parts\n\nA lamp of the projector costs 40 euros.\n",
        "category": "Price lists",
        "content_type": "product",
        "tags": "internal",
    },
    "garantie": {
        "content": (
            "# Garantie\n\nDie Lampe des Projektors ist fünf Jahre lang durch unsere Garantie abgedeckt, "
            "und der Käufer bekommt ohne weitere Kosten eine neue Lampe von uns zugeschickt.\n"
        ),
        "category": "Policies",
        "tags": "public",
    },
}


@pytest.fixture
async def shelf(company: Any) -> Any:
    """Three documents about lamps; the price list is of the year 2020."""
    for name, given in _DOCUMENTS.items():
        form = {key: value for key, value in given.items() if key != "content"}
        await company.know(given["content"], f"{name}.md", **form)
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(
            text(
                "update document_versions v set created_at = :day from documents d "
                "where d.tenant_id = v.tenant_id and d.id = v.document_id and d.file_name = 'prices.md'"
            ),
            {"day": datetime(2020, 6, 15, tzinfo=UTC)},
        )
    return company


async def _names(company: Any, given: Any, **body: Any) -> set[str]:
    found = await company.search("lamp Lampe projector", filter=given, **body)
    return {result["file_name"].removesuffix(".md") for result in found["results"]}


_CASES: list[tuple[Any, set[str]]] = [
    ("language:de", {"garantie"}),
    ("-language:de", {"warranty", "prices"}),
    ("language:de,en", {"warranty", "prices", "garantie"}),
    ('category:"Price lists"', {"prices"}),
    ("category:Policies language:en", {"warranty"}),
    ("content_type:product,faq", {"prices"}),
    ("-content_type:product", {"warranty", "garantie"}),
    ("tag:public", {"warranty", "garantie"}),
    ("tags:lamp,internal", {"warranty", "prices"}),
    ("tag:public tag:lamp", {"warranty"}),
    ("-tag:internal", {"warranty", "garantie"}),
    ("document:sku-1", {"warranty"}),
    ("-document:sku-1", {"prices", "garantie"}),
    ("heading:warranty", {"warranty"}),
    ('heading:"spare PARTS"', {"prices"}),
    ("-heading:Warranty", {"prices", "garantie"}),
    ("date:2020", {"prices"}),
    ("date<2021", {"prices"}),
    ("date>=2021-01-01", {"warranty", "garantie"}),
    ("date:2020-06-15", {"prices"}),
    ("date>2020-06-15", {"warranty", "garantie"}),
    ({"category": "Policies", "not": {"language": "de"}}, {"warranty"}),
    ({"date": {"from": "2020-01-01", "to": "2020-12-31"}}, {"prices"}),
    ("category:Nothing", set()),
]


async def test_without_a_filter_all_are_found(shelf: Any) -> None:
    assert await _names(shelf, None) == set(_DOCUMENTS)


async def test_each_condition_lets_through_what_it_names_in_every_mode(shelf: Any) -> None:
    wrong = []
    for mode in MODES:
        for given, expected in _CASES:
            found = await _names(shelf, given, mode=mode)
            if found != expected:
                wrong.append((mode, given, found))
    assert not wrong


async def test_a_document_can_be_named_by_its_id(shelf: Any) -> None:
    [document] = (await shelf.api().get("/api/chatbot/documents/", params={"category": "Price lists"})).json()[
        "documents"
    ]
    assert await _names(shelf, f"document:{document['id']}") == {"prices"}


async def test_a_filter_narrows_hybrid_search_across_content_types(shelf: Any) -> None:
    path = f"/api/search/hybrid/{shelf.chatbot_id}"
    found = (await shelf.api().get(path, params={"q": "lamp", "filter": "tag:public"})).json()
    assert set(found["groups"]) == {"document"}


async def test_a_filter_never_shows_what_is_private_to_another(shelf: Any) -> None:
    await shelf.know(
        "# Diary\n\n## Monday\n\nMy lamp of the projector broke.\n", "diary.md", who="member", visibility="private"
    )
    for given in ("category:Policies", "-category:Policies", "heading:Monday", "date>=2020"):
        assert "diary" not in await _names(shelf, given)
    assert "diary" in await _names(shelf, "heading:Monday", who="member")


async def test_a_filter_by_a_document_of_another_tenant_finds_nothing_of_it(shelf: Any, other_company: Any) -> None:
    listed = (await shelf.api().get("/api/chatbot/documents/")).json()["documents"]
    ids = ",".join(document["id"] for document in listed)
    assert await _names(other_company, f"document:{ids}") == set()

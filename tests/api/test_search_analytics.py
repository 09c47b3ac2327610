"""What is kept of searches, what is counted of them, what becomes of their results, and what is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dragoman.kit.clock import new_id, now
from dragoman.search import analytics, repository
from dragoman.search.analytics_schemas import AnalyticsOut
from dragoman.search.entities import Period, SearchEntry
from dragoman.tenancy.access import tenant_of_system

ABSENT = "019a0000-0000-7000-8000-000000000000"


async def _report(company: Any, *, who: str = "owner", **params: Any) -> dict[str, Any]:
    await company.service.deps.search_log.flush()
    answer = await company.api(who).get(f"/api/search/analytics/{company.chatbot_id}", params=params)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def _keep(company: Any, query_log: str, **settings: Any) -> None:
    body = {"settings": {"query_log": query_log, **settings}}
    changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=body)
    assert changed.status_code == 200, changed.text


async def _rows(company: Any, table: str) -> list[Any]:
    await company.service.deps.search_log.flush()
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        return list((await connection.execute(text(f"select * from {table}"))).mappings().all())


async def _click(company: Any, search_id: str, *, who: str = "owner", **body: Any) -> Any:
    return await company.api(who).post(f"/api/search/{search_id}/click", json=body)


async def _rate(company: Any, search_id: str, rating: str, *, who: str = "owner", **body: Any) -> Any:
    return await company.api(who).post(f"/api/search/{search_id}/rating", json={"rating": rating, **body})


def _entry(company: Any, query: str, **values: Any) -> SearchEntry:
    given: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": company.tenant_id,
        "chatbot_id": company.chatbot_id,
        "asker": "user:ada",
        "origin": "search",
        "text": query,
        "query_log": "full",
        "language": "en",
        "mode": "hybrid",
        "first_rank": 1,
        "results": (),
        "total_results": 3,
        "top_score": 0.9,
        "is_follow_up": False,
        "is_cached": False,
        "degraded": (),
        "timings_ms": {"total": 10.0},
        "created_at": now(),
    }
    return SearchEntry(**{**given, **values})


async def _write(company: Any, entries: list[SearchEntry]) -> None:
    deps = company.service.deps
    await analytics.write_entries(deps.database, deps.keyring, deps.pii_detectors, entries)


# ---- counting


async def test_searches_are_counted_by_query_day_and_language(company: Any) -> None:
    await company.know()
    for query in ("Gold partners", "gold  PARTNERS", "Warranty of the lamp"):
        await company.search(query, language="en")
    await company.search("Garantie der Lampe", language="de")
    report = await _report(company)
    AnalyticsOut.model_validate(report)
    assert report["totals"]["searches"] == 4
    assert [(entry["language"], entry["searches"]) for entry in report["languages"]] == [("en", 3), ("de", 1)]
    assert [(entry["day"], entry["searches"]) for entry in report["days"]] == [(now().date().isoformat(), 4)]
    most = report["popular_queries"][0]
    assert most["query"] in ("Gold partners", "gold  PARTNERS")
    assert (most["searches"], most["last_asked"]) == (2, now().date().isoformat())
    german = await _report(company, language="de")
    assert german["totals"]["searches"] == 1
    assert [query["query"] for query in german["popular_queries"]] == ["Garantie der Lampe"]


async def test_latencies_come_by_stage_day_and_language(company: Any) -> None:
    await company.know()
    await company.search("discount", language="en")
    report = await _report(company)
    assert {"total", "load", "understand", "retrieve"} <= set(report["latency_ms"])
    for latencies in (report["latency_ms"]["total"], report["days"][0]["latency_ms"]):
        assert 0 < latencies["p50"] <= latencies["p95"] <= latencies["p99"]
    assert report["languages"][0]["latency_ms"] == report["days"][0]["latency_ms"]
    assert report["totals"]["slowest_ms"] > 0


async def test_searches_that_find_nothing_or_nothing_sure_are_failing_queries(company: Any) -> None:
    await _write(
        company,
        [
            _entry(company, "found"),
            _entry(company, "found"),
            _entry(company, "nothing", total_results=0, top_score=None),
            _entry(company, "unsure", top_score=0.2),
            _entry(company, "unsure", top_score=0.2),
        ],
    )
    report = await _report(company)
    assert (report["totals"]["zero_results"], report["totals"]["zero_result_rate"]) == (1, 0.2)
    assert (report["totals"]["low_confidence"], report["totals"]["low_confidence_rate"]) == (2, 0.4)
    assert [query["query"] for query in report["failing_queries"]] == ["unsure", "nothing"]


async def test_an_empty_chatbot_has_only_searches_without_results(company: Any) -> None:
    await company.search("anything")
    totals = (await _report(company))["totals"]
    assert (totals["searches"], totals["zero_result_rate"]) == (1, 1.0)


async def test_later_pages_are_not_searches_of_their_own(company: Any) -> None:
    await company.know()
    for offset in (0, 1, 2):
        await company.search("projector", max_results=1, offset=offset)
    report = await _report(company)
    assert report["totals"]["searches"] == 1
    assert report["popular_queries"][0]["searches"] == 1


async def test_degraded_and_cached_searches_are_counted(company: Any) -> None:
    await _write(company, [_entry(company, "a", degraded=("keyword_only",)), _entry(company, "a", is_cached=True)])
    totals = (await _report(company))["totals"]
    assert (totals["degraded"], totals["cache_hits"], totals["cache_hit_rate"]) == (1, 1, 0.5)


async def test_hybrid_and_batch_searches_count_too(company: Any) -> None:
    await company.api().get(f"/api/search/hybrid/{company.chatbot_id}", params={"q": "lamp"})
    await company.api().post("/api/search/batch", json={"queries": [{"query": "lamp"}, {"query": "lens"}]})
    assert (await _report(company))["totals"]["searches"] == 3
    assert sorted(row["origin"] for row in await _rows(company, "searches")) == ["batch", "batch", "hybrid"]


async def test_two_processes_that_count_at_once_lose_nothing(company: Any) -> None:
    for _ in range(5):
        await _write(company, [_entry(company, f"query {number}") for number in range(20)])
    report = await _report(company)
    assert report["totals"]["searches"] == 100
    assert {query["searches"] for query in report["popular_queries"]} == {5}


async def test_the_period_bounds_what_is_told(company: Any) -> None:
    old = now() - timedelta(days=10)
    await _write(company, [_entry(company, "old", created_at=old), _entry(company, "new")])
    assert (await _report(company))["totals"]["searches"] == 2
    day = old.date().isoformat()
    report = await _report(company, **{"from": day, "to": day})
    assert [query["query"] for query in report["popular_queries"]] == ["old"]
    assert (report["first_day"], report["last_day"]) == (day, day)


@pytest.mark.parametrize(("first", "last"), [("2026-02-01", "2026-01-01"), ("2020-01-01", "2026-01-01")])
async def test_a_period_that_is_none_is_refused(company: Any, first: str, last: str) -> None:
    params = {"from": first, "to": last}
    refused = await company.api().get(f"/api/search/analytics/{company.chatbot_id}", params=params)
    assert (refused.status_code, refused.json()["code"]) == (422, "search.invalid_period")


@pytest.mark.parametrize("last", ["0001-01-01", "9999-12-31"])
async def test_the_first_and_the_last_day_of_all_are_days_too(company: Any, last: str) -> None:
    assert (await _report(company, to=last))["totals"]["searches"] == 0


# ---- what is kept


async def test_the_full_log_keeps_the_text_and_no_name_of_the_asker(company: Any) -> None:
    await company.search("A question of Ada")
    [line] = await _rows(company, "searches")
    assert (line["text"], line["characters"], line["words"]) == ("A question of Ada", 17, 4)
    assert "key:" not in str(dict(line))


async def test_the_masked_log_keeps_the_text_without_personal_data(company: Any) -> None:
    await _keep(company, "masked")
    await company.search("Where is the order of ada@example.com?", language="en")
    [line] = await _rows(company, "searches")
    assert line["text"] == "Where is the order of [EMAIL_ADDRESS_1]?"
    [query] = (await _report(company))["popular_queries"]
    assert "ada@example.com" not in query["query"]


async def test_the_anonymised_log_keeps_no_text_anywhere(company: Any) -> None:
    await _keep(company, "anonymised")
    for query in ("secret question", "Secret  Question", "another"):
        await company.search(query, language="en")
    for table in ("searches", "search_queries", "search_days"):
        rows = await _rows(company, table)
        assert rows
        assert "secret" not in str(rows).lower()
    report = await _report(company)
    assert [(query["query"], query["searches"]) for query in report["popular_queries"]] == [(None, 2), (None, 1)]
    assert report["query_log"] == "anonymised"


async def test_hashes_of_the_same_query_differ_between_tenants(company: Any, other_company: Any) -> None:
    hashes = []
    for each in (company, other_company):
        await _keep(each, "anonymised")
        await each.search("secret question")
        hashes.append((await _rows(each, "searches"))[0]["query"])
    assert hashes[0] != hashes[1]


async def test_without_a_log_searches_are_counted_and_nothing_else_is_kept(company: Any) -> None:
    await company.know()
    await _keep(company, "off")
    found = await company.search("secret question")
    assert found["search_id"] is None
    assert await _rows(company, "searches") == []
    assert await _rows(company, "search_queries") == []
    report = await _report(company)
    assert (report["totals"]["searches"], report["popular_queries"]) == (1, [])


async def test_a_setting_that_is_none_is_refused(company: Any) -> None:
    body = {"settings": {"query_log": "some"}}
    refused = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=body)
    assert refused.status_code == 422


async def test_a_deleted_document_leaves_no_text_in_analytics(company: Any) -> None:
    document = await company.know("# Xylophone\n\nThe marimba has wooden bars.\n", "xylophone.md")
    found = await company.search("music", explain=True)
    assert (await _click(company, found["search_id"], rank=1)).status_code == 204
    assert [opened["title"] for opened in (await _report(company))["opened_documents"]] == [document["title"]]
    deleted = await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    assert deleted.status_code == 204
    report = await _report(company)
    assert report["opened_documents"] == []
    for table in ("searches", "search_reactions", "search_queries", "search_days"):
        stored = str(await _rows(company, table)).lower()
        assert "marimba" not in stored
        assert "xylophone" not in stored


async def test_a_deleted_chatbot_takes_its_log_along(company: Any) -> None:
    made = (await company.api().post("/api/chatbots/", json={"name": "Short-lived"})).json()
    await company.search("first", chatbot_id=made["id"])
    await company.service.deps.search_log.flush()
    await company.search("still in the buffer", chatbot_id=made["id"])
    assert (await company.api().delete(f"/api/chatbots/{made['id']}/")).status_code == 204
    await company.search("of the other chatbot")
    assert [row["text"] for row in await _rows(company, "searches")] == ["of the other chatbot"]
    assert {row["chatbot_id"] for row in await _rows(company, "search_days")} == {company.chatbot_id}


# ---- what becomes of results


async def test_clicks_are_joined_with_their_search(company: Any) -> None:
    await company.know()
    await company.know("# Lens\n\nThe lens is for gold partners.\n", "lens.md")
    first = await company.search("Gold partners", language="en")
    await company.search("warranty", language="en")
    chunk_id = first["results"][1]["chunk_id"]
    for body in ({"rank": 2}, {"chunk_id": chunk_id}, {"rank": 1}):
        clicked = await _click(company, first["search_id"], **body)
        assert clicked.status_code == 204, clicked.text
    report = await _report(company)
    totals = report["totals"]
    assert (totals["clicks"], totals["clicked_searches"], totals["click_through_rate"]) == (3, 1, 0.5)
    assert totals["mean_reciprocal_rank"] == 0.5
    assert {query["query"]: query["clicked_searches"] for query in report["popular_queries"]} == {
        "Gold partners": 1,
        "warranty": 0,
    }
    assert report["languages"][0]["clicks"] == 3
    assert [opened["clicks"] for opened in report["opened_documents"]] == [2, 1]
    reactions = await _rows(company, "search_reactions")
    assert sorted((row["rank"], row["clicks"]) for row in reactions) == [(1, 1), (2, 2)]


async def test_ratings_are_joined_with_their_search_and_can_be_changed(company: Any) -> None:
    await company.know()
    found = await company.search("Gold partners")
    for rating in ("down", "up", "up"):
        assert (await _rate(company, found["search_id"], rating)).status_code == 204
    assert (await _rate(company, found["search_id"], "down", rank=1)).status_code == 204
    report = await _report(company)
    assert (report["totals"]["ratings_up"], report["totals"]["ratings_down"]) == (1, 1)
    assert report["totals"]["satisfaction"] == 0.5
    assert report["popular_queries"][0]["ratings_up"] == 1


async def test_a_click_right_after_the_search_is_taken(company: Any) -> None:
    await company.know()
    found = await company.search("Gold partners")
    assert (await _click(company, found["search_id"], rank=1)).status_code == 204


@pytest.mark.parametrize("body", [{"rank": 99}, {"chunk_id": ABSENT}])
async def test_a_result_that_was_not_shown_cannot_be_clicked(company: Any, body: dict[str, Any]) -> None:
    await company.know()
    found = await company.search("Gold partners")
    refused = await _click(company, found["search_id"], **body)
    assert (refused.status_code, refused.json()["code"]) == (404, "search.result_not_found")


async def test_the_ranks_of_a_later_page_are_its_own(company: Any) -> None:
    await company.know()
    await company.know("# Lens\n\nThe lens of the projector is round.\n", "lens.md")
    page = await company.search("projector", max_results=1, offset=1)
    assert page["results"][0]["rank"] == 2
    assert (await _click(company, page["search_id"], rank=1)).status_code == 404
    assert (await _click(company, page["search_id"], rank=2)).status_code == 204


async def test_nobody_reacts_to_the_search_of_another(company: Any, other_company: Any) -> None:
    await company.know()
    found = await company.search("Gold partners", who="member")
    await company.service.deps.search_log.flush()
    for stranger, who in ((company, "second_member"), (company, "owner"), (other_company, "owner")):
        refused = await _click(stranger, found["search_id"], who=who, rank=1)
        assert (refused.status_code, refused.json()["code"]) == (404, "search.search_not_found")
        assert (await _rate(stranger, found["search_id"], "up", who=who)).status_code == 404
    assert (await _click(company, found["search_id"], who="member", rank=1)).status_code == 204


@pytest.mark.parametrize("search_id", [ABSENT, str(uuid4())], ids=["absent", "any"])
async def test_a_search_that_nobody_made_is_404(company: Any, search_id: str) -> None:
    assert (await _click(company, search_id, rank=1)).status_code == 404


async def test_a_click_without_a_result_and_a_rating_without_a_word_are_refused(company: Any) -> None:
    assert (await _click(company, ABSENT)).status_code == 422
    assert (await _rate(company, ABSENT, "fine")).status_code == 422


# ---- who may read, and of whom


async def test_analytics_show_nothing_of_other_chatbots_and_tenants(company: Any, other_company: Any) -> None:
    made = (await company.api().post("/api/chatbots/", json={"name": "Another"})).json()
    await company.search("of another chatbot", chatbot_id=made["id"])
    await other_company.search("of another tenant")
    report = await _report(company)
    assert (report["totals"]["searches"], report["popular_queries"]) == (0, [])
    stranger = await other_company.api().get(f"/api/search/analytics/{company.chatbot_id}")
    assert stranger.status_code == 404


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("admin", 200), ("editor", 200), ("agent", 403), ("member", 403)]
)
async def test_analytics_are_for_those_who_manage_documents(company: Any, who: str, status: int) -> None:
    answer = await company.api(who).get(f"/api/search/analytics/{company.chatbot_id}")
    assert answer.status_code == status


async def test_titles_of_private_documents_are_not_told_to_managers(company: Any) -> None:
    await company.know("# Diary\n\nToday the projector broke.\n", "diary.md", who="member", visibility="private")
    found = await company.search("projector", who="member")
    assert (await _click(company, found["search_id"], who="member", rank=1)).status_code == 204
    report = await _report(company)
    assert (report["totals"]["clicks"], report["opened_documents"]) == (1, [])


# ---- forgetting


async def test_what_is_too_old_goes_and_its_counts_stay(company: Any) -> None:
    await _keep(company, "full", query_log_days=30)
    await _write(company, [_entry(company, "old", created_at=now() - timedelta(days=31)), _entry(company, "young")])
    await analytics.purge(company.service.deps.database)
    assert [row["text"] for row in await _rows(company, "searches")] == ["young"]
    assert [row["text"] for row in await _rows(company, "search_queries")] == ["young"]
    report = await _report(company, **{"from": (now() - timedelta(days=60)).date().isoformat()})
    assert report["totals"]["searches"] == 2


@pytest.mark.parametrize(("query_log", "lines"), [("anonymised", [None]), ("off", [])])
async def test_a_stricter_setting_reaches_what_was_kept_before(
    company: Any, query_log: str, lines: list[str | None]
) -> None:
    await company.search("an earlier question")
    await company.service.deps.search_log.flush()
    await _keep(company, query_log)
    await analytics.purge(company.service.deps.database)
    assert [row["text"] for row in await _rows(company, "searches")] == lines
    assert [row["text"] for row in await _rows(company, "search_queries")] == lines


async def test_of_past_days_only_the_most_frequent_and_the_most_failing_queries_stay(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "KEPT_QUERIES", 2)
    yesterday = now() - timedelta(days=1)
    entries = [_entry(company, f"rare {number}", created_at=yesterday) for number in range(4)]
    entries += [_entry(company, name, created_at=yesterday) for name in ("often", "often", "also often", "also often")]
    entries += [_entry(company, name, created_at=yesterday, total_results=0) for name in ("failed", "failed too")]
    entries += [_entry(company, f"today {number}") for number in range(6)]
    await _write(company, entries)
    await analytics.purge(company.service.deps.database)
    kept = {row["text"] for row in await _rows(company, "search_queries")}
    assert kept == {"often", "also often", "failed", "failed too"} | {f"today {number}" for number in range(6)}
    assert len(await _rows(company, "searches")) == len(entries)
    assert await analytics.purge(company.service.deps.database) == 0


# ---- a year


async def test_a_year_of_a_busy_chatbot_is_read_in_one_go(company: Any) -> None:
    """365 days in ten languages, with as many queries a day as are kept. Time is left to the benchmark."""
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text(_FILL_DAYS), {"t": company.tenant_id, "b": company.chatbot_id})
        await connection.execute(text(_FILL_QUERIES), {"t": company.tenant_id, "b": company.chatbot_id})
    today = now().date()
    period = Period(first=today - timedelta(days=364), last=today)
    caller = tenant_of_system(company.tenant_id)
    report = await analytics.read_report(company.service.deps, caller, UUID(str(company.chatbot_id)), period, limit=20)
    assert report.total.searches == 365 * 1000
    assert len(report.days) == 365
    assert len(report.languages) == 10
    assert len(report.popular) == 20


_FILL_DAYS = """
insert into search_days (tenant_id, chatbot_id, day, language, searches, latencies)
select :t, :b, current_date - d, case when l = 0 then '' else 'l' || l end, case when l = 0 then 1000 else 100 end,
    array(select case when i % 64 between 20 and 50 then i else 0 end from generate_series(1, 512) i)
from generate_series(0, 364) d, generate_series(0, 10) l
"""
_FILL_QUERIES = """
insert into search_queries (tenant_id, chatbot_id, day, query, text, language, searches)
select :t, :b, current_date - d, decode(md5(q::text), 'hex'), 'query number ' || q, 'en', 1 + (q + d) % 7
from generate_series(0, 364) d, generate_series(1, 40) q
"""

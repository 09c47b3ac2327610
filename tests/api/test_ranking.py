"""From a question to its page: near duplicates, neighbours, re-ranking, other wordings, and what became of each candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from dragoman.embeddings import service as embeddings
from dragoman.inference.service import CallContext
from dragoman.ports.reranker import RerankCandidate, RerankerUnavailableError
from dragoman.ports.search_scope import SearchScope
from dragoman.retrieval.entities import Found, Query, Ranking
from dragoman.retrieval.neighbours import merged_span, merged_text
from dragoman.retrieval.service import find_passages
from dragoman.tenancy import repository as tenancy

PARTS = ["lamp", "lens", "stand", "cable", "remote", "screen", "battery", "mount"]
LONG = "# Lamps\n\n" + "\n\n".join(
    f"Lamp number {number} of the projector is replaced by a technician who first lets it cool down for {number} minutes, "
    f"then opens the cover with a key of size {number}, and closes it again when the new lamp sits firmly in its place."
    for number in range(12)
)


async def find(company: Any, text: str, **fields: Any) -> Found:
    deps = company.service.deps
    async with deps.database.transaction(company.tenant_id) as connection:
        version = await embeddings.get_version(connection, deps.embedding_version_id)
        chatbot = await tenancy.find_chatbot(connection, tenant_id=company.tenant_id, chatbot_id=company.chatbot_id)
    assert chatbot is not None
    revision = chatbot.knowledge_revision
    scope = SearchScope(tenant_id=company.tenant_id, chatbot_id=company.chatbot_id)
    fixed = {"language": "en", "scope": scope, "embedding_version": version, "knowledge_revision": revision}
    query = Query(**{"text": text, **fixed, **fields})
    context = CallContext(tenant_id=company.tenant_id, chatbot_id=company.chatbot_id, purpose="search")
    return await find_passages(deps, query, context)


@pytest.fixture
async def parts(company: Any) -> Any:
    for name in PARTS:
        await company.know(f"# {name.title()}\n\nThe {name} of the projector is replaced every year.\n", f"{name}.md")
    return company


def texts(found: Found) -> list[str]:
    return [passage.found.chunk.text for passage in found.passages]


# ---- what became of each candidate


async def test_every_candidate_says_what_each_arm_and_step_made_of_it(parts: Any) -> None:
    found = await find(parts, "When is the lamp replaced?", limit=3, ranking=Ranking(reranker="sentences"))
    best = found.passages[0]
    assert "lamp" in best.found.chunk.text
    assert (best.signals["dense_rank"], best.signals["keyword_rank"]) == (1, 1)
    assert best.signals["fused"] is not None
    assert best.signals["reranked"] == best.similarity_score
    assert [candidate.chunk_id for candidate in found.candidates[:3]] == [each.chunk_id for each in found.passages]
    assert len(found.candidates) == found.considered == len(PARTS)
    assert {"embed", "arms", "load", "rerank", "page"} == set(found.timings_ms)
    assert found.degraded == ()


async def test_what_lies_below_the_threshold_is_considered_and_removed(parts: Any) -> None:
    found = await find(parts, "When is the lamp replaced?")
    middle = found.passages[3].similarity_score
    above = await find(parts, "When is the lamp replaced?", threshold=middle)
    removed = [candidate for candidate in above.candidates if candidate.removed == "threshold"]
    assert all(passage.similarity_score >= middle for passage in above.passages)
    assert len(removed) == len(above.candidates) - above.considered > 0


async def test_pages_fit_together(parts: Any) -> None:
    whole = await find(parts, "What is replaced every year?", limit=8)
    pages = [await find(parts, "What is replaced every year?", limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    joined = [passage for page in pages for passage in page.passages]
    assert [passage.chunk_id for passage in joined] == [passage.chunk_id for passage in whole.passages]
    assert [passage.rank for passage in joined] == list(range(1, 9))
    assert pages[3].passages == []


# ---- near duplicates


async def test_what_says_the_same_is_shown_once_and_the_others_are_named(company: Any, handbook: str) -> None:
    await company.know(handbook, "handbook.md")
    await company.know(handbook.replace("every", "*every*"), "edition.md")
    (shown,) = (await find(company, "How long is the warranty of the projector?")).passages
    (twin,) = shown.duplicates
    assert {shown.found.chunk.text, twin.chunk.text} == {handbook.strip(), handbook.replace("every", "*every*").strip()}
    found = await find(company, "How long is the warranty of the projector?")
    (gone,) = [candidate for candidate in found.candidates if candidate.removed]
    assert (gone.removed, gone.because_of, found.considered) == ("near_duplicate", shown.chunk_id, 1)
    both = await find(company, "How long is the warranty of the projector?", ranking=Ranking(near_duplicates=True))
    assert len(both.passages) == 2


async def test_a_page_is_filled_up_behind_the_duplicates(company: Any) -> None:
    for number in range(6):
        await company.know(
            "# Lamps\n\nThe lamp of the projector is replaced every year.\n" + "\n" * number, f"copy{number}.md"
        )
    await company.know("# Lenses\n\nThe lens of the projector is cleaned every week.\n", "lens.md")
    found = await find(company, "lamp of the projector", limit=2)
    assert len(found.passages) == 2
    assert len(found.passages[0].duplicates) == 5


# ---- neighbours


async def test_found_neighbours_become_one_passage_of_verifiable_chunks(company: Any) -> None:
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}", json={"settings": {"chunk_tokens": 64}})
    document = await company.know(LONG, "lamps.md")
    apart = await find(company, "How is the lamp of the projector replaced?", limit=4)
    merged = await find(
        company, "How is the lamp of the projector replaced?", limit=4, ranking=Ranking(neighbours="merge")
    )
    assert document["total_chunks"] > 4
    grown = [passage for passage in merged.passages if passage.neighbours]
    assert grown
    together = {part.chunk_id for passage in merged.passages for part in passage.apart}
    assert {passage.chunk_id for passage in apart.passages} <= together
    for passage in grown:
        start, end = merged_span(passage)
        assert len(merged_text(passage)) == end - start
        assert all(part.found.chunk.text in merged_text(passage) for part in passage.apart)
    merges = {candidate.chunk_id for candidate in merged.candidates if candidate.removed == "merged"}
    assert merges == {other.chunk_id for passage in merged.passages for other in passage.neighbours}


# ---- re-ranking


class Upside:
    """Turns the order upside down."""

    depth, model = 5, None
    asked: ClassVar[list[str]] = []

    async def rerank(self, question: str, language: str, candidates: Sequence[RerankCandidate]) -> list[float]:
        self.asked.append(question)
        return [place / 10 for place in range(len(candidates))]

    async def close(self) -> None: ...


class Broken(Upside):
    async def rerank(self, question: str, language: str, candidates: Sequence[RerankCandidate]) -> list[float]:
        raise RerankerUnavailableError


@pytest.fixture
def with_rerankers(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rerankers = service.deps.rerankers
    factories = {**rerankers._roster._factories, "upside": Upside, "broken": Broken}
    monkeypatch.setattr(rerankers._roster, "_factories", factories)


async def test_a_re_ranker_orders_as_many_as_it_wants_and_the_rest_stays_behind(
    parts: Any, with_rerankers: None
) -> None:
    before = await find(parts, "When is the lamp replaced?", limit=8)
    after = await find(parts, "When is the lamp replaced?", limit=8, ranking=Ranking(reranker="upside"))
    old, new = ([passage.chunk_id for passage in found.passages] for found in (before, after))
    assert new == [*reversed(old[:5]), *old[5:]]
    scores = [passage.similarity_score for passage in after.passages]
    assert scores == sorted(scores, reverse=True)
    two = await find(parts, "When is the lamp replaced?", ranking=Ranking(reranker="upside", rerank_depth=2))
    assert [passage.chunk_id for passage in two.passages][:3] == [old[1], old[0], old[2]]


async def test_a_re_ranker_reads_the_question_as_its_conversation_completes_it(
    parts: Any, with_rerankers: None
) -> None:
    settings = {"settings": {"reranker": "upside"}}
    async with parts.service.deps.database.transaction(parts.tenant_id) as connection:
        await tenancy.update_chatbot(
            connection, tenant_id=parts.tenant_id, chatbot_id=parts.chatbot_id, values=settings
        )
    Upside.asked.clear()
    await parts.search('+replaced "every year"')
    await parts.search(
        "And how often?",
        history=[
            {"role": "user", "content": "Is the lamp of the projector replaced?"},
            {"role": "assistant", "content": "The lamp of the projector is replaced every year."},
        ],
    )
    plain, completed = Upside.asked
    assert plain == "replaced every year"
    assert "lamp" in completed
    assert "how often" in completed


@pytest.mark.parametrize("reranker", ["broken", "nosuch", "cross_encoder", "llm"])
async def test_a_re_ranker_that_fails_leaves_the_order_and_is_named(
    parts: Any, with_rerankers: None, reranker: str
) -> None:
    before = await find(parts, "When is the lamp replaced?")
    after = await find(parts, "When is the lamp replaced?", ranking=Ranking(reranker=reranker))
    assert [passage.chunk_id for passage in after.passages] == [passage.chunk_id for passage in before.passages]
    assert [passage.similarity_score for passage in after.passages] == [
        passage.similarity_score for passage in before.passages
    ]
    assert after.degraded == ("reranker_skipped",)


async def test_the_re_ranker_works_without_vectors_too(parts: Any) -> None:
    found = await find(parts, "lamp replaced", mode="keyword", ranking=Ranking(reranker="sentences"))
    assert "lamp" in texts(found)[0]
    assert found.question_vector is None


# ---- other wordings, variety


async def test_other_wordings_move_the_question_towards_theirs(parts: Any) -> None:
    alone = await find(parts, "illuminant", limit=1)
    helped = await find(parts, "illuminant", limit=1, also_ask={"When is the lamp replaced?": 0.4, "lamp": 0.2})
    assert "lamp" in texts(helped)[0]
    assert helped.passages[0].similarity_score >= alone.passages[0].similarity_score
    assert helped.terms == alone.terms


async def test_the_same_wording_twice_changes_nothing(parts: Any) -> None:
    once = await find(parts, "When is the lamp replaced?")
    twice = await find(parts, "When is the lamp replaced?", also_ask={"When is the lamp replaced?": 0.5})
    assert [passage.score for passage in twice.passages] == pytest.approx([passage.score for passage in once.passages])


async def test_diversity_brings_other_documents_forward(company: Any) -> None:
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}", json={"settings": {"chunk_tokens": 64}})
    await company.know(LONG, "lamps.md")
    await company.know("# Lenses\n\nThe lens of the projector is replaced by a technician.\n", "lens.md")
    plain = await find(company, "How is the lamp replaced by a technician?", limit=3)
    varied = await find(company, "How is the lamp replaced by a technician?", limit=3, ranking=Ranking(diversity=0.9))

    def documents(found: Found) -> int:
        return len({passage.found.chunk.document_id for passage in found.passages})

    assert documents(varied) >= documents(plain)
    assert documents(varied) == 2
    assert varied.passages[0].chunk_id == plain.passages[0].chunk_id

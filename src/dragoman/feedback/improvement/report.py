"""The improvement report: what is asked and badly answered, which documents mislead, and which knowledge is missing.

    list_asked   questions of the period: those rated down, those not answered, then the latest, 2,000 at most
    embed        equal questions once; by the chatbot's embedder, in batches
    clusters_of  questions about the same thing, in any language
    topic        of each group: counts, the most central questions as examples, documents cited, what to do

A report holds ids and figures. Text of questions and titles are read when it is shown (`shown`), so that a deleted
conversation or document leaves no text in it, and a chatbot that keeps no text of questions shows none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np

from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.feedback.entities import AskedTurn, ImprovementReport
from dragoman.feedback.improvement import repository
from dragoman.feedback.improvement.clusters import BACKGROUND, clusters_of
from dragoman.feedback.improvement.misleading import find_misleading
from dragoman.inference.question_cache import normalised
from dragoman.inference.service import CallContext
from dragoman.jobs.entities import Progress
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import tenant_of_system
from dragoman.tenancy.entities import Chatbot

MOST_QUESTIONS: Final = 2000
_EMBEDDED_AT_ONCE: Final = 64
_MOST_TOPICS: Final = 40
_MOST_EXAMPLES: Final = 5
_MOST_DOCUMENTS: Final = 5
_MOST_PAGES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedDocument:
    """A document in the answers to a topic. `pages`: those cited in answers that were rated down, the most cited first."""

    document_id: str
    cited: int
    down: int
    pages: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Questions about the same thing.

    Attributes:
        questions: ids of messages, the most central first; the first is the topic's name.
        kind: `missing`: mostly not answered; `bad`: some answers were rated down; `fine`: neither.
    """

    kind: str
    questions: list[str]
    asked: int
    unanswered: int
    up: int
    down: int
    languages: dict[str, int]
    reasons: dict[str, int]
    documents: list[CitedDocument]


async def write_content(deps: Deps, report: ImprovementReport, progress: Progress) -> dict[str, Any]:
    """The content of a report.

    Raises:
        ChatbotNotFoundError: it was deleted. EmbedderUnavailableError and its kinds, DatabaseUnavailableError.
    """
    place: dict[str, Any] = {
        "tenant_id": report.tenant_id,
        "chatbot_id": report.chatbot_id,
        "first": report.first_day,
        "last": report.last_day,
    }
    await progress("reading", 0.0)
    async with deps.database.transaction(report.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, tenant_of_system(report.tenant_id), report.chatbot_id)
        asked, unanswered = await repository.count_asked(connection, **place)
        turns = await repository.list_asked(connection, **place, limit=MOST_QUESTIONS)
        cited = {UUID(citation["chunk_id"]) for turn in turns if turn.down for citation in turn.citations}
        pages = await repository.read_pages(
            connection, tenant_id=report.tenant_id, chatbot_id=report.chatbot_id, chunk_ids=list(cited)
        )
    groups = _same_questions(turns)
    vectors = await _embed(deps, chatbot, [*BACKGROUND, *(group[0].text for group in groups)], progress)
    await progress("grouping", 0.9)
    background = len(BACKGROUND)
    found = clusters_of(vectors[background:], [len(group) for group in groups], vectors[:background])
    topics = sorted((_topic([groups[place] for place in cluster], pages) for cluster in found), key=_trouble)
    return {
        "asked": asked,
        "unanswered": unanswered,
        "looked_at": len(turns),
        "up": sum(turn.up for turn in turns),
        "down": sum(turn.down for turn in turns),
        "topics_found": len(topics),
        "topics": [asdict(topic) for topic in topics[:_MOST_TOPICS]],
        "misleading": _misleading(turns, pages),
    }


def _same_questions(turns: Sequence[AskedTurn]) -> list[list[AskedTurn]]:
    """Turns whose questions differ in case and spaces at most."""
    groups: dict[str, list[AskedTurn]] = defaultdict(list)
    for turn in turns:
        groups[normalised(turn.text).casefold()].append(turn)
    return list(groups.values())


async def _embed(
    deps: Deps, chatbot: Chatbot, texts: Sequence[str], progress: Progress
) -> np.ndarray[Any, np.dtype[np.float32]]:
    async with deps.database.reading(chatbot.tenant_id) as connection:
        version = await embeddings.get_version(connection, chatbot.active_embedding_version)
    context = CallContext(tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, purpose="improvement_report")
    parts = []
    for start in range(0, len(texts), _EMBEDDED_AT_ONCE):
        batch = texts[start : start + _EMBEDDED_AT_ONCE]
        parts.append(await deps.inference.embed_passages(context, version.name, batch))
        await progress("embedding", 0.9 * (start + len(batch)) / len(texts))
    return np.concatenate(parts)


def _topic(groups: Sequence[Sequence[AskedTurn]], pages: Mapping[UUID, int]) -> Topic:
    """`groups`: equal questions together, the most central first."""
    turns = [turn for group in groups for turn in group]
    unanswered = sum(not turn.answered for turn in turns)
    down = sum(turn.down for turn in turns)
    return Topic(
        kind="missing" if unanswered * 2 >= len(turns) else "bad" if down else "fine",
        questions=[str(group[0].question_id) for group in groups[:_MOST_EXAMPLES]],
        asked=len(turns),
        unanswered=unanswered,
        up=sum(turn.up for turn in turns),
        down=down,
        languages=dict(Counter(turn.language for turn in turns).most_common()),
        reasons=dict(Counter(reason for turn in turns for reason in turn.reasons).most_common()),
        documents=_cited(turns, pages),
    )


def _cited(turns: Iterable[AskedTurn], pages: Mapping[UUID, int]) -> list[CitedDocument]:
    """The documents of the answers, those in answers rated down first."""
    cited: Counter[str] = Counter()
    down: Counter[str] = Counter()
    bad_pages: dict[str, Counter[int]] = defaultdict(Counter)
    for turn in turns:
        named = {citation["document_id"] for citation in turn.citations}
        cited.update(named)
        if turn.down:
            down.update(named)
            _count_pages(bad_pages, turn, pages)
    ordered = sorted(cited, key=lambda document: (-down[document], -cited[document], document))
    return [
        CitedDocument(
            document_id=document,
            cited=cited[document],
            down=down[document],
            pages=[page for page, _ in bad_pages[document].most_common(_MOST_PAGES)],
        )
        for document in ordered[:_MOST_DOCUMENTS]
    ]


def _count_pages(counted: dict[str, Counter[int]], turn: AskedTurn, pages: Mapping[UUID, int]) -> None:
    for citation in turn.citations:
        page = pages.get(UUID(citation["chunk_id"]))
        if page is not None:
            counted[citation["document_id"]][page] += 1


def _trouble(topic: Topic) -> tuple[int, int]:
    """What is rated down or not answered most comes first, then what is asked most."""
    return -(topic.unanswered + topic.down), -topic.asked


def _misleading(turns: Sequence[AskedTurn], pages: Mapping[UUID, int]) -> list[dict[str, Any]]:
    rated = [turn for turn in turns if turn.up or turn.down]
    counts: dict[str, tuple[int, int]] = {}
    for turn in rated:
        for document in {citation["document_id"] for citation in turn.citations}:
            known = counts.get(document, (0, 0))
            counts[document] = known[0] + 1, known[1] + bool(turn.down)
    bad_pages: dict[str, Counter[int]] = defaultdict(Counter)
    for turn in rated:
        if turn.down:
            _count_pages(bad_pages, turn, pages)
    found = find_misleading(counts, total=len(rated), down=sum(bool(turn.down) for turn in rated))
    return [
        {
            "document_id": each.key,
            "rated": each.rated,
            "down": each.down,
            "expected": round(each.expected, 1),
            "chance": float(f"{each.chance:.2g}"),
            "pages": [page for page, _ in bad_pages[each.key].most_common(_MOST_PAGES)],
        }
        for each in found
    ]

"""How well questions are grouped by topic, and how long a year of feedback takes to be summed up.

Topics: questions that people labelled by intent (banking77, clinc150, xsid in seven languages) and the same questions in six
languages (xquad-a), grouped as an improvement report does. Purity is the share of questions in a group whose most
frequent topic is theirs; NMI is the mutual information of groups and topics over the mean of their entropies.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg

from benchmarks import cached_embedder
from benchmarks.figures import Show
from benchmarks.instance import running
from dragoman.feedback.improvement.clusters import BACKGROUND, clusters_of
from dragoman.kit.clock import now

Labelled = Sequence[tuple[str, str]]
_MOST: Final = 1000
_FIRST: Final = (10, 30)


# ---- topics


def topics(data: Path, show: Show) -> None:
    """Purity and NMI of each set of questions. `data`: where `intents` and `xquad-a` lie."""
    sets: dict[str, Labelled] = {
        "banking77, 77 intents, en": _sample(_intents(data / "intents/banking77/test.jsonl"), _MOST),
        "clinc150, 150 intents, en": _sample(_intents(data / "intents/clinc150/test.jsonl"), _MOST),
        "xsid, 7 languages, 15 intents": _xsid(data / "intents/xsid"),
        "xquad-a, 100 questions in 6 languages each": _xquad(data / "xquad-a"),
    }
    for name, labelled in sets.items():
        vectors = asyncio.run(_embed([*BACKGROUND, *(text for text, _ in labelled)]))
        background, own = vectors[: len(BACKGROUND)], vectors[len(BACKGROUND) :]
        labels = [label for _, label in labelled]
        begun = time.process_time()
        groups = clusters_of(own, [1] * len(labels), background)
        seconds = time.process_time() - begun
        show(f"topics, {name}", f"{_figures(groups, labels)}; {seconds:.2f} s CPU for {len(labels)} questions")
        for first in _FIRST:
            groups = clusters_of(own[:first], [1] * first, background)
            show(f"topics, {name}, first {first}", _figures(groups, labels[:first]))


def _figures(groups: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    several = [group for group in groups if len(group) > 1]
    grouped = sum(map(len, several)) / len(labels)
    pure, nmi = purity(groups, labels), normalised_mutual_information(groups, labels)
    return f"purity {pure:.3f}, NMI {nmi:.3f}, {len(several)} groups of several hold {grouped:.0%}"


def purity(groups: Sequence[Sequence[int]], labels: Sequence[str]) -> float:
    """The share of questions that have the most frequent label of their group."""
    return sum(max(Counter(labels[place] for place in group).values()) for group in groups) / len(labels)


def normalised_mutual_information(groups: Sequence[Sequence[int]], labels: Sequence[str]) -> float:
    """Of groups and labels, over the mean of their entropies (Strehl and Ghosh, Cluster ensembles, 2002); 0 to 1."""
    total = len(labels)
    sizes = Counter(labels)
    mutual = sum(
        count / total * math.log(count * total / (len(group) * sizes[label]))
        for group in groups
        for label, count in Counter(labels[place] for place in group).items()
    )
    entropies = _entropy([len(group) for group in groups]) + _entropy(list(sizes.values()))
    return 2 * mutual / entropies if entropies else 1.0


def _entropy(sizes: Sequence[int]) -> float:
    total = sum(sizes)
    return -sum(size / total * math.log(size / total) for size in sizes)


def _xsid(folder: Path) -> Labelled:
    parts = [
        _sample(_intents(folder / f"{language}.test.jsonl"), 80)
        for language in ["de", "en", "it", "ja", "nl", "tr", "zh"]
    ]
    return _sample([pair for part in parts for pair in part], _MOST)


def _xquad(folder: Path) -> Labelled:
    questions = {
        language: {row["_id"]: row["text"] for row in _rows(folder / language / "queries.jsonl")}
        for language in ["en", "de", "es", "ru", "zh", "ar"]
    }
    chosen = random.Random(1).sample(sorted(questions["en"]), 100)
    return _sample([(texts[place], place) for texts in questions.values() for place in chosen], _MOST)


def _intents(path: Path) -> Labelled:
    return [(row["text"], row["intent"]) for row in _rows(path)]


def _sample(labelled: Labelled, most: int) -> Labelled:
    mixed = list(labelled)
    random.Random(1).shuffle(mixed)
    return mixed[:most]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


async def _embed(texts: Sequence[str]) -> Any:
    embedder = cached_embedder.Adapter(cached_embedder.Settings())
    try:
        return await embedder.embed_passages(texts)
    finally:
        await embedder.close()


# ---- a year

_TURNS: Final = int(os.environ.get("DRAGOMAN_BENCH_TURNS", "1000000"))
_RATED: Final = _TURNS // 10
_TIMES: Final = 9
_TARGET_MS: Final = 200
_PATH: Final = "/api/chatbot/analytics/feedback/"


def year(show: Show) -> None:
    """`GET /api/chatbot/analytics/feedback/` over a year of 1,000,000 turns, 100,000 of them rated.

    In each round once with all days marked as changed, so that they are counted from the ratings themselves, and once from the
    days that were counted before.
    """
    with TemporaryDirectory(prefix="dragoman-bench-") as folder:
        with running(Path(folder) / "home", "--no-sample", DRAGOMAN_EMBEDDER="hashing") as instance:
            http, url = instance.http(), instance.variable("DRAGOMAN_DATABASE_URL")
            asked = _post(http, "/api/chatbot/sessions/", {})
            session_id = UUID(asked["id"])
            _fill(url, session_id)
            begun = time.perf_counter()
            while _execute(url, "select count(*) from feedback_changes"):
                time.sleep(0.1)
            show("feedback, all days counted by the scheduler after", f"{time.perf_counter() - begun:.1f} s")
            today = now().date()
            whole = {"from": (today - timedelta(days=364)).isoformat(), "to": today.isoformat()}
            month = {"from": (today - timedelta(days=29)).isoformat(), "to": today.isoformat()}
            told = f"{_TURNS} turns, {_RATED} of them rated"
            for name, params in ((f"a year, {told}", whole), ("30 days of it", month)):
                _show_ratio(show, name, http, params, url)
            listed = {**whole, "has_text": "true"}
            _show_times(show, "a page of comments of a year", lambda: http.get("/api/chatbot/feedback/", params=listed))


_MARK_ALL: Final = "insert into feedback_changes (tenant_id, chatbot_id, day) select distinct tenant_id, chatbot_id, day from feedback_days"


def _show_ratio(show: Show, name: str, http: Any, params: dict[str, str], url: str) -> None:
    """Directly and from counted days, in turns."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    answers = []
    for _ in range(_TIMES):
        for is_counted in (False, True):
            _execute(url, "delete from feedback_changes" if is_counted else _MARK_ALL)
            begun = time.perf_counter()
            answer = http.get(_PATH, params=params)
            taken[is_counted].append(1000 * (time.perf_counter() - begun))
            answer.raise_for_status()
            answers.append(answer.json())
    assert all(answer == answers[0] for answer in answers)
    counted, direct = median(taken[True]), median(taken[False])
    verdict = "met" if counted < _TARGET_MS else "missed"
    show(
        f"feedback, {name}",
        f"{counted:.0f} ms at the median, {max(taken[True]):.0f} at most, over HTTP; counted from the ratings {direct:.0f}: "
        f"{direct / counted:.1f} times; under {_TARGET_MS} ms: {verdict}",
    )


def _execute(url: str, statement: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement)
        row = done.fetchone() if done.description else None
        return int(row[0]) if row else 0


def _post(http: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = http.post(path, json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _show_times(show: Show, name: str, ask: Callable[[], Any]) -> None:
    taken = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        ask().raise_for_status()
        taken.append(1000 * (time.perf_counter() - begun))
    show(f"feedback, {name}", f"{median(taken):.0f} ms at the median, {max(taken):.0f} ms at most, over HTTP")


def _fill(url: str, session_id: UUID) -> None:
    """Questions, answers, turns and ratings, spread over a year."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select tenant_id, chatbot_id from sessions where id = %s", [session_id]).fetchone()
        assert row is not None
        place = {"tenant": row[0], "chatbot": row[1], "session": session_id, "turns": _TURNS, "rated": _RATED}
        place |= {"documents": [uuid4() for _ in range(200)]}
        # Their facts are not looked at here, and counting a million of them would go on beside the measurement.
        for switched in ("disable", "enable"):
            connection.execute(f"alter table turns {switched} trigger insight_of_turn")
            connection.execute(f"alter table feedback {switched} trigger insight_of_new_feedback")
            for statement in (_FILL_TURNS, _FILL_ANSWERS, _FILL_FEEDBACK) if switched == "disable" else ():
                connection.execute(statement, place)
        connection.execute("vacuum analyze turns, messages, feedback")


_ID: Final = "('00000000-0000-7000-{}-' || lpad(to_hex(n), 12, '0'))::uuid"
_FILL_TURNS: Final = f"""
    insert into turns (tenant_id, id, chatbot_id, session_id, question_id, answer_id, asker, language, provider_model,
        embedding_version, knowledge_revision, answered, created_at)
    select %(tenant)s, {_ID.format("8000")}, %(chatbot)s, %(session)s, {_ID.format("8001")}, {_ID.format("8002")}, 'user:x',
        (array['en', 'de', 'es', 'fr'])[1 + n %% 4], 'extractive', 1, 1, n %% 9 > 0, now() - n * interval '364 days' / %(turns)s
    from generate_series(1, %(turns)s) as n
"""
_FILL_ANSWERS: Final = f"""
    insert into messages (tenant_id, id, session_id, role, content, parent_id)
    select %(tenant)s, {_ID.format("8002")}, %(session)s, 'assistant', 'An answer of a usual length. ' || repeat('x', 400), null
    from generate_series(1, %(rated)s) as n
"""
_FILL_FEEDBACK: Final = f"""
    insert into feedback (tenant_id, id, session_id, answer_id, asker, rating, reason, comment, chatbot_id, language, model,
        prompt_version, documents, created_at)
    select %(tenant)s, {_ID.format("8003")}, %(session)s, {_ID.format("8002")}, 'user:x',
        case when n %% 5 = 0 then 'down' else 'up' end,
        case when n %% 5 = 0 then (array['incorrect', 'outdated', 'incomplete'])[1 + n %% 3] end,
        case when n %% 10 = 0 then 'A comment of a usual length, some 60 characters of it in all.' else '' end, %(chatbot)s,
        (array['en', 'de', 'es', 'fr'])[1 + n %% 4], (array['extractive', 'a-model'])[1 + n %% 2], 'built-in',
        array[(%(documents)s::uuid[])[1 + n %% 200], (%(documents)s::uuid[])[1 + n * 7 %% 200]],
        now() - n * interval '364 days' / %(rated)s
    from generate_series(1, %(rated)s) as n
"""

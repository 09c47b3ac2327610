"""Figures: retrieval by `ir_measures` (trec_eval's definitions), answers as SQuAD measures them, percentiles."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dragoman.evaluation.datasets import Qrels
from dragoman.evaluation.errors import MissingMetricsError

_MARKER = re.compile(r"\s*\[\d{1,3}\]")
_ARTICLE = re.compile(r"\b(a|an|the)\b")
# Scripts written without spaces: each character is a token, as MLQA counts them.
_CHARACTER_TOKEN = re.compile(
    r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def retrieval_metrics(qrels: Qrels, rankings: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """hit@1, recall, nDCG and MRR, averaged over all judged queries; one without results counts as 0.

    Args:
        qrels: relevant documents by query.
        rankings: documents found by query, best first, each once.

    Raises:
        MissingMetricsError: the extra `bench` is not installed.
    """
    measures = _measures()
    import ir_measures  # noqa: PLC0415 -- an extra

    judgements = [
        ir_measures.Qrel(query_id, document_id, grade)
        for query_id, relevant in qrels.items()
        for document_id, grade in relevant.items()
    ]
    run = [
        ir_measures.ScoredDoc(query_id, document_id, -float(rank))
        for query_id, ranking in rankings.items()
        for rank, document_id in enumerate(ranking)
    ]
    found = ir_measures.calc_aggregate(list(measures.values()), judgements, run)
    return {name: float(found[measure]) for name, measure in measures.items()}


def require_metrics() -> None:
    """Raises MissingMetricsError; better before an ingestion of minutes than after it."""
    _measures()


def _measures() -> dict[str, Any]:
    try:
        from ir_measures import RR, R, Success, nDCG  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingMetricsError from error
    return {
        "hit@1": Success @ 1,
        "recall@5": R @ 5,
        "recall@10": R @ 10,
        "ndcg@5": nDCG @ 5,
        "ndcg@10": nDCG @ 10,
        "mrr@10": RR @ 10,
    }


def contains_phrase(answer: str, phrases: Sequence[str]) -> bool:
    """Whether any phrase stands in the answer, whatever its case, white space and Unicode form (NFKC)."""
    text = _normalised(without_markers(answer))
    return any(_normalised(phrase) in text for phrase in phrases if phrase.strip())


def token_f1(answer: str, phrases: Sequence[str]) -> float:
    """The best token F1 against any phrase (SQuAD, Rajpurkar et al. 2016), 0 to 1."""
    given = _tokens(without_markers(answer))
    return max((_f1(given, _tokens(phrase)) for phrase in phrases), default=0.0)


def without_markers(answer: str) -> str:
    """The answer without its citation markers (`[1]`)."""
    return _MARKER.sub("", answer)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed (nearest rank); 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _tokens(text: str) -> list[str]:
    kept = "".join(
        " " if unicodedata.category(character).startswith("P") else character for character in _normalised(text)
    )
    spaced = _CHARACTER_TOKEN.sub(r" \g<0> ", _ARTICLE.sub(" ", kept))
    return spaced.split()


def _f1(given: Sequence[str], expected: Sequence[str]) -> float:
    if not given or not expected:
        return float(list(given) == list(expected))
    common = sum((Counter(given) & Counter(expected)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(given), common / len(expected)
    return 2 * precision * recall / (precision + recall)

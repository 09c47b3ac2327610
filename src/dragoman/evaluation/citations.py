"""How far answers are supported by what they cite, from what each answer says of its own sentences, and by the golden set.

Citation recall and precision are those of ALCE (Gao et al. 2023, "Enabling Large Language Models to Generate Text with
Citations"), with the service's check of each sentence (and its judge, where one is set) in place of a model of natural
language inference, and sentences that state something as the statements:

- recall: the share of sentences that are supported and carry a source;
- precision: the share of (sentence, source) pairs in which the sentence is supported and a place in that source supports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dragoman.client import Answer

_JUDGED_SUPPORTED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Shares of one answer, 0 to 1; None where there is nothing to be a share of.

    Attributes:
        faithfulness: of its sentences that state something, those that are supported.
        judge_faithfulness: of those that a judge was asked about, those that it found supported.
        citation_precision, citation_recall: as above.
        gold_precision: of the sources, those of a document that the golden set expects.
        gold_recall: of the documents that the golden set expects, those that are a source.
    """

    faithfulness: float | None = None
    judge_faithfulness: float | None = None
    citation_precision: float | None = None
    citation_recall: float | None = None
    gold_precision: float | None = None
    gold_recall: float | None = None


def support_of(answer: Answer, expected: Sequence[str]) -> Support:
    """`expected`: external ids of documents. Of an answer that says "I don't know" nothing but the recall of those, 0."""
    gold = set(expected)
    if not answer.answered:
        return Support(gold_recall=0.0 if gold else None)
    told: list[Mapping[str, Any]] = [
        sentence for sentence in answer.grounding.get("sentences", ()) if sentence.get("claims", True)
    ]
    judged = [sentence["judge"] for sentence in told if sentence.get("judge") is not None]
    pairs = [(sentence, number) for sentence in told for number in sentence["sources"]]
    cited = [source.external_id for source in answer.sources]
    return Support(
        faithfulness=_share([bool(sentence["grounded"]) for sentence in told]),
        judge_faithfulness=_share([score >= _JUDGED_SUPPORTED for score in judged]),
        citation_precision=_share([_supports(sentence, number) for sentence, number in pairs]),
        citation_recall=_share([bool(sentence["grounded"] and sentence["sources"]) for sentence in told]),
        gold_precision=_share([name in gold for name in cited]) if gold else None,
        gold_recall=_share([name in cited for name in gold]),
    )


def _supports(sentence: Mapping[str, Any], number: int) -> bool:
    return bool(sentence["grounded"]) and any(span["number"] == number for span in sentence["spans"])


def _share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None

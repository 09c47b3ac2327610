"""How hard a question is to answer from its sources, so that the router need not ask the best model for each."""

from __future__ import annotations

import re
from typing import Final

from dragoman.generation.entities import GenerationRequest

_LONG: Final = 40  # words; of scripts without spaces, two characters stand for one
_QUESTIONS: Final = re.compile(r"[?？؟;]")  # ";" ends a Greek question
_UNSPACED: Final = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_REASONING: Final = re.compile(
    r"\b(?:why|compare|comparison|differen(?:ce|ces|t)|versus|vs|explain|summari[sz]e|pros and cons|how (?:do|does|can|should)"
    r"|warum|wieso|vergleich\w*|unterschied\w*|erkläre?\w*|zusammenfass\w*|pourquoi|compare[rz]?|différence\w*|expli\w+|résume\w*"
    r"|por qué|compar\w+|diferencia\w*|resum\w+|por que|diferença\w*|perché|confront\w+|differenz\w*|spieg\w+|riassum\w+"
    r"|waarom|vergelijk\w*|verschil\w*|почему|сравни\w*|разниц\w*|объясни\w*)\b"
    r"|为什么|為什麼|比较|比較|区别|區別|なぜ|違い|比べ|왜|차이|비교|لماذا|قارن|الفرق|क्यों|तुलना|ทำไม|เปรียบเทียบ",
    re.IGNORECASE,
)
_CLOSE: Final = 0.9  # a passage this near to the best one, as a share of its score, has its say too


def difficulty_of(request: GenerationRequest) -> float:
    """0 (a fact in one passage) to 1: rules of thumb, each of which adds its share.

    Long questions, several questions in one, questions that ask for reasons or comparisons, sources in several documents,
    sources that fit badly, and sources in another language than the answer's.
    """
    passages = request.found.passages[: request.settings.max_sources]
    best = passages[0].similarity_score if passages else 0.0
    near = {passage.found.chunk.document_id for passage in passages if passage.similarity_score >= _CLOSE * best}
    shares = (
        0.25 * min(1.0, _words(request.question) / _LONG),
        0.15 * (len(_QUESTIONS.findall(request.question)) > 1),
        0.25 * bool(_REASONING.search(request.question)),
        0.15 * (len(near) > 1) + 0.05 * (len(near) > 2),
        0.15 * (best < 0.5),
        0.15 * any(passage.found.chunk.language not in (request.language, "und") for passage in passages[:1]),
    )
    return round(min(1.0, sum(shares)), 3)


def _words(text: str) -> int:
    return len(text.split()) + len(_UNSPACED.findall(text)) // 2

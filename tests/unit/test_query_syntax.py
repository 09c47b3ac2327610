"""What people write in a search box to say exactly what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.text.query_syntax import ParsedQuery, fold_for_phrases, parse_query


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("plain words", ParsedQuery(words="plain words")),
        ('the "exact phrase" here', ParsedQuery(words="the exact phrase here", phrases=("exact phrase",))),
        ("„so nicht“ «ni ça»", ParsedQuery(words="so nicht ni ça", phrases=("so nicht", "ni ça"))),
        ("製品「保証 期間」", ParsedQuery(words="製品 保証 期間", phrases=("保証 期間",))),
        ("+must -not -DX-4100/2", ParsedQuery(words="must", required=("must",), forbidden=("not", "DX-4100/2"))),
        ('-"no way" x', ParsedQuery(words="x", forbidden_phrases=("no way",))),
        ("warrant* DX-41*", ParsedQuery(words="", prefixes=("warrant", "DX-41"))),
        ("e-mail a+b C++ - + *", ParsedQuery(words="e-mail a+b C++ - + *")),
        ("x* y", ParsedQuery(words="x* y")),
        ('5" and 7" screens', ParsedQuery(words='5 " and 7 " screens')),
        ('an "unfinished phrase', ParsedQuery(words='an " unfinished phrase')),
        ("", ParsedQuery(words="")),
    ],
)
def test_operators_are_read(text: str, parsed: ParsedQuery) -> None:
    assert parse_query(text) == parsed


@given(st.text(st.sampled_from("ab \"“”«»+-*'「」5.")))
def test_any_text_is_a_query(text: str) -> None:
    parsed = parse_query(text)
    assert all(phrase.strip() for phrase in (*parsed.phrases, *parsed.forbidden_phrases))


@pytest.mark.parametrize(
    ("phrase", "text", "holds"),
    [
        ("cafe creme", "Un CAFÉ, crème brûlée", True),
        ("cafe crem", "Un café crème", False),
        ("DX 4100", "the DX-4100/2", True),
        ("保証期間", "本製品の保証期間は", True),
        ("ΑΘΗΝΑ", "στην Αθήνα", True),
        ("वारंटी", "वारंटी की", True),
    ],
)
def test_phrases_are_compared_without_case_accents_and_punctuation(phrase: str, text: str, holds: bool) -> None:
    assert (f" {fold_for_phrases(phrase)} " in f" {fold_for_phrases(text)} ") is holds


@given(st.text(st.sampled_from("aB1_-' é\n")))
def test_plain_and_other_letters_are_folded_alike(text: str) -> None:
    assert fold_for_phrases(f"{text} ß").split()[:-1] == fold_for_phrases(text).split()

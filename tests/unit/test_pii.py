"""Personal data in documents: what is reported, what is masked, and what must survive."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dragoman.entrypoints.cli import app
from dragoman.evaluation.errors import DatasetError
from dragoman.evaluation.pii import MarkedText, compare, evaluate_pii, read_marked_texts
from dragoman.ingestion.pii import PiiChoice, Placeholders, examine, known_types, mask_file_name, mask_line
from dragoman.kit import registry
from dragoman.ports.extractor import ExtractedPage
from dragoman.ports.pii_detector import PiiSpan

MASK = PiiChoice(mode="mask")
REPORT = PiiChoice(mode="report")
PATTERNS = registry.create("pii_detector", "patterns")


class Words:
    """A detector that knows given words and phrases by heart, in any surroundings."""

    def __init__(self, **known: str | Sequence[str]) -> None:
        self._known = {kind: [value] if isinstance(value, str) else value for kind, value in known.items()}
        self.longest_call = 0

    @property
    def types(self) -> frozenset[str]:
        return frozenset(self._known)

    async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
        self.longest_call = max(self.longest_call, sum(map(len, texts)))
        return [
            sorted(
                (
                    PiiSpan(start=m.start(), end=m.end(), type=kind, score=0.9)
                    for kind, values in self._known.items()
                    for value in values
                    for m in re.finditer(re.escape(value), text)
                ),
                key=lambda span: span.start,
            )
            for text in texts
        ]


def pages(*texts: str) -> list[ExtractedPage]:
    return [ExtractedPage(number=at, markdown=text) for at, text in enumerate(texts, 1)]


async def masked(detector: Any, text: str, choice: PiiChoice = MASK) -> str:
    examined = await examine([detector], pages(text), language="en", choice=choice)
    return examined.pages[0].markdown


async def test_the_same_value_has_the_same_number_on_every_page_however_it_is_written() -> None:
    found = await examine(
        [PATTERNS],
        pages("Mail Ann@Example.org or bob@example.org.", "Again ann@example.org!"),
        language="en",
        choice=MASK,
    )
    assert [page.markdown for page in found.pages] == [
        "Mail [EMAIL_ADDRESS_1] or [EMAIL_ADDRESS_2].",
        "Again [EMAIL_ADDRESS_1]!",
    ]


async def test_numbers_begin_anew_in_each_type() -> None:
    assert await masked(PATTERNS, "ann@example.org, 8.8.8.8") == "[EMAIL_ADDRESS_1], [IP_ADDRESS_1]"


async def test_a_report_counts_and_names_pages_and_leaves_the_text() -> None:
    before = pages("ann@example.org, bob@example.org", "nothing", "ann@example.org, 8.8.8.8")
    found = await examine([PATTERNS], before, language="en", choice=REPORT)
    assert list(found.pages) == before
    assert found.report.as_json() == {
        "mode": "report",
        "counts": {"EMAIL_ADDRESS": 3, "IP_ADDRESS": 1},
        "pages": {"EMAIL_ADDRESS": [1, 3], "IP_ADDRESS": [3]},
        "masked": 0,
    }


async def test_no_value_is_in_the_report_or_in_what_is_kept_of_it() -> None:
    found = await examine([PATTERNS], pages("ann@example.org"), language="en", choice=MASK)
    assert found.report.masked == 1
    for kept in (json.dumps(found.report.as_json()), repr(found), repr(found.placeholders)):
        assert "ann" not in kept
        assert "example.org" not in kept


async def test_reported_pages_are_bounded() -> None:
    many = pages(*["ann@example.org"] * 120)
    report = (await examine([PATTERNS], many, language="en", choice=REPORT)).report
    assert report.counts == {"EMAIL_ADDRESS": 120}
    assert len(report.pages["EMAIL_ADDRESS"]) == 50


async def test_a_document_without_page_numbers_reports_counts_only() -> None:
    page = ExtractedPage(number=None, markdown="ann@example.org")
    report = (await examine([PATTERNS], [page], language="en", choice=REPORT)).report
    assert (report.counts, report.pages) == ({"EMAIL_ADDRESS": 1}, {})


async def test_what_else_a_page_states_survives_masking() -> None:
    page = ExtractedPage(number=7, markdown="ann@example.org", ocr=True, confidence=0.8)
    examined = await examine([PATTERNS], [page], language="en", choice=MASK)
    assert examined.pages == [ExtractedPage(number=7, markdown="[EMAIL_ADDRESS_1]", ocr=True, confidence=0.8)]


@pytest.mark.parametrize(
    ("text", "detector", "expected"),
    [
        ("# Ann Lee\n\nbody", Words(PERSON="# Ann Lee"), "# [PERSON_1]\n\nbody"),
        ("| Ann | Lee |\n|---|---|", Words(PERSON="Ann | Lee"), "| [PERSON_1] | [PERSON_1] |\n|---|---|"),
        (r"| a\|b |", Words(PERSON=r"a\|b"), "| [PERSON_1] |"),
        ("![Ann Lee](image:3)", Words(PERSON="Ann Lee](image:3)"), "![[PERSON_1]](image:3)"),
        ("![Ann Lee](image:3)", Words(PERSON="![Ann Lee](image:3)"), "![[PERSON_1]](image:3)"),
        ("12 High St\nDover", Words(STREET_ADDRESS="12 High St\nDover"), "[STREET_ADDRESS_1]\n[STREET_ADDRESS_1]"),
        ("> **Ann Lee** says", Words(PERSON="**Ann Lee**"), "> **[PERSON_1]** says"),
        ("- Ann Lee", Words(PERSON="- Ann Lee"), "- [PERSON_1]"),
        ("Ann Lee(boss)", Words(PERSON="Ann Lee"), "[PERSON_1] (boss)"),
        ("Ann Lee: yes", Words(PERSON="Ann Lee"), "[PERSON_1] : yes"),
        ("[Ann](mailto:ann@x.org)", Words(EMAIL_ADDRESS="ann@x.org"), "[Ann](mailto:[EMAIL_ADDRESS_1])"),
    ],
)
async def test_masking_keeps_the_structure_of_the_markdown(text: str, detector: Words, expected: str) -> None:
    assert await masked(detector, text) == expected


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="Ann \n|\\![](image:0)#", max_size=80))
async def test_lines_cells_and_picture_marks_stay_as_many_as_they_were(text: str) -> None:
    after = await masked(Words(PERSON=["Ann", "n \n", "| A", "](image:0)", "![A"]), text)
    assert after.count("\n") == text.count("\n")
    assert len(re.findall(r"(?<!\\)\|", after)) == len(re.findall(r"(?<!\\)\|", text))
    assert len(re.findall(r"\]\(image:\d+\)", after)) == len(re.findall(r"\]\(image:\d+\)", text))


async def test_types_that_companies_write_about_themselves_stay_unless_they_are_named() -> None:
    detector = Words(PERSON="Ann", LOCATION="Dover", URL="https://x.org")
    text = "Ann in Dover, https://x.org"
    assert await masked(detector, text) == "[PERSON_1] in Dover, https://x.org"
    chosen = PiiChoice(mode="mask", types=frozenset({"LOCATION"}))
    assert await masked(detector, text, chosen) == "Ann in [LOCATION_1], https://x.org"


async def test_less_sure_findings_than_asked_for_stay() -> None:
    assert await masked(Words(PERSON="Ann"), "Ann", PiiChoice(mode="mask", min_score=0.95)) == "Ann"


async def test_detectors_complete_each_other_and_hide_no_rest() -> None:
    first, second = Words(PERSON="Ann Lee"), Words(STREET_ADDRESS="Lee Street 5")
    examined = await examine([first, second], pages("Ann Lee Street 5"), language="en", choice=MASK)
    assert "Ann" not in examined.pages[0].markdown
    assert "Lee" not in examined.pages[0].markdown
    assert "5" not in examined.pages[0].markdown
    assert known_types([first, second]) == {"PERSON", "STREET_ADDRESS"}


async def test_a_long_page_reaches_the_detector_in_bounded_pieces_and_nothing_is_lost_between_them() -> None:
    detector = Words(PERSON="Ann")
    text = "\n".join(f"line {n} of Ann and more words" for n in range(20_000))
    examined = await examine([detector], pages(text), language="en", choice=MASK)
    assert examined.report.counts == {"PERSON": 20_000}
    assert examined.pages[0].markdown == text.replace("Ann", "[PERSON_1]")
    assert detector.longest_call <= 130_000


async def test_a_line_without_end_is_cut_at_a_space() -> None:
    text = "Ann says " * 20_000
    assert await masked(Words(PERSON="Ann"), text) == text.replace("Ann", "[PERSON_1]")


async def test_the_head_of_a_long_table_names_the_columns_of_its_last_row_too() -> None:
    rows = "".join(f"| item {n} | 5550{n:06d} |\n" for n in range(5_000))
    text = "Intro\n\n| What | Phone |\n|---|---|\n" + rows
    examined = await examine([PATTERNS], pages(text), language="en", choice=MASK)
    assert examined.report.counts["PHONE_NUMBER"] == 5_000
    assert examined.pages[0].markdown.count("\n") == text.count("\n")
    assert "| What | Phone |" in examined.pages[0].markdown


async def test_small_pages_share_a_call() -> None:
    calls = 0

    class Counting(Words):
        async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
            nonlocal calls
            calls += 1
            return await super().detect(texts, language=language)

    await examine([Counting(PERSON="Ann")], pages(*["Ann " * 50] * 400), language="en", choice=MASK)
    assert calls <= 3


async def test_a_title_is_masked_with_the_numbers_of_the_document() -> None:
    examined = await examine(
        [Words(PERSON=["Bob Ray", "Ann Lee"])], pages("Bob Ray met Ann Lee."), language="en", choice=MASK
    )
    # The title gives the detector nothing to go by; the document has given the name away.
    title = await mask_line(
        [PATTERNS], "CV of Ann Lee, ann@x.org", language="en", choice=MASK, placeholders=examined.placeholders
    )
    assert title == "CV of [PERSON_2], [EMAIL_ADDRESS_1]"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Letter_Ann_Lee.pdf", "Letter_[PERSON_1].pdf"),
        ("ANN-LEE-2024.docx", "[PERSON_1]-2024.docx"),
        ("ann.lee@example.org.eml", "[EMAIL_ADDRESS_1].eml"),
        ("report.pdf", "report.pdf"),
        ("noending", "noending"),
        (".hidden", ".hidden"),
    ],
)
async def test_a_file_name_is_read_as_words_and_keeps_its_ending(name: str, expected: str) -> None:
    placeholders = Placeholders()
    placeholders.name("PERSON", "Ann Lee")
    found = await mask_file_name([PATTERNS], name, language="en", choice=MASK, placeholders=placeholders)
    assert found == expected


def test_placeholders_of_two_documents_share_no_key() -> None:
    first, second = Placeholders(), Placeholders()
    assert first.name("PERSON", "Ann") == second.name("PERSON", "Bob") == "[PERSON_1]"
    assert first._numbers.keys().isdisjoint(second._numbers.keys())


# --- evaluation ------------------------------------------------------------------------------------------------------


def test_overlap_counts_as_found_and_parts_of_an_address_count_for_it() -> None:
    marked = [
        MarkedText(text="12 High St Dover ann", spans=[(0, 10, "STREET_ADDRESS"), (11, 16, "GPE"), (17, 20, "X")])
    ]
    found = [[PiiSpan(start=3, end=16, type="STREET_ADDRESS", score=1), PiiSpan(start=17, end=20, type="Y", score=1)]]
    types, unmarked = compare(marked, found)
    figures = {each.type: (each.recall, each.precision) for each in types}
    assert figures == {"STREET_ADDRESS": (1.0, 1.0), "GPE": (1.0, None), "X": (0.0, None)}
    assert unmarked == {"Y": 1}


async def test_figures_of_a_small_set() -> None:
    text = "Mail ann@example.org"
    marked = [MarkedText(text=text, spans=[(5, 20, "EMAIL_ADDRESS")]), MarkedText(text="bob@x.org", spans=[])]
    figures = (await evaluate_pii([PATTERNS], marked, language="en", min_score=0.5)).as_json()
    assert figures["types"] == {"EMAIL_ADDRESS": {"spans": 1, "recall": 1.0, "precision": 0.5, "findings": 2}}


def test_the_command_prints_recall_and_precision_by_type(tmp_path: Path) -> None:
    line = {
        "full_text": "ann@x.org",
        "spans": [{"start_position": 0, "end_position": 9, "entity_type": "EMAIL_ADDRESS"}],
    }
    file = tmp_path / "set.jsonl"
    file.write_text(json.dumps(line) + "\n")
    result = CliRunner().invoke(app, ["eval", "pii", str(file), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["types"]["EMAIL_ADDRESS"]["recall"] == 1.0
    assert "EMAIL_ADDRESS" in CliRunner().invoke(app, ["eval", "pii", str(file), "--detector", "patterns"]).stdout


@pytest.mark.parametrize("content", ["", "{}\n", "no json\n", '{"full_text": "x", "spans": [{}]}\n'])
def test_a_file_that_is_no_set_of_marked_texts_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "set.jsonl").write_text(content)
    with pytest.raises(DatasetError):
        read_marked_texts(tmp_path / "set.jsonl")

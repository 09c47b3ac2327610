"""FAQ pages and exported conversations become pairs that know where they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.ingestion.chunk import ChunkDraft, ChunkSettings, chunk_document
from dragoman.ingestion.clean import clean_pages, whole_text
from dragoman.ingestion.conversations import read_pairs
from dragoman.ingestion.pairs import PairedDocument, QaPair, pairs_to_pages
from dragoman.ports.extractor import ExtractedPage

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) + 2 for text in texts]


def pairs_of(
    raw: str | None = None, *, mime: str, content_type: str = "document", pages: Sequence[str] = ()
) -> PairedDocument | None:
    numbered = len(pages) > 1
    extracted = [
        ExtractedPage(number=at if numbered else None, markdown=text) for at, text in enumerate(pages, start=1)
    ]
    return read_pairs(
        clean_pages(extracted).pages,
        mime_type=mime,
        content_type=content_type,
        raw=raw.encode() if raw is not None else None,
    )


def texts_of(found: PairedDocument | None) -> list[str]:
    assert found is not None
    whole = whole_text(found.pages)
    return [whole[span.start : span.end] for span in found.pair_spans]


def answers_of(found: PairedDocument | None) -> dict[str, str]:
    assert found is not None
    return {
        span.question: text.split("\n\n", 1)[1] for span, text in zip(found.pair_spans, texts_of(found), strict=True)
    }


def provenance_of(found: PairedDocument | None) -> list[dict[str, Any]]:
    assert found is not None
    return [dict(span.provenance) for span in found.pair_spans]


async def chunks_of(found: PairedDocument | None, limits: ChunkSettings | None = None) -> list[ChunkDraft]:
    assert found is not None
    return await chunk_document(
        found.pages,
        title=None,
        count_tokens=count_words,
        settings=limits or ChunkSettings(),
        pair_spans=found.pair_spans,
    )


# --- tables and records of questions and answers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "question,answer",
        "Frage;Antwort",
        "pregunta,respuesta",
        "Question\tRéponse",
        "Вопрос;Ответ",
        "问题,答案",
        "質問,回答",
        "السؤال,الإجابة",
        "pergunta,resposta",
        "Domanda,Risposta",
        "질문,답변",
        "customer_question,agent_response",
        "\ufeffPrompt,Completion",
    ],
)
def test_a_table_with_columns_for_question_and_answer_is_a_faq(header: str) -> None:
    sign = next(sign for sign in ";\t," if sign in header)
    rows = [
        header,
        f'"How long?"{sign}"Two{"," if sign == "," else ""} days."',
        f'"Where{";" if sign == ";" else ""}?"{sign}Here.',
    ]
    found = pairs_of("\r\n".join(rows), mime="text/csv")
    assert list(answers_of(found).values()) == ["Two, days." if sign == "," else "Two days.", "Here."]
    assert [entry["rows"] for entry in provenance_of(found)] == [[2], [3]]


def test_category_and_title_columns_are_provenance_and_a_missing_answer_is_reported() -> None:
    found = pairs_of(
        "category,question,answer\nShipping,How long?,Two days.\nShipping,How much?,\n",
        mime="text/csv",
        content_type="faq",
    )
    assert provenance_of(found) == [{"rows": [2], "category": "Shipping"}]
    assert found is not None
    assert found.unanswered_count == 1
    assert found.unanswered[0]["question"] == "How much?"


def test_a_table_of_other_things_is_no_faq() -> None:
    assert pairs_of("name,price\npump,3\nvalve,4\n", mime="text/csv") is None
    assert pairs_of("user,comment\nanna,nice\nbob,bad\n", mime="text/csv") is None


@pytest.mark.parametrize(
    "value",
    [
        [{"question": "How long?", "answer": "Two days."}],
        {"faq": [{"Frage": "How long?", "Antwort": "Two days.", "id": 7}]},
        {"data": {"items": [{"prompt": "How long?", "completion": "Two days."}]}},
        [{"instruction": "How long?", "output": "Two days."}],
    ],
)
def test_json_records_of_questions_and_answers_are_a_faq(value: object) -> None:
    assert answers_of(pairs_of(json.dumps(value), mime="application/json")) == {"How long?": "Two days."}


def test_a_spreadsheet_of_questions_is_read_from_its_table() -> None:
    table = "| Question | Answer |\n| --- | --- |\n| How long? | Two \\| three days. |\n| Where? | Here. |"
    found = pairs_of(mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", pages=[table, "# Notes"])
    assert answers_of(found) == {"How long?": "Two | three days.", "Where?": "Here."}
    assert provenance_of(found)[1]["rows"] == [3]


def test_a_table_inside_a_longer_document_does_not_take_its_place() -> None:
    table = "| Question | Answer |\n| --- | --- |\n| How long? | Two days. |"
    assert pairs_of(mime="text/html", pages=[table + "\n\n" + "Other text that matters. " * 20]) is None


# --- logs of messages ------------------------------------------------------------------------------------------------

LOG = """conversation_id,message_id,sender,timestamp,text
c1,m1,Agent,2024-01-01 10:00,"Hello, how can I help you?"
c1,m2,Customer,2024-01-01 10:01,Hi!
c1,m3,Customer,2024-01-01 10:01,My pump leaks. What should I do?
c1,m4,Agent,2024-01-01 10:02,Replace the seal.
c1,m5,Agent,2024-01-01 10:03,It is part number 12.
c1,m6,Customer,2024-01-01 10:04,"ok, will try"
c1,m7,Agent,2024-01-01 10:05,Is there anything else I can help you with?
c1,m8,Customer,2024-01-01 10:05,How much is it?
c1,m9,Agent,2024-01-01 10:06,12 EUR.
c1,m10,Customer,2024-01-01 10:07,"Thank you very much, bye!"
c2,m11,Customer,2024-01-02 09:00,Do you ship to Chile?
"""


def test_a_log_of_messages_gives_several_pairs_and_drops_courtesies() -> None:
    found = pairs_of(LOG, mime="text/csv")
    assert answers_of(found) == {
        "My pump leaks. What should I do?": "Replace the seal.\n\nIt is part number 12.",
        "How much is it?": "12 EUR.",
    }
    assert provenance_of(found)[0] == {
        "conversation": "c1",
        "messages": ["m3", "m4", "m5"],
        "rows": [4, 5, 6],
        "speakers": ["Customer", "Agent"],
        "asked_at": "2024-01-01 10:01",
        "answered_at": "2024-01-01 10:02",
    }
    assert found is not None
    assert [entry["question"] for entry in found.unanswered] == ["Do you ship to Chile?"]
    assert {span.kind for span in found.pair_spans} == {"conversation"}


def test_a_question_back_and_its_reply_belong_to_the_question() -> None:
    rows = [
        "session,role,content",
        "1,user,The printer does not print.",
        "1,assistant,Which model is it?",
        "1,user,The X200.",
        "1,assistant,Install driver 4.",
    ]
    found = pairs_of("\n".join(rows), mime="text/csv")
    assert texts_of(found) == ["## The printer does not print. Which model is it? The X200.\n\nInstall driver 4."]


def test_interleaved_conversations_are_kept_apart() -> None:
    rows = ["ticket_id,author,message"]
    rows += ["1,customer,First question?", "2,customer,Second question?", "1,agent,First.", "2,agent,Second."]
    found = pairs_of("\n".join(rows), mime="text/csv", content_type="conversation")
    assert answers_of(found) == {"First question?": "First.", "Second question?": "Second."}


SHAPES: dict[str, Any] = {
    "openai": [
        {
            "messages": [
                {"role": "system", "content": "Be nice."},
                {"role": "user", "content": "How long?"},
                {"role": "assistant", "content": "Two days."},
            ]
        }
    ],
    "openai parts": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "How long?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Two days."}]},
        ]
    },
    "sharegpt": [
        {"id": "s1", "conversations": [{"from": "human", "value": "How long?"}, {"from": "gpt", "value": "Two days."}]}
    ],
    "chatgpt": [
        {
            "title": "Delivery",
            "conversation_id": "g1",
            "current_node": "c",
            "mapping": {
                "r": {"id": "r", "message": None, "parent": None, "children": ["a"]},
                "a": {
                    "id": "a",
                    "parent": "r",
                    "message": {
                        "id": "a",
                        "author": {"role": "user"},
                        "create_time": 1.0,
                        "content": {"content_type": "text", "parts": ["How long?"]},
                    },
                },
                "b": {
                    "id": "b",
                    "parent": "a",
                    "message": {
                        "id": "b",
                        "author": {"role": "assistant"},
                        "create_time": 2.0,
                        "content": {"content_type": "text", "parts": ["A withdrawn answer."]},
                    },
                },
                "c": {
                    "id": "c",
                    "parent": "a",
                    "message": {
                        "id": "c",
                        "author": {"role": "assistant"},
                        "create_time": 3.0,
                        "content": {"content_type": "text", "parts": ["Two days."]},
                    },
                },
            },
        }
    ],
    "intercom": {
        "type": "conversation",
        "id": "i1",
        "source": {"body": "<p>How long?</p>", "author": {"type": "user", "name": "Ana"}},
        "conversation_parts": {
            "conversation_parts": [
                {"part_type": "note", "body": "<p>secret</p>", "author": {"type": "admin", "name": "Bo"}},
                {"part_type": "comment", "body": "<p>Two&nbsp;days.</p>", "author": {"type": "admin", "name": "Bo"}},
            ]
        },
    },
    "zendesk": {
        "tickets": [
            {
                "id": 5,
                "requester_id": 11,
                "subject": "Delivery",
                "comments": [
                    {"id": 1, "author_id": 11, "body": "How long?", "public": True},
                    {"id": 2, "author_id": 12, "body": "internal note", "public": False},
                    {"id": 3, "author_id": 12, "body": "Two days.", "public": True},
                ],
            }
        ]
    },
    "flat": [
        {"session_id": "f", "role": "customer", "text": "How long?"},
        {"session_id": "f", "role": "agent", "text": "Two days."},
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_exports_of_chat_programs_are_read(shape: str) -> None:
    found = pairs_of(json.dumps(SHAPES[shape]), mime="application/json")
    assert answers_of(found) == {"How long?": "Two days."}
    assert all(entry["conversation"] for entry in provenance_of(found))


def test_json_lines_hold_a_conversation_each() -> None:
    line = json.dumps(SHAPES["openai"][0])
    other = line.replace("How long?", "How much?")
    found = pairs_of(f"{line}\n{other}\n", mime="application/x-ndjson")
    assert list(answers_of(found)) == ["How long?", "How much?"]
    assert [entry["conversation"] for entry in provenance_of(found)] == ["1", "2"]


def test_a_slack_channel_pairs_questions_with_what_others_say() -> None:
    channel = [
        {
            "type": "message",
            "subtype": "channel_join",
            "user": "U1",
            "text": "<@U1> has joined the channel",
            "ts": "1.0",
        },
        {"type": "message", "user": "U1", "text": "Where is the wiki?", "ts": "2.0", "thread_ts": "2.0"},
        {"type": "message", "user": "U2", "text": "Under /wiki.", "ts": "3.0", "thread_ts": "2.0"},
        {"type": "message", "user": "U3", "text": "And it has a search.", "ts": "4.0", "thread_ts": "2.0"},
    ]
    found = pairs_of(json.dumps(channel), mime="application/json", content_type="conversation")
    assert answers_of(found) == {"Where is the wiki?": "Under /wiki.\n\nAnd it has a search."}
    assert provenance_of(found)[0]["speakers"] == ["U1", "U2", "U3"]


def test_broken_json_is_left_to_the_extractor() -> None:
    assert pairs_of('{"messages": [', mime="application/json", content_type="conversation") is None


# --- transcripts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asker", "answerer", "question", "answer"),
    [
        ("Customer", "Agent", "How long?", "Two days."),
        ("Kunde", "Berater", "Wie lange dauert das?", "Zwei Tage."),
        ("Cliente", "Soporte", "¿Cuánto tarda?", "Dos días."),
        ("Client", "Conseiller", "Combien de temps ?", "Deux jours."),
        ("Клиент", "Оператор", "Сколько ждать?", "Два дня."),
        ("客户", "客服", "需要多久？", "两天。"),
        ("お客様", "サポート", "どのくらいかかりますか？", "二日です。"),
        ("العميل", "الدعم", "كم يستغرق؟", "يومان."),
        ("고객", "상담원", "얼마나 걸려요?", "이틀입니다."),
    ],
)
def test_a_plain_transcript_is_read_in_many_languages(asker: str, answerer: str, question: str, answer: str) -> None:
    colon = "：" if asker == "客户" else ": "
    text = "\n".join([f"{asker}{colon}{question}", f"{answerer}{colon}{answer}"] * 2)
    found = pairs_of(text, mime="text/plain")
    assert texts_of(found) == [f"## {question}\n\n{answer}"] * 2


def test_a_whatsapp_export_is_read_and_its_system_lines_are_not() -> None:
    lines = [
        "[12.03.24, 09:14:05] Messages and calls are end-to-end encrypted. No one outside of this chat can read them.",
        "[12.03.24, 09:14:06] Ana Ruiz: Hallo!",
        "[12.03.24, 09:14:10] Ana Ruiz: Habt ihr morgen offen?",
        "[12.03.24, 09:15:00] Shop Nord: Ja, von 9 bis 18 Uhr.",
        "Samstags nur bis 14 Uhr.",
        "[12.03.24, 09:16:00] Ana Ruiz: <Medien weggelassen>",
        "[12.03.24, 09:17:00] Ana Ruiz: Danke!",
    ]
    found = pairs_of("\n".join(lines), mime="text/plain", content_type="conversation")
    assert answers_of(found) == {"Habt ihr morgen offen?": "Ja, von 9 bis 18 Uhr.\nSamstags nur bis 14 Uhr."}
    assert provenance_of(found)[0]["asked_at"] == "12.03.24, 09:14:10"


def test_conversations_in_one_file_are_kept_apart_and_named() -> None:
    text = "Ticket 17\nUser: How long?\nSupport: Two days.\n\nTicket 18\nUser: How much?\n\nSupport: 3 EUR.\n"
    found = pairs_of(text, mime="text/plain")
    assert [entry["conversation"] for entry in provenance_of(found)] == ["Ticket 17", "Ticket 18"]


def test_a_transcript_on_pages_keeps_their_numbers() -> None:
    pages = ["Customer: How long?\nAgent: Two days.", "Customer: How much?\nAgent: 3 EUR."]
    found = pairs_of(mime="application/pdf", pages=pages, content_type="conversation")
    assert found is not None
    assert [page.number for page in found.pages] == [1, 2]


def test_text_with_colons_is_no_transcript() -> None:
    text = "Name: pump\nPrice: 3 EUR\nName: valve\nPrice: 4 EUR\nNote: all prices net\nNote: see above"
    assert pairs_of(text, mime="text/plain", pages=[text]) is None


# --- FAQ pages -------------------------------------------------------------------------------------------------------

FAQ = """# Help

Welcome to our help.

## How long is delivery?

Two days.

### Abroad

A week.

## Can I return it?

Yes.

## Was kostet das?

Nichts.

## Contact

Write to us."""


async def test_a_faq_page_gives_one_chunk_per_question() -> None:
    found = pairs_of(mime="text/markdown", content_type="faq", pages=[FAQ])
    chunks = await chunks_of(found)
    faq = [chunk for chunk in chunks if chunk.kind == "faq"]
    assert [chunk.text.split("\n")[0] for chunk in faq] == [
        "## How long is delivery?",
        "## Can I return it?",
        "## Was kostet das?",
        "## Contact",
    ]
    assert "A week." in faq[0].text
    assert faq[1].heading_path == ("Help", "Can I return it?")
    assert faq[1].provenance["section"] == ["Help"]
    assert chunks[0].kind == "text"
    assert "Welcome" in chunks[0].text


def test_only_the_faq_section_of_an_ordinary_document_is_taken() -> None:
    text = "# Manual\n\n## Installing\n\nLong text.\n\n## Why us?\n\nBecause.\n\n## FAQ\n\n### Is it dry?\n\nYes.\n\n### Is it loud?\n\nNo."
    found = pairs_of(mime="text/markdown", pages=[text])
    assert texts_of(found) == ["### Is it dry?\n\nYes.", "### Is it loud?\n\nNo."]


def test_a_document_with_a_question_among_its_headings_is_no_faq() -> None:
    assert (
        pairs_of(mime="text/markdown", pages=["# A\n\n## What is it?\n\nText.\n\n## Use\n\nText.\n\n## Care\n\nText."])
        is None
    )


@pytest.mark.parametrize(
    "text",
    [
        "**How long?**\n\nTwo days.\n\n**Where?**\n\nHere.\n\n**Why？**\n\nSo.",
        "Q: How long?\nA: Two days.\n\nQ: Where?\nA: Here.\n\nQ: Why?\nA: So.",
        "Frage 1: How long?\nAntwort: Two days.\n\nFrage 2: Where?\nAntwort: Here.\n\nFrage 3: Why?\nAntwort: So.",
        "1. How long?\n\nTwo days.\n\n2. Where?\n\nHere.\n\n3. Why?\n\nSo.",
        "How long?\nTwo days.\n\nWhere?\nHere.\n\nWhy?\nSo.",
        "## 1. How long?\n\nTwo days.\n\n## 2. Where?\n\nHere.\n\n## 3. Why?\n\nSo.",
    ],
)
async def test_questions_in_bold_marked_numbered_or_bare_are_found(text: str) -> None:
    found = pairs_of(mime="text/html", content_type="faq", pages=[text])
    assert found is not None
    assert [span.question.rstrip("?？") for span in found.pair_spans] == ["How long", "Where", "Why"]
    chunks = await chunks_of(found)
    assert len(chunks) == 3
    assert all(said in chunk.text for said, chunk in zip(("Two days.", "Here.", "So."), chunks, strict=True))


def test_a_marked_faq_is_read_when_it_is_called_a_conversation() -> None:
    text = "Q: How long?\nA: Two days.\n\nQ: Where?\nA: Here.\n\nQ: Why?\nA: So."
    found = pairs_of(text, mime="text/plain", content_type="conversation", pages=[text])
    assert len(texts_of(found)) == 3


def test_a_question_without_an_answer_is_reported() -> None:
    found = pairs_of(mime="text/markdown", content_type="faq", pages=["## How?\n\n## Where?\n\nHere."])
    assert found is not None
    assert [entry["question"] for entry in found.unanswered] == ["How?"]
    assert texts_of(found) == ["## Where?\n\nHere."]


async def test_a_long_answer_is_several_chunks_under_its_question() -> None:
    limits = ChunkSettings(target_tokens=30, max_tokens=45, min_tokens=8)
    answer = " ".join(f"Sentence number {at} is here." for at in range(30))
    found = pairs_of(mime="text/html", content_type="faq", pages=[f"**How long?**\n\n{answer}\n\n**Where?**\n\nHere."])
    chunks = await chunks_of(found, limits)
    assert len(chunks) > 3
    assert all("How long?" in chunk.heading_path for chunk in chunks[1:-1])
    assert chunks[-1].text.endswith("Here.")
    assert chunks[-1].provenance["rows"] == [5]


def test_a_faq_across_pages_keeps_offsets_and_pages() -> None:
    found = pairs_of(
        mime="application/pdf", content_type="faq", pages=["## How?\n\nSo.\n\n## Where?\n\nHere", "and there."]
    )
    assert texts_of(found)[1] == "## Where?\n\nHere\n\nand there."
    assert provenance_of(found)[1]["page"] == 1


# --- what is written -------------------------------------------------------------------------------------------------

_said = st.text(alphabet="ab #`|?中\n-=.", min_size=1, max_size=60).filter(lambda text: bool(text.strip()))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_said, _said), min_size=1, max_size=6))
async def test_each_pair_is_one_chunk_whatever_is_in_it(said: list[tuple[str, str]]) -> None:
    pairs = [
        QaPair(question=asked.strip(), answer=told.strip(), kind="conversation", provenance={"n": at})
        for at, (asked, told) in enumerate(said)
    ]
    pages, spans = pairs_to_pages(pairs)
    chunks = await chunk_document(
        pages, title=None, count_tokens=count_words, settings=ChunkSettings(), pair_spans=spans
    )
    assert [chunk.provenance["n"] for chunk in chunks] == list(range(len(pairs)))
    assert {chunk.kind for chunk in chunks} == {"conversation"}


def test_a_long_question_is_shortened_in_the_heading_and_stands_in_full_below() -> None:
    question = "I bought a pump last year and it leaks. " * 6 + "What should I do? " + "It is urgent."
    pages, spans = pairs_to_pages([QaPair(question=question, answer="Call us.", kind="conversation", provenance={})])
    assert spans[0].question == "What should I do?"
    assert question.strip() in pages[0].markdown


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=300),
    st.sampled_from(["faq", "conversation", "document"]),
    st.sampled_from(["text/csv", "text/plain", "application/json", "text/html"]),
)
def test_no_text_breaks_the_reader(text: str, content_type: str, mime: str) -> None:
    found = pairs_of(text, mime=mime, content_type=content_type, pages=[text])
    if found is not None:
        whole = whole_text(found.pages)
        assert all(0 <= span.start < span.end <= len(whole) for span in found.pair_spans)


# --- nothing is lost -------------------------------------------------------------------------------------------------


def test_other_columns_of_a_table_of_pairs_follow_the_answer() -> None:
    raw = b"question,answer,region,note\nWhere is it?,In Turin.,Piedmont,Ring twice\nHow big?,Ten rooms.,,\n"
    found = read_pairs([], mime_type="text/csv", content_type="faq", raw=raw)
    assert found is not None
    assert "In Turin.\n\nregion: Piedmont\n\nnote: Ring twice" in found.pages[0].markdown
    assert found.pages[0].markdown.endswith("## How big?\n\nTen rooms.")


def test_other_fields_of_a_record_follow_the_answer() -> None:
    raw = b'[{"question": "Where is it?", "answer": "In Turin.", "region": "Piedmont", "id": 7}]'
    found = read_pairs([], mime_type="application/json", content_type="faq", raw=raw)
    assert found is not None
    assert "In Turin.\n\nregion: Piedmont" in found.pages[0].markdown
    assert "id: 7" not in found.pages[0].markdown


def test_a_workbook_with_more_than_pairs_stays_a_workbook() -> None:
    table = "| Question | Answer |\n| --- | --- |\n| Where? | In Turin. |\n| When? | {} |"
    for pages in ([table.format("")], [table.format("At noon."), "Call the porter before you come."]):
        extracted = [ExtractedPage(number=None, markdown=page) for page in pages]
        assert read_pairs(extracted, mime_type=XLSX, content_type="document", raw=None) is None
    wider = "| Question | Answer | Region |\n| --- | --- | --- |\n| Where? | In Turin. | Piedmont |"
    extracted = [ExtractedPage(number=None, markdown=wider)]
    assert read_pairs(extracted, mime_type=XLSX, content_type="document", raw=None) is None
    assert read_pairs(extracted, mime_type=XLSX, content_type="faq", raw=None) is not None
    whole = [ExtractedPage(number=None, markdown="## Sheet\n\n" + table.format("At noon."))]
    assert read_pairs(whole, mime_type=XLSX, content_type="document", raw=None) is not None

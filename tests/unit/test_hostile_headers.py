"""Whatever stands in a header, it is read or ignored; nothing breaks."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from dragoman.entrypoints.api import _given_id, _is_small_json
from dragoman.entrypoints.request_spans import shown_path
from dragoman.kit import sql_spans, tracing

_latin = st.text(st.characters(codec="latin-1"), max_size=80)
_few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_hex = st.text(string.hexdigits + "-xyz", max_size=60)


@pytest.fixture(autouse=True)
def _traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_tracer", TracerProvider().get_tracer("test"))


@_few
@given(_latin | _hex)
@example("00-00000000000000000000000000000000-b7ad6b7169203331-01")
@example("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")
@example("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
def test_a_wrong_traceparent_is_ignored(value: str) -> None:
    context = tracing.remote({"traceparent": value, "tracestate": value})
    assert context is None
    assert tracing.links_to([value]) == []


@_few
@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 1), _latin)
def test_a_right_traceparent_is_passed_on_as_it_came(trace_id: int, span_id: int, flags: int, state: str) -> None:
    sent = f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"
    parent = tracing.remote({"traceparent": sent, "tracestate": state})
    with tracing.span("request", parent=parent):
        assert str(tracing.traceparent()).split("-")[1] == f"{trace_id:032x}"


@_few
@given(_latin)
def test_a_request_id_is_short_and_plain_or_ours(value: str) -> None:
    found = _given_id({"headers": [(b"x-request-id", value.encode("latin-1"))]})
    assert found is None or (found == value and found.isascii() and len(found) <= 64 and found.isprintable())


@_few
@given(_latin, _latin)
def test_lengths_and_types_of_bodies_are_read_without_trust(length: str, kind: str) -> None:
    headers = [(b"content-length", length.encode("latin-1")), (b"content-type", kind.encode("latin-1"))]
    assert _is_small_json({"headers": headers}) in (True, False)


@_few
@given(st.text(max_size=60))
@example("019a0000-0000-7000-8000-000000000000")
def test_of_an_address_only_ids_are_shown(value: str) -> None:
    class Route:
        path = "/api/things/{thing_id}/"

    shown = shown_path({"route": Route(), "path_params": {"thing_id": value}})
    is_id = value.replace("-", "").isalnum() and (len(value) == 36 or (value.isdecimal() and value.isascii()))
    assert shown == "/api/things/{thing_id}/" or (is_id and shown == f"/api/things/{value}/")


@_few
@given(st.text(string.printable, max_size=200))
def test_any_text_has_a_summary_and_a_fingerprint(sql: str) -> None:
    assert sql_spans.summary_of(sql)
    assert len(sql_spans.fingerprint_of(sql)) == 16


@pytest.mark.parametrize(
    ("sql", "summary"),
    [
        ("select * from chunks where id = 1", "select chunks"),
        ("with found as (select 1 from documents) select * from found join chunks using (id)", "select documents"),
        ('insert into "jobs" (id) values (1)', "insert jobs"),
        ("update documents set title = 'x'", "update documents"),
        ("select set_config('a', 'b', true)", "select"),
        ("begin", "sql"),
    ],
)
def test_a_statement_is_summed_up_by_verb_and_table(sql: str, summary: str) -> None:
    assert sql_spans.summary_of(sql) == summary


def test_statements_that_differ_in_values_have_one_fingerprint() -> None:
    one, same, other = (
        sql_spans.fingerprint_of(sql)
        for sql in (
            "select 1 from t where a = 'it''s'  and b = 5",
            "select 2 from t\n where a = 'me' and b = 7",
            "select 1 from u where a = 'x' and b = 5",
        )
    )
    assert one == same != other

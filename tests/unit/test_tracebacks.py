"""Tracebacks in logs say where and of what kind, never which value."""

from __future__ import annotations

import pydantic
import pytest

from dragoman.kit.errors import InvalidSettingError
from dragoman.kit.tracebacks import quiet_traceback

_SAID = "zbigniew@personal.example"


class _Model(pydantic.BaseModel):
    age: int


def _raised(call: object) -> BaseException:
    try:
        call()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    pytest.fail("nothing was raised")


def _chained() -> None:
    try:
        _Model(age=_SAID)  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidSettingError("Set it to a number.") from error


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: int(_SAID), "ValueError"),
        (lambda: {}[_SAID], "KeyError"),
        (lambda: _Model(age=_SAID), "ValidationError"),
        (lambda: _SAID.encode() + b"\xff".decode().encode(), "UnicodeDecodeError"),
        (_chained, "InvalidSettingError: Set it to a number."),
    ],
)
def test_the_kind_and_the_place_are_told_and_the_value_is_not(call: object, kind: str) -> None:
    told = quiet_traceback(_raised(call))
    assert kind in told
    assert "test_tracebacks.py" in told
    assert _SAID not in told


def test_a_cause_stands_before_its_consequence_and_errors_of_the_system_keep_their_words() -> None:
    told = quiet_traceback(_raised(_chained))
    assert told.index("ValidationError") < told.index("direct cause") < told.index("InvalidSettingError")
    assert "No such file" in quiet_traceback(_raised(lambda: open("/absent/file")))  # noqa: PTH123, SIM115
    group = quiet_traceback(ExceptionGroup("several", [ValueError(_SAID), RuntimeError("second")]))
    assert "RuntimeError: second" in group
    assert _SAID not in group

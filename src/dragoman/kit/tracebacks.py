"""Tracebacks for logs: where it happened, and of what kind, but not what the exception says.

Messages of validators and drivers repeat the value that they did not like: a question, a name, a row. Those of our own
errors do not, and those of the operating system name files of ours.
"""

from __future__ import annotations

import traceback
from types import TracebackType

from dragoman.kit.errors import DragomanError

_SAYS_NO_VALUES = (
    DragomanError,
    OSError,
    AssertionError,
    AttributeError,
    ImportError,
    MemoryError,
    NameError,
    RecursionError,
    RuntimeError,
    TypeError,
)
_CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"


def quiet_traceback(error: BaseException | tuple[type, BaseException, TracebackType | None]) -> str:
    """The traceback of an exception and of those that led to it."""
    return _told(error[1] if isinstance(error, tuple) else error, set()).rstrip("\n")


def _told(error: BaseException, told: set[int]) -> str:
    told.add(id(error))
    before = ""
    if error.__cause__ is not None and id(error.__cause__) not in told:
        before = _told(error.__cause__, told) + _CAUSED
    elif error.__context__ is not None and not error.__suppress_context__ and id(error.__context__) not in told:
        before = _told(error.__context__, told) + _DURING
    frames = "".join(traceback.format_tb(error.__traceback__))
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    inner = "".join(f"\nOne of its exceptions:\n\n{_told(each, told)}" for each in parts if id(each) not in told)
    return f"{before}Traceback (most recent call last):\n{frames}{_kind(error)}\n{inner}"


def _kind(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, _SAYS_NO_VALUES) and not isinstance(error, UnicodeError):
        return f"{name}: {error}"
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    return f"{name} (SQLSTATE {state})" if state else name

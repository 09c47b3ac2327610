"""Takes secrets out of what the audit log tells, by the names of fields, by their types and by the look of values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, Final

from pydantic import SecretBytes, SecretStr

REDACTED: Final = "[redacted]"
_LONGEST_CHARACTERS: Final = 500
_MOST_ITEMS: Final = 50

_SECRET_NAMES: Final = re.compile(
    r"pass(?:word|wd|phrase|code)|secret|token|api_?key|private_?key|access_?key|credential|authorization|cookie|"
    r"session_?key|signature|otp|(?:^|_)(?:pwd|pin|salt|jwt|auth|hash|code|verifier|nonce)(?:_|$)|connection_?string|dsn",
    re.IGNORECASE,
)
# Names that hold such a word and tell no secret.
_HARMLESS_NAMES: Final = re.compile(
    r"^(?:(?:max_|min_|chunk_|chunk_overlap_|input_|output_|total_)?tokens(?:_used)?|token_(?:id|count)|"
    r"(?:api_)?key_id|error_code|status_code|code|country_code|language_code|content_hash)$",
    re.IGNORECASE,
)
_SECRET_VALUES: Final = re.compile(
    r"\bdg[a-z]_[A-Za-z0-9_-]{20,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*|"
    r"\b(?:sk|pk|rk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\$argon2[id]{1,2}\$\S+|\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}",
)
_URL_PASSWORDS: Final = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
_QUERY_SECRETS: Final = re.compile(
    r"([?&;#](?:[\w-]*(?:token|secret|password|passwd|signature|api-?_?key|access-?_?key|credential)|sig|key|code|auth)=)"
    r"[^&;#\s\"'<>]+",
    re.IGNORECASE,
)


def redact(value: Any, name: str = "") -> Any:
    """The value without secrets, and without more text than an audit event needs.

    Args:
        value: of a field, perhaps with fields of its own.
        name: of the field.
    """
    if isinstance(value, SecretStr | SecretBytes | bytes | bytearray | memoryview):
        return REDACTED
    if value is None or isinstance(value, bool):
        return value
    if name and _names_a_secret(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(each): redact(item, str(each)) for each, item in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, list | tuple | AbstractSet):
        return [redact(item, name) for item in list(value)[:_MOST_ITEMS]]
    if isinstance(value, str):
        return _redacted_text(value)
    return value


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    """Remembered: the fields of events have few names."""
    return _SECRET_NAMES.search(name) is not None and not _HARMLESS_NAMES.match(name)


def _redacted_text(text: str) -> str:
    if len(text) > _LONGEST_CHARACTERS:
        text = f"{text[:_LONGEST_CHARACTERS]}…"
    text = _QUERY_SECRETS.sub(rf"\1{REDACTED}", text)
    return _URL_PASSWORDS.sub(REDACTED, _SECRET_VALUES.sub(REDACTED, text))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """`before` and `after` of the fields that differ, for the details of an audit event; empty where none does."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not names:
        return {}
    return {
        "before": {name: before.get(name) for name in names},
        "after": {name: after.get(name) for name in names},
    }

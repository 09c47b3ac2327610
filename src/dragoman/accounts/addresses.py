"""E-mail addresses as they are compared and stored."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from dragoman.accounts.errors import InvalidAddressError

_LONGEST: Final = 254  # RFC 5321, 4.5.3.1, as erratum 1690 of RFC 3696 counts it
_FORM: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[^@\s<>,;:\"()\[\]\\]{1,253}")


def normalised(email: str) -> str:
    """Lower-case and composed (NFC): addresses that differ in case only are one person's."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def checked(email: str) -> str:
    """The normalised address.

    Raises:
        InvalidAddressError: it has not the form of one.
    """
    address = normalised(email)
    if len(address) > _LONGEST or not _FORM.fullmatch(address) or not address.isprintable():
        raise InvalidAddressError
    return address

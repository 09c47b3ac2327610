"""Which passwords are refused (NIST SP 800-63B-4, 3.1.1.2): short ones, those that attackers try first, and one's own name.

There are no rules about kinds of signs, and no password expires: both make people choose worse ones. What attackers
try first is told by its form, not by a list of leaked passwords: few words with digits and signs around them, walks over
the keyboard, series and repetitions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from dragoman.accounts.errors import WeakPasswordError
from dragoman.accounts.passwords import normalised

MIN_CHARACTERS: Final = 8
MAX_CHARACTERS: Final = 256  # code points; NIST asks for at least 64

_USUAL_WORDS: Final = frozenset(
    [
        "password",
        "passwort",
        "passwd",
        "pass",
        "passphrase",
        "contrasena",
        "contraseña",
        "motdepasse",
        "parola",
        "wachtwoord",
        "senha",
        "haslo",
        "heslo",
        "salasana",
        "losenord",
        "lozinka",
        "parole",
        "kennwort",
        "secret",
        "geheim",
        "welcome",
        "willkommen",
        "bienvenue",
        "bienvenido",
        "letmein",
        "login",
        "logon",
        "signin",
        "admin",
        "administrator",
        "root",
        "superuser",
        "user",
        "guest",
        "test",
        "tester",
        "testing",
        "default",
        "changeme",
        "change",
        "please",
        "master",
        "system",
        "server",
        "computer",
        "internet",
        "access",
        "account",
        "company",
        "office",
        "manager",
        "service",
        "support",
        "hello",
        "hallo",
        "bonjour",
        "hola",
        "ciao",
        "love",
        "iloveyou",
        "loveyou",
        "forever",
        "sunshine",
        "princess",
        "prinzessin",
        "dragon",
        "monkey",
        "tiger",
        "lion",
        "eagle",
        "horse",
        "kitty",
        "kitten",
        "puppy",
        "flower",
        "butterfly",
        "angel",
        "baby",
        "honey",
        "sweety",
        "summer",
        "sommer",
        "winter",
        "spring",
        "autumn",
        "herbst",
        "monday",
        "friday",
        "january",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "football",
        "soccer",
        "baseball",
        "basketball",
        "hockey",
        "liverpool",
        "chelsea",
        "arsenal",
        "barcelona",
        "madrid",
        "juventus",
        "batman",
        "superman",
        "spiderman",
        "starwars",
        "pokemon",
        "ninja",
        "killer",
        "shadow",
        "freedom",
        "whatever",
        "trustno",
        "trustnoone",
        "nothing",
        "qwerty",
        "qwertz",
        "azerty",
        "asdf",
        "zxcv",
        "qazwsx",
        "zaq",
        "abc",
        "abcd",
        "michael",
        "jordan",
        "daniel",
        "thomas",
        "robert",
        "jessica",
        "jennifer",
        "michelle",
        "charlie",
        "george",
        "ashley",
        "matthew",
        "andrew",
        "joshua",
        "maria",
        "anna",
        "laura",
        "chocolate",
        "cookie",
        "banana",
        "orange",
        "cheese",
        "pepper",
        "ginger",
        "coffee",
        "diamond",
        "silver",
        "gold",
        "money",
        "lucky",
        "happy",
        "music",
        "guitar",
        "london",
        "berlin",
        "paris",
        "america",
        "google",
        "apple",
        "samsung",
        "windows",
        "facebook",
        "twitter",
        "dragoman",
        "chatbot",
    ]
)
_KEYBOARD_ROWS: Final = (
    "1234567890",
    "0987654321",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "qsdfghjklm",
    "zxcvbnm",
    "yxcvbnm",
    "wxcvbn",
    "abcdefghijklmnopqrstuvwxyz",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
    "!@#$%^&*()",
    '!"§$%&/()=',
)
_LEET: Final = str.maketrans("013457@$!€", "oieastasie")
_LEET_OTHER: Final = str.maketrans("1", "l")
_LONGEST_PERIOD: Final = 4
_FEWEST_SIGNS: Final = 4


def require_good(password: str, *, about: Iterable[str] = ()) -> None:
    """Refuse a password that would be guessed early.

    Args:
        about: what is known of its owner: address, name, tenant. None of it may make up the password.

    Raises:
        WeakPasswordError: with the reason.
    """
    password = normalised(password)
    if len(password) < MIN_CHARACTERS:
        raise WeakPasswordError(f"A password has at least {MIN_CHARACTERS} characters. Choose a longer one.")
    if len(password) > MAX_CHARACTERS:
        raise WeakPasswordError(f"A password has at most {MAX_CHARACTERS} characters. Choose a shorter one.")
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Cn") for sign in password):
        raise WeakPasswordError("A password holds no control characters. Leave them out.")
    plain = _plain(password)
    if len(set(plain)) < _FEWEST_SIGNS or _is_repetition(plain):
        raise WeakPasswordError("This password repeats the same few signs. Choose several words instead.")
    if _is_keyboard_walk(plain):
        raise WeakPasswordError("This password follows the keyboard or a series. Choose several words instead.")
    for word in _words_about(about):
        if word in plain and len(plain) - len(word) < MIN_CHARACTERS:
            raise WeakPasswordError(
                "This password is made of your address, your name or your company's. Choose another."
            )
    if _is_usual(password):
        raise WeakPasswordError("This password is among those that are tried first. Choose several words instead.")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _is_repetition(plain: str) -> bool:
    """`abcabcabc`, `xxxxxxxx`: some signs again and again."""
    return any(
        (plain[:period] * len(plain))[: len(plain)] == plain
        for period in range(1, min(_LONGEST_PERIOD, len(plain) // 2) + 1)
    )


def _is_keyboard_walk(plain: str) -> bool:
    """It is cut into at most three pieces of rows and series, of three signs and more each."""
    pieces, at = 0, 0
    while at < len(plain):
        longest = _longest_walk(plain[at:])
        if longest < 3:
            return False
        at += longest
        pieces += 1
    return pieces <= 3


def _longest_walk(text: str) -> int:
    for length in range(len(text), 2, -1):
        piece = text[:length]
        if any(piece in row or piece in row[::-1] for row in _KEYBOARD_ROWS):
            return length
    return 0


def _is_usual(password: str) -> bool:
    """Nothing but usual words is left, once digits and signs at both ends are taken off and `0` is read as `o`."""
    return any(_is_made_of_usual_words(core) for core in _cores(_plain(password)))


def _cores(plain: str) -> Iterator[str]:
    trimmed = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    for reading in (plain, trimmed):
        for letters in (reading.translate(_LEET), reading.translate(_LEET_OTHER).translate(_LEET)):
            yield re.sub(r"[\W\d_]+", "", letters)
    yield re.sub(r"[\W\d_]+", "", plain)


def _is_made_of_usual_words(core: str) -> bool:
    """One usual word, or two of them."""
    if core in _USUAL_WORDS:
        return True
    return any(core[:cut] in _USUAL_WORDS and core[cut:] in _USUAL_WORDS for cut in range(3, len(core) - 2))


def _words_about(about: Iterable[str]) -> Iterator[str]:
    """The whole of each, and its parts of four letters and more."""
    for text in about:
        plain = _plain(text).strip()
        if len(plain) >= 4:
            yield plain
        yield from (part for part in re.split(r"[\W_]+", plain) if len(part) >= 4)

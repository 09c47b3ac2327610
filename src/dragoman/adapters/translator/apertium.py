"""Translates by rules with Apertium, a program of Debian and others: no model, no network, some milliseconds a sentence.

A language pair is a package of its own (`apertium-eng-spa`). The program is started for each call and told its pair by
name; texts go through its standard input.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.ports.translator import (
    LanguagePair,
    TranslatorUnavailableError,
    UnsupportedPairError,
    UntranslatableError,
)

# Apertium names languages by ISO 639-3, and older pairs by 639-1.
_TO_TWO_LETTERS: Final = {
    "afr": "af", "ara": "ar", "arg": "an", "ast": "ast", "bel": "be", "ben": "bn", "bos": "bs", "bre": "br", "bul": "bg",
    "cat": "ca", "ces": "cs", "cym": "cy", "dan": "da", "deu": "de", "ell": "el", "eng": "en", "epo": "eo", "est": "et",
    "eus": "eu", "fin": "fi", "fra": "fr", "gle": "ga", "glg": "gl", "hbs": "sr", "hin": "hi", "hrv": "hr", "hun": "hu",
    "ind": "id", "isl": "is", "ita": "it", "kaz": "kk", "lit": "lt", "ltz": "lb", "lvs": "lv", "mkd": "mk", "mlt": "mt",
    "msa": "ms", "nld": "nl", "nno": "nn", "nob": "no", "oci": "oc", "pol": "pl", "por": "pt", "ron": "ro", "rus": "ru",
    "slk": "sk", "slv": "sl", "spa": "es", "srd": "sc", "srp": "sr", "swe": "sv", "tat": "tt", "tur": "tr", "ukr": "uk",
    "urd": "ur", "vie": "vi", "zho": "zh",
}  # fmt: skip
_MODE: Final = re.compile(r"[a-z]{2,3}-[a-z]{2,3}")  # `eng-spa`; a variety (`spa-eng_US`) is left out
_BLANK_LINE: Final = "\n\n"
_PROCESSES: Final = 2


class Settings(BaseModel):
    """Settings of the translator `apertium`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    program: str = Field(default="apertium", description="The program, by name or path.")
    directory: Path | None = Field(
        default=None, description="Where its language pairs lie. Empty: where the program itself looks."
    )


class Adapter:
    """The translator `apertium`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._modes: dict[LanguagePair, str] | None = None
        self._room = asyncio.Semaphore(_PROCESSES)

    @property
    def placeholder(self) -> str:
        return "XQ{n}"  # words that it does not know stay as they are

    def model_of(self, pair: LanguagePair) -> str:
        return f"apertium:{pair}"

    async def pairs(self) -> frozenset[LanguagePair]:
        if self._modes is None:
            listed = await self._run(["-l"], "")
            found = (mode for mode in listed.split() if _MODE.fullmatch(mode))
            self._modes = {_pair(mode): mode for mode in sorted(found, reverse=True)}
        return frozenset(self._modes)

    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        pair = LanguagePair(source, target)
        if pair not in await self.pairs() or self._modes is None:
            raise UnsupportedPairError(f"Apertium has no package here that translates {pair}.")
        mode = self._modes[pair]
        lines = [" ".join(text.split()) for text in texts]
        translated = await self._translate_lines(mode, lines)
        if len(translated) != len(lines):  # a text that it cut or joined: one after the other none can
            translated = [" ".join(await self._translate_lines(mode, [line])) for line in lines]
        if not all(translated):
            raise UntranslatableError("Apertium made nothing of a text.")
        return translated

    async def close(self) -> None:
        """Nothing is held: each call has a process of its own."""

    async def _translate_lines(self, mode: str, lines: Sequence[str]) -> list[str]:
        """An empty line ends a sentence for Apertium, so that no word of one text is drawn into another."""
        if not lines:
            return []
        said = await self._run(["-u", mode], _BLANK_LINE.join(lines) + "\n")
        return [" ".join(part.split()) for part in re.split(r"\n\s*\n", said.strip()) if part.strip()]

    async def _run(self, options: Sequence[str], text: str) -> str:
        """What the program writes. It is a pipeline of processes, which end together when nobody waits any more."""
        program = shutil.which(self._settings.program)
        if program is None:
            raise TranslatorUnavailableError(
                f"The program {self._settings.program!r} is not installed. Debian: apt install apertium apertium-eng-spa."
            )
        where = ["-d", str(self._settings.directory)] if self._settings.directory else []
        async with self._room:
            process = await asyncio.create_subprocess_exec(
                program,
                *where,
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),  # architecture: where its own programs are, no setting
                    "LC_ALL": "C.UTF-8",
                },
                start_new_session=True,
            )
            try:
                said, complaint = await process.communicate(text.encode("utf-8", "replace"))
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
                raise
        if process.returncode != 0:
            reason = complaint.decode("utf-8", "replace").strip()[-300:]
            raise TranslatorUnavailableError(f"Apertium ended with {process.returncode}: {reason}")
        return said.decode("utf-8", "replace")


def _pair(mode: str) -> LanguagePair:
    source, target = mode.split("-")
    return LanguagePair(_TO_TWO_LETTERS.get(source, source), _TO_TWO_LETTERS.get(target, target))

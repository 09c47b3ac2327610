"""Personal data stays here: it is masked before a language model elsewhere reads a prompt, and put back in what it writes.

Each value becomes a placeholder such as `[EMAIL_ADDRESS_1]`, the same one in all messages of a call; the reply is read as it
streams, and placeholders become values again, also where one is split over tokens. Whoever asked `Inference` for text
sees real values only. A model in this process or on this network is told everything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import prometheus_client

from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError
from dragoman.ports.language_detector import LanguageDetector
from dragoman.ports.llm import TextRequest
from dragoman.ports.pii_detector import PiiDetector, PiiSpan, settle_overlaps
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy

MaskSource = Callable[[UUID, UUID], Awaitable["PiiMask | None"]]
"""The mask for a call of this tenant and chatbot; None: it masks nothing."""

MASKED = prometheus_client.Counter(
    "dragoman_masked_values_total", "Values of personal data kept from models elsewhere.", ["type"]
)

_PLACEHOLDER: Final = re.compile(r"\[([A-Z][A-Z_]{1,40}_\d{1,6})\]")
_SHORTEST_REPEATED: Final = 4  # characters of a value that is masked wherever it stands, found there or not
_WIDE: Final = frozenset({"AGE", "DATE_TIME", "LOCATION", "NRP", "ORGANIZATION", "SWIFT_CODE", "URL"})
_GROUPED: Final = frozenset({"CREDIT_CARD", "IBAN_CODE", "PHONE_NUMBER", "US_SSN"})


class MaskingFailedError(DragomanError):
    """Personal data could not be masked, so that the language model was not asked. Name a detector in DRAGOMAN_PII_DETECTORS, and look at the log for why it failed."""

    code, status = "inference.masking_failed", 503


class PiiMask:
    """The placeholders of one call. Not for several threads."""

    def __init__(
        self, detectors: Sequence[PiiDetector], language_of: Callable[[str], str], wants: Callable[[PiiSpan], bool]
    ) -> None:
        self._detectors, self._language_of, self._wants = detectors, language_of, wants
        self._names: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._last: Counter[str] = Counter()
        self._taken: set[str] = set()  # placeholders that documents had before

    async def mask(self, request: TextRequest) -> TextRequest:
        """The request without personal data.

        Raises:
            MaskingFailedError: no detector is set, or one fails. Then nothing may be sent.
        """
        texts = [message.content for message in request.messages]
        self._taken.update(name for text in texts for name in _PLACEHOLDER.findall(text))
        language = self._language_of(texts[-1])
        if not self._detectors:
            raise MaskingFailedError
        found: list[list[PiiSpan]] = [[] for _ in texts]
        try:
            for detector in self._detectors:
                for spans, own in zip(found, await detector.detect(texts, language=language), strict=True):
                    spans += [span for span in own if self._wants(span)]
        except Exception as error:
            raise MaskingFailedError(f"Personal data could not be masked: {error!r}") from error
        masked = [self._masked(text, settle_overlaps(spans)) for text, spans in zip(texts, found, strict=True)]
        masked = self._repeated(masked)
        for name in self._values:
            MASKED.labels(name.rpartition("_")[0]).inc()
        messages = [replace(message, content=text) for message, text in zip(request.messages, masked, strict=True)]
        return replace(request, messages=messages)

    def restorer(self) -> Restorer:
        """For one reply to the masked request."""
        return Restorer(self._values)

    def _masked(self, text: str, spans: Sequence[PiiSpan]) -> str:
        written: list[str] = []
        at = 0
        for span in spans:
            written += [text[at : span.start], f"[{self._name(span.type, text[span.start : span.end])}]"]
            at = span.end
        return "".join((*written, text[at:]))

    def _repeated(self, texts: Sequence[str]) -> list[str]:
        """What was found once is masked everywhere: a name that is announced in one text stands bare in the next."""
        values = {value: name for name, value in self._values.items() if len(value) >= _SHORTEST_REPEATED}
        if not values:
            return list(texts)
        longest_first = sorted(values, key=len, reverse=True)
        anywhere = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        return [anywhere.sub(lambda match: f"[{values[match[0]]}]", text) for text in texts]

    def _name(self, kind: str, value: str) -> str:
        key = (kind, _as_compared(kind, value))
        if key not in self._names:
            self._last[kind] += 1
            while f"{kind}_{self._last[kind]}" in self._taken:
                self._last[kind] += 1
            self._names[key] = f"{kind}_{self._last[kind]}"
            self._values[self._names[key]] = value
        return self._names[key]


def _as_compared(kind: str, value: str) -> str:
    """Two values that are one: numbers in groups may be grouped otherwise; in others each sign counts but case and spaces."""
    if kind in _GROUPED:
        return "".join(sign for sign in value.casefold() if sign.isalnum() or sign == "+")
    return " ".join(value.casefold().split())


class Restorer:
    """Feed it a reply; it returns the reply with values for placeholders, and holds back what may become one."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._held = ""
        names = "|".join(sorted(map(re.escape, values), key=len, reverse=True))
        self._pattern = re.compile(rf"\[({names})\]|(?<!\w)({names})(?!\w)") if values else None
        self._beginnings = frozenset(part for name in values for part in _beginnings(name))

    def feed(self, piece: str) -> str:
        if self._pattern is None:
            return piece
        text = self._held + piece
        keep = self._open_length(text)
        self._held = text[len(text) - keep :]
        return self._restored(text[: len(text) - keep])

    def finish(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return self._restored(held)

    def _open_length(self, text: str) -> int:
        tail = re.search(r"\[?[A-Za-z_]*\d*$", text)
        if tail is None or not tail[0]:
            return 0
        return len(tail[0]) if tail[0] in self._beginnings else 0

    def _restored(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._values[match[1] or match[2]], text)


def _beginnings(name: str) -> Iterator[str]:
    """All that a placeholder may look like before its end is seen."""
    for length in range(len(name) + 1):
        yield f"[{name[:length]}"
        if length:
            yield name[:length]


def mask_source(
    database: Database, detectors: Sequence[PiiDetector], language_detector: LanguageDetector
) -> MaskSource:
    """Masks as chatbots' settings say: `pii_to_models`, with `pii_types` and `pii_min_score`."""

    async def source(tenant_id: UUID, chatbot_id: UUID) -> PiiMask | None:
        async with database.reading(tenant_id) as connection:
            chatbot = await tenancy_repository.find_chatbot(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)
        if chatbot is None or (settings := tenancy.settings_of(chatbot)).pii_to_models != "mask":
            return None

        def wants(span: PiiSpan) -> bool:
            chosen = span.type in settings.pii_types if settings.pii_types else span.type not in _WIDE
            return chosen and span.score >= settings.pii_min_score

        return PiiMask(detectors, lambda text: language_detector.detect(text[-2_000:]).code, wants)

    return source

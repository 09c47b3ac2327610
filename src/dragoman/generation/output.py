"""What of an answer may be shown: Markdown without HTML and images, with links to places that the sources name."""

from __future__ import annotations

from collections.abc import Iterator

from dragoman.generation import screening
from dragoman.generation.entities import GenerationRequest
from dragoman.kit.text.safe_markdown import KnownAddresses, sanitise


def known_addresses(request: GenerationRequest) -> KnownAddresses:
    """Where links of this answer may lead. What a source says to models is no source of links."""

    def sources() -> Iterator[str]:
        for passage in request.found.passages:
            yield screening.defused(request.settings, passage)
            yield passage.found.external_id or ""

    return KnownAddresses(sources, request.settings.link_hosts)


def safe(request: GenerationRequest, text: str) -> str:
    """A whole text that is about to be shown: a quotation, a title, a translation."""

    def is_known(address: str) -> bool:
        return known_addresses(request)(address)

    return sanitise(text, is_known)

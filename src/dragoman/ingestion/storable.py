"""Text that PostgreSQL takes."""

from __future__ import annotations

from dataclasses import replace

from dragoman.ports.extractor import ExtractedDocument


def storable(text: str) -> str:
    """Without what PostgreSQL refuses: a PDF gave its title with a zero byte at the end, as C strings have one."""
    return text.replace("\x00", "").encode("utf-8", errors="replace").decode("utf-8")


def storable_document(document: ExtractedDocument) -> ExtractedDocument:
    """The text of a document as it comes out of a reader. A zero byte in its pages is left to the cleaning."""
    pages = [
        page
        if page.markdown.isascii()
        else replace(page, markdown=page.markdown.encode("utf-8", errors="replace").decode("utf-8"))
        for page in document.pages
    ]
    return replace(
        document,
        pages=pages,
        title=None if document.title is None else storable(document.title),
        warnings=[storable(warning) for warning in document.warnings],
    )

"""How kreuzberg is used, by each adapter that uses it."""

from __future__ import annotations

from typing import Any


async def read_with_kreuzberg(content: bytes, mime_type: str, *, timeout_s: int, **options: Any) -> Any:
    """The result for a document as Markdown, all of it and nothing recognised in pictures. Raises what kreuzberg raises."""
    import kreuzberg  # noqa: PLC0415 -- 60 MB, not for the formats read without it

    known: dict[str, Any] = {
        "use_cache": False,
        "disable_ocr": True,  # it would run Tesseract by itself where it finds one
        "enable_quality_processing": False,  # cleaning is one step of the pipeline, for all formats alike
        "content_filter": kreuzberg.ContentFilterConfig(
            include_headers=True, include_footers=True, strip_repeating_text=False
        ),
        "output_format": "markdown",
        "pages": kreuzberg.PageConfig(extract_pages=False),
        "extraction_timeout_secs": timeout_s,
        **options,
    }
    return await kreuzberg.extract_bytes(content, mime_type, config=kreuzberg.ExtractionConfig(**known))


def keeping_pictures() -> dict[str, Any]:
    """The options with which kreuzberg returns pictures and marks their places."""
    import kreuzberg  # noqa: PLC0415

    options: dict[str, Any] = {"extract_images": True, "inject_placeholders": True}
    return {"images": kreuzberg.ImageExtractionConfig(**options)}

"""Why an upload is refused. The encrypted document is the extractor port's own error.

DocumentRefusedError 422
├── EmptyDocumentError 422, DamagedDocumentError 422, DecompressionBombError 422, NoTextFoundError 422
├── DocumentTooLargeError 413
└── UnsupportedDocumentTypeError 415, MismatchedDocumentTypeError 415
"""

from __future__ import annotations

from dragoman.kit.errors import DragomanError


class DocumentRefusedError(DragomanError):
    """This document cannot be taken in. The message says why."""

    code, status = "ingestion.refused", 422


class EmptyDocumentError(DocumentRefusedError):
    """The file is empty. Check that it was saved and uploaded whole."""

    code = "ingestion.empty"


class DocumentTooLargeError(DocumentRefusedError):
    """The file is larger than this chatbot accepts. Split it, or raise the chatbot setting `max_size_mib`."""

    code, status = "ingestion.too_large", 413


class UnsupportedDocumentTypeError(DocumentRefusedError):
    """Files of this kind cannot be read. Convert it to PDF, DOCX, HTML, Markdown, CSV, JSON or plain text."""

    code, status = "ingestion.unsupported_type", 415


class MismatchedDocumentTypeError(DocumentRefusedError):
    """The content of the file is not what its name says. Give it its true extension, or upload the right file."""

    code, status = "ingestion.mismatched_type", 415


class DamagedDocumentError(DocumentRefusedError):
    """The file is damaged or was cut off. Open it in its own program, save it again and upload that."""

    code = "ingestion.damaged"


class DecompressionBombError(DocumentRefusedError):
    """The file unpacks to far more than a document holds and is not opened. Save it again, without embedded files."""

    code = "ingestion.decompression_bomb"


class NoTextFoundError(DocumentRefusedError):
    """No text found: this is a picture, or a scan without a text layer. Run it through OCR and upload
    the searchable PDF."""

    code = "ingestion.no_text"

"""Why an upload is refused. The encrypted document is the extractor port's own error.

DocumentRefusedError 422
├── EmptyDocumentError 422, DamagedDocumentError 422, DecompressionBombError 422, NoTextFoundError 422
├── UnsafeDocumentError 422
│   └── ActiveContentError 422
├── ExtractionTimeoutError 422, ExtractionMemoryError 422, ExtractionCrashedError 422
├── MalwareFoundError 422
├── DailyUploadsUsedUpError 429
├── DocumentTooLargeError 413
└── UnsupportedDocumentTypeError 415, MismatchedDocumentTypeError 415
UploadStorageFullError 507, NoSpaceToReadError 503, ReaderUnavailableError 503: the server's fault, not the document's
"""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, DragomanError, UnavailableError


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
    """No text found, neither written nor in pictures. Scan the document again with at least 300 dpi, and see
    that the chatbot setting `ocr` is on."""

    code = "ingestion.no_text"


class UnsafeDocumentError(DocumentRefusedError):
    """The file holds what no document needs and attacks use: a program, XML entities, or a second file of another kind.
    Save it anew in its own program, without embedded files."""

    code = "ingestion.unsafe"


class ActiveContentError(UnsafeDocumentError):
    """The file holds scripts, macros or links that act by themselves, which this chatbot refuses. Save it without them,
    or set the chatbot setting `active_content` to `note`: nothing in a document is ever run here."""

    code = "ingestion.active_content"


class ExtractionTimeoutError(DocumentRefusedError):
    """Reading this document took too long and was stopped. Split it, or save it anew in its own program."""

    code = "ingestion.timeout"


class ExtractionMemoryError(DocumentRefusedError):
    """Reading this document took more memory than is allowed and was stopped. Split it, or make its pictures smaller."""

    code = "ingestion.memory"


class ExtractionCrashedError(DocumentRefusedError):
    """The program that reads documents broke down over this one. Save it anew in its own program, or as PDF."""

    code = "ingestion.crashed"


class ReaderUnavailableError(UnavailableError):
    """The process that reads documents does not start. Look at the server log; `dragoman doctor` checks the installation."""

    code = "ingestion.reader_unavailable"
    is_outage = True


class UploadStorageFullError(DragomanError):
    """The server's disk is full, so the upload was not kept. Free space where uploads and originals lie, then send it again."""

    code, status, retryable = "ingestion.storage_full", 507, True
    is_outage = True


class NoSpaceToReadError(UnavailableError):
    """The disk is full, so the document cannot be read now. Free space where uploads lie; it is then tried again."""

    code = "ingestion.no_space_to_read"
    is_outage = True


class MalwareFoundError(DocumentRefusedError):
    """The malware scanner found something in this file, so it was not kept. Check the computer that it comes from."""

    code = "ingestion.malware"


class DailyUploadsUsedUpError(DocumentRefusedError):
    """Your uploads of the last 24 hours are used up. Wait, or ask an administrator to raise `documents_per_day`."""

    code, status = "ingestion.daily_uploads_used_up", 429


class ImportOfOtherChatbotError(ConflictError):
    """This import belongs to another chatbot. Upload to that one, or open an import for this chatbot."""

    code = "imports.other_chatbot"

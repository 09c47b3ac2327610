"""Errors of knowledge."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, DragomanError, NotFoundError


class DocumentNotFoundError(NotFoundError):
    """There is no document with this id. `GET /api/chatbot/documents/` lists yours."""

    code = "knowledge.document_not_found"


class ExternalIdTakenError(ConflictError):
    """Another document of this chatbot has this `external_id`, and it is not yours to replace. Choose another one."""

    code = "knowledge.external_id_taken"


class VersionNotFoundError(NotFoundError):
    """The document has no version of this number. `GET /api/chatbot/documents/{id}/versions/` lists them."""

    code = "knowledge.version_not_found"


class PageNotFoundError(NotFoundError):
    """The document has no such page, or it is not read yet. Its status tells how far it is."""

    code = "knowledge.page_not_found"


class NoPagePictureError(NotFoundError):
    """Documents of this type have no page pictures: only PDFs and pictures have. Read the text of the page instead."""

    code = "knowledge.no_page_picture"


class PagePictureForbiddenError(DragomanError):
    """Personal data is masked in this document, and a picture of its page would show it. Read the text of the page."""

    code, status = "knowledge.page_picture_forbidden", 403


class ImageNotFoundError(NotFoundError):
    """The document has no such picture. Its chunks list those it has."""

    code = "knowledge.image_not_found"


class NothingToDecideError(ConflictError):
    """No version of this document waits for approval. Read the document again to see its state."""

    code = "knowledge.nothing_to_decide"


class NothingToCancelError(ConflictError):
    """The document is not being read, so there is nothing to cancel. To remove it, delete it."""

    code = "knowledge.nothing_to_cancel"


class NothingToRetryError(ConflictError):
    """Only a document whose reading failed or was cancelled can be tried again; to read a ready one anew, reprocess it."""

    code = "knowledge.nothing_to_retry"


class StillReadingError(ConflictError):
    """The newest version is still being read. Wait until it is ready, or cancel it first."""

    code = "knowledge.still_reading"


class NotYoursToHideError(DragomanError):
    """Only who uploaded a document can keep it private: nobody else would find it again. Ask them, or delete it."""

    code, status = "knowledge.not_yours_to_hide", 403


class VisibilityOfConnectorError(ConflictError):
    """A connector brought this document, and its next sync would say again who sees it. Make a connector for these."""

    code = "knowledge.visibility_of_connector"


class UndecidedError(ConflictError):
    """A version of this document waits for approval, or was refused. Decide on it before you change who sees it."""

    code = "knowledge.undecided"


class DownloadForbiddenError(DragomanError):
    """This chatbot lets only those download originals who may manage its documents. Ask one of them."""

    code, status = "knowledge.download_forbidden", 403

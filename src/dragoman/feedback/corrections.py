"""A correction becomes knowledge: a document with one question and its answer, made by who looks after the documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.feedback import repository
from dragoman.feedback.entities import CorrectionState, Feedback, FeedbackFilter
from dragoman.feedback.errors import CorrectionDecidedError, FeedbackNotFoundError, NoCorrectionError
from dragoman.ingestion.service import Upload, upload_document
from dragoman.jobs import service as jobs
from dragoman.knowledge.entities import ContentType, Document, Visibility
from dragoman.tenancy import access, audit
from dragoman.tenancy.entities import Caller, Permission

_TITLE_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The feedback, and the document that its correction became; it waits for approval where the chatbot wants that."""

    feedback: Feedback
    document: Document


async def accept(
    deps: Deps, caller: Caller, feedback_id: UUID, *, question: str | None, answer: str | None
) -> Accepted:
    """Make a correction a document of the type `faq`; as every upload it is read at once, and searched from then on.

    Args:
        question: in place of the one that was asked, as it stands alone.
        answer: in place of the asker's correction.

    Raises:
        FeedbackNotFoundError, NoCorrectionError, CorrectionDecidedError.
        What `upload_document` raises.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        known = await _waiting(connection, caller, feedback_id)
        asked = question or await _question(connection, caller, known)
    right = answer or known.given.correction
    if not right or not asked:
        raise NoCorrectionError
    uploaded = await upload_document(deps, caller, _upload(known, asked, right))
    async with deps.database.transaction(caller.tenant_id) as connection:
        await _waiting(connection, caller, feedback_id)
        decided = await repository.decide_correction(
            connection,
            feedback_id,
            tenant_id=caller.tenant_id,
            state=CorrectionState.ACCEPTED,
            document_id=uploaded.document.id,
            note="",
            decided_by=caller.asker,
        )
        await _record(connection, caller, decided, "feedback.correction_accepted")
        await jobs.emit(
            connection, tenant_id=caller.tenant_id, topic="feedback.correction_accepted", payload=_told(decided)
        )
    return Accepted(feedback=decided, document=uploaded.document)


async def reject(deps: Deps, caller: Caller, feedback_id: UUID, *, note: str) -> Feedback:
    """Decide that a correction becomes no knowledge.

    Raises:
        FeedbackNotFoundError, NoCorrectionError, CorrectionDecidedError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        known = await _waiting(connection, caller, feedback_id)
        if not known.given.correction:
            raise NoCorrectionError
        decided = await repository.decide_correction(
            connection,
            feedback_id,
            tenant_id=caller.tenant_id,
            state=CorrectionState.REJECTED,
            document_id=known.correction_document_id,
            note=note,
            decided_by=caller.asker,
        )
        await _record(connection, caller, decided, "feedback.correction_rejected")
        await jobs.emit(
            connection, tenant_id=caller.tenant_id, topic="feedback.correction_rejected", payload=_told(decided)
        )
    return decided


async def _waiting(connection: AsyncConnection, caller: Caller, feedback_id: UUID) -> Feedback:
    known = await repository.find_feedback(
        connection, tenant_id=caller.tenant_id, feedback_id=feedback_id, for_update=True
    )
    if known is None or not access.may_on(caller, known.chatbot_id, Permission.MANAGE_DOCUMENTS):
        raise FeedbackNotFoundError
    if known.correction_state in (CorrectionState.ACCEPTED, CorrectionState.REJECTED):
        raise CorrectionDecidedError
    return known


async def _question(connection: AsyncConnection, caller: Caller, known: Feedback) -> str:
    """What was asked, as it can be understood without its conversation."""
    wanted = FeedbackFilter(feedback_id=known.id)
    [example] = await repository.list_examples(connection, tenant_id=caller.tenant_id, wanted=wanted, limit=1)
    return example.standalone_question or example.question


def _upload(known: Feedback, question: str, answer: str) -> Upload:
    """`external_id`: a correction that was changed and is accepted again becomes the next version of its document."""
    pair = [{"question": question, "answer": answer}]
    return Upload(
        content=json.dumps(pair, ensure_ascii=False).encode(),
        file_name=f"correction-{known.id}.json",
        declared_mime_type="application/json",
        title=" ".join(question.split())[:_TITLE_CHARACTERS],
        chatbot_id=known.chatbot_id,
        visibility=Visibility.SHARED,
        content_type=ContentType.FAQ,
        category="",
        tags=("correction",),
        external_id=f"feedback:{known.id}",
        metadata={
            "origin": "feedback",
            "feedback_id": str(known.id),
            "message_id": str(known.answer_id),
        },
    )


async def _record(connection: AsyncConnection, caller: Caller, decided: Feedback, action: str) -> None:
    await audit.record(
        connection,
        caller,
        action,
        subject_type="feedback",
        subject_id=decided.id,
        document_id=_told(decided)["document_id"],
    )


def _told(decided: Feedback) -> dict[str, Any]:
    document_id = decided.correction_document_id
    return {
        "feedback_id": str(decided.id),
        "chatbot_id": str(decided.chatbot_id),
        "document_id": None if document_id is None else str(document_id),
    }

"""Thumbs, comments and corrections: giving, changing, withdrawing and reading them.

Each answer has at most one feedback of each person: of its asker, and of people who may read all conversations, whose
feedback is a review. A thumb down rejects the text in the answer cache, so that nobody is told it again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat.entities import AuthorRole
from dragoman.deps import Deps
from dragoman.deps.given_feedback import GivenFeedback
from dragoman.feedback import repository
from dragoman.feedback.entities import (
    CorrectionState,
    Earlier,
    Feedback,
    FeedbackFilter,
    Given,
    Listed,
    RatedAnswer,
    Rating,
)
from dragoman.feedback.errors import (
    FeedbackNotFoundError,
    NotRateableError,
    RatedMessageNotFoundError,
)
from dragoman.feedback.kept_text import KeptText
from dragoman.generation import rejected_texts
from dragoman.jobs import service as jobs
from dragoman.kit.clock import new_id, now
from dragoman.kit.pagination import Page, PageRequest
from dragoman.kit.reading import Reader
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Permission

_EXPORTED_AT_ONCE: Final = 500

FEEDBACK = Counter(
    "dragoman_feedback_total", "Ratings of answers, given or changed, by askers and reviewers.", ["rating"]
)


async def give(deps: Deps, caller: Caller, *, asker: str, message_id: UUID, given: Given) -> tuple[Feedback, bool]:
    """Rate an answer, or replace what was said of it; the feedback, and whether it is new.

    Raises:
        RatedMessageNotFoundError: there is none, or it is in somebody else's conversation.
        NotRateableError: the message is no answer.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        answer = await _answer(connection, caller, asker, message_id)
        known = await repository.find_feedback_of(
            connection, tenant_id=caller.tenant_id, answer_id=message_id, asker=asker
        )
        if known is not None:
            return await _change(connection, answer, known, given, tenant_id=caller.tenant_id), False
        made = _new(answer, asker, given)
        await repository.insert_feedback(connection, made, tenant_id=caller.tenant_id)
        await _reject_text(connection, answer, made, tenant_id=caller.tenant_id)
        await jobs.emit(connection, tenant_id=caller.tenant_id, topic="feedback.given", payload=_told(made))
    FEEDBACK.labels(made.given.rating.value).inc()
    return made, True


async def change(deps: Deps, caller: Caller, *, asker: str, message_id: UUID, values: Mapping[str, Any]) -> Feedback:
    """Change parts of what was said: `values` are fields of `Given`.

    Raises:
        RatedMessageNotFoundError, NotRateableError, FeedbackNotFoundError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        answer = await _answer(connection, caller, asker, message_id)
        known = await _of_answer(connection, answer, asker, tenant_id=caller.tenant_id)
        return await _change(connection, answer, known, replace(known.given, **values), tenant_id=caller.tenant_id)


async def withdraw(deps: Deps, caller: Caller, *, asker: str, message_id: UUID) -> None:
    """Take back what was said, with all that it was before.

    Raises:
        RatedMessageNotFoundError, NotRateableError, FeedbackNotFoundError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        answer = await _answer(connection, caller, asker, message_id)
        known = await _of_answer(connection, answer, asker, tenant_id=caller.tenant_id)
        await repository.delete_feedback(connection, tenant_id=caller.tenant_id, feedback_id=known.id)
        await jobs.emit(connection, tenant_id=caller.tenant_id, topic="feedback.withdrawn", payload=_told(known))


async def get_own(deps: Deps, caller: Caller, *, asker: str, message_id: UUID) -> tuple[Feedback, Sequence[Earlier]]:
    """What the asker said of an answer, and what before, the latest first.

    Raises:
        RatedMessageNotFoundError, NotRateableError, FeedbackNotFoundError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        answer = await _answer(connection, caller, asker, message_id)
        known = await _of_answer(connection, answer, asker, tenant_id=caller.tenant_id)
        return known, await repository.list_history(connection, tenant_id=caller.tenant_id, feedback_id=known.id)


async def read_given(
    connection: Reader, *, tenant_id: UUID, asker: str, message_ids: Sequence[UUID]
) -> Mapping[UUID, GivenFeedback]:
    """What an asker said of these messages, for the list of messages (`deps.given_feedback`)."""
    if not message_ids:
        return {}
    found = await repository.list_of_answers(connection, tenant_id=tenant_id, asker=asker, answer_ids=message_ids)
    return {
        answer_id: GivenFeedback(
            rating=each.given.rating.value,
            reason=each.given.reason.value if each.given.reason else None,
            comment=each.given.comment,
            correction=each.given.correction,
            updated_at=each.updated_at,
        )
        for answer_id, each in found.items()
    }


# ---- reading, for those who look after the chatbot


async def list_feedback(deps: Deps, caller: Caller, wanted: FeedbackFilter, page: PageRequest) -> Page[Listed]:
    """The latest first, with question and answer as far as the chatbot keeps them. Raises ChatbotNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        wanted = await of_caller(connection, caller, wanted)
        items, total = await repository.list_feedback(
            connection, tenant_id=caller.tenant_id, wanted=wanted, limit=page.limit, offset=page.offset
        )
        kept = await KeptText.of(deps, connection, caller, {item.feedback.chatbot_id for item in items})
    return Page(items=[await _kept(kept, item) for item in items], total=total, limit=page.limit, offset=page.offset)


async def list_latest(deps: Deps, caller: Caller, wanted: FeedbackFilter, *, limit: int) -> list[Listed]:
    """The latest, without counting all: see `list_feedback`. Raises ChatbotNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        wanted = await of_caller(connection, caller, wanted)
        items = await repository.list_latest(connection, tenant_id=caller.tenant_id, wanted=wanted, limit=limit)
        kept = await KeptText.of(deps, connection, caller, {item.feedback.chatbot_id for item in items})
    return [await _kept(kept, item) for item in items]


async def export(deps: Deps, caller: Caller, wanted: FeedbackFilter) -> AsyncIterator[Listed]:
    """All of it, the oldest first, read in pieces so that no transaction lasts. Raises ChatbotNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        wanted = await of_caller(connection, caller, wanted)
        await audit.record(
            connection, caller, "feedback.exported", subject_type="chatbot", subject_id=wanted.chatbot_id
        )
    return _exported(deps, caller, wanted)


async def _exported(deps: Deps, caller: Caller, wanted: FeedbackFilter) -> AsyncIterator[Listed]:
    after = None
    while True:
        async with deps.database.transaction(caller.tenant_id) as connection:
            items = await repository.list_after(
                connection, tenant_id=caller.tenant_id, wanted=wanted, after=after, limit=_EXPORTED_AT_ONCE
            )
            kept = await KeptText.of(deps, connection, caller, {item.feedback.chatbot_id for item in items})
        for item in items:
            yield await _kept(kept, item)
        if len(items) < _EXPORTED_AT_ONCE:
            return
        after = (items[-1].feedback.created_at, items[-1].feedback.id)


async def of_caller(connection: Reader, caller: Caller, wanted: FeedbackFilter) -> FeedbackFilter:
    """The filter, bound to the key's chatbot where the key is. Raises ChatbotNotFoundError."""
    chatbot_id = wanted.chatbot_id or caller.chatbot_id
    if chatbot_id is None:
        return wanted
    return replace(wanted, chatbot_id=(await tenancy.get_chatbot(connection, caller, chatbot_id)).id)


async def _kept(kept: KeptText, item: Listed) -> Listed:
    of = item.feedback
    return replace(
        item,
        question=await kept.shown(of.chatbot_id, item.question, of.language),
        answer=await kept.shown(of.chatbot_id, item.answer, of.language),
    )


# ---- what belongs to an asker


async def export_asker(connection: AsyncConnection, tenant_id: UUID, asker: str) -> list[dict[str, Any]]:
    """All feedback that an asker gave, with what it was before; JSON values."""
    exported = []
    for each in await repository.list_by_asker(connection, tenant_id=tenant_id, asker=asker):
        history = await repository.list_history(connection, tenant_id=tenant_id, feedback_id=each.id)
        exported.append(
            {
                "id": str(each.id),
                "message_id": str(each.answer_id),
                "session_id": str(each.session_id),
                "chatbot_id": str(each.chatbot_id),
                **_said(each.given.rating, each.given.reason, each.given.comment, each.given.correction),
                "metadata": dict(each.given.metadata),
                "created_at": each.created_at.isoformat(),
                "updated_at": each.updated_at.isoformat(),
                "history": [
                    {
                        **_said(earlier.rating, earlier.reason, earlier.comment, earlier.correction),
                        "given_at": earlier.given_at.isoformat(),
                        "replaced_at": earlier.replaced_at.isoformat(),
                    }
                    for earlier in history
                ],
            }
        )
    return exported


async def erase_asker(connection: AsyncConnection, tenant_id: UUID, asker: str) -> int:
    """Delete what an asker said of answers, and what reviewers said of answers to them; how many.

    A document that a correction became stays: an editor wrote it into the knowledge, and it does not name the asker.
    """
    mine = await repository.delete_by_asker(connection, tenant_id=tenant_id, asker=asker)
    return mine + await repository.delete_about_asker(connection, tenant_id=tenant_id, asker=asker)


# ---- all of them


async def _answer(connection: AsyncConnection, caller: Caller, asker: str, message_id: UUID) -> RatedAnswer:
    """Raises RatedMessageNotFoundError, NotRateableError."""
    answer = await repository.lock_answer(connection, tenant_id=caller.tenant_id, message_id=message_id)
    if answer is None or (answer.asker != asker and Permission.READ_ALL_SESSIONS not in caller.permissions):
        raise RatedMessageNotFoundError
    if answer.role != AuthorRole.ASSISTANT.value:
        raise NotRateableError
    return answer


async def _of_answer(connection: AsyncConnection, answer: RatedAnswer, asker: str, *, tenant_id: UUID) -> Feedback:
    known = await repository.find_feedback_of(connection, tenant_id=tenant_id, answer_id=answer.id, asker=asker)
    if known is None:
        raise FeedbackNotFoundError
    return known


def _new(answer: RatedAnswer, asker: str, given: Given) -> Feedback:
    moment = now()
    return Feedback(
        id=new_id(),
        session_id=answer.session_id,
        answer_id=answer.id,
        chatbot_id=answer.chatbot_id,
        asker=asker,
        is_review=asker != answer.asker,
        given=given,
        language=answer.language,
        model=answer.model,
        prompt_version=answer.prompt_version,
        answered=answer.answered,
        documents=answer.documents,
        correction_state=CorrectionState.OPEN if given.correction else None,
        correction_document_id=None,
        correction_note="",
        decided_by=None,
        decided_at=None,
        created_at=moment,
        updated_at=moment,
    )


async def _change(
    connection: AsyncConnection, answer: RatedAnswer, known: Feedback, given: Given, *, tenant_id: UUID
) -> Feedback:
    """A correction that says something else waits for a decision anew."""
    if given == known.given:
        return known
    state = known.correction_state
    if given.correction != known.given.correction:
        state = CorrectionState.OPEN if given.correction else None
    changed = await repository.replace_given(connection, known, given, tenant_id=tenant_id, correction_state=state)
    await _reject_text(connection, answer, changed, tenant_id=tenant_id)
    await jobs.emit(connection, tenant_id=tenant_id, topic="feedback.changed", payload=_told(changed))
    if changed.given.rating is not known.given.rating:
        FEEDBACK.labels(changed.given.rating.value).inc()
    return changed


async def _reject_text(connection: AsyncConnection, answer: RatedAnswer, given: Feedback, *, tenant_id: UUID) -> None:
    """What was rated down is told to nobody any more."""
    if given.given.rating is Rating.DOWN and answer.remembered_as:
        await rejected_texts.reject(connection, tenant_id=tenant_id, name=answer.remembered_as)


def _told(of: Feedback) -> dict[str, Any]:
    """An event without text: comments are read by those who may."""
    return {
        "feedback_id": str(of.id),
        "message_id": str(of.answer_id),
        "session_id": str(of.session_id),
        "chatbot_id": str(of.chatbot_id),
        "rating": of.given.rating.value,
        "reason": of.given.reason.value if of.given.reason else None,
        "is_review": of.is_review,
        "has_comment": bool(of.given.comment),
        "has_correction": bool(of.given.correction),
    }


def _said(rating: Any, reason: Any, comment: str, correction: str) -> dict[str, Any]:
    return {
        "rating": rating.value,
        "reason": reason.value if reason else None,
        "comment": comment,
        "correction": correction,
    }

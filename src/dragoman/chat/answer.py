"""The question path. START HERE: `answer_question` is the whole of it on one screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.exc import IntegrityError

from dragoman.chat import in_work, repository, service
from dragoman.chat.entities import (
    AnswerEvent,
    AuthorRole,
    Complete,
    Message,
    MessageState,
    Session,
    Source,
    Status,
    Token,
    Turn,
)
from dragoman.chat.errors import NotAnAnswerError, NotAQuestionError, SessionNotFoundError
from dragoman.chat.in_work import AnswerInWork
from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.generation import prompt_versions, prompts, screening
from dragoman.generation import service as generation
from dragoman.generation.entities import Citation, Draft, GenerationRequest, PromptTemplate, Usage
from dragoman.generation.screening import Screening
from dragoman.generation.translated import in_askers_language
from dragoman.inference.service import CallContext
from dragoman.kit.clock import new_id, now
from dragoman.kit.reading import Reader
from dragoman.kit.telemetry import BoundedWords, StageTimer
from dragoman.metering.entities import Bill, Spender
from dragoman.retrieval.entities import Found
from dragoman.search import service as search
from dragoman.search.service import SearchRequest
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot
from dragoman.tenancy.settings import ChatbotSettings
from dragoman.understanding.entities import Prepared
from dragoman.understanding.history import Said
from dragoman.understanding.question_language import Understood, understand
from dragoman.understanding.service import prepare_question, standalone_question
from dragoman.understanding.translation import translator_of

ANSWERS = Counter(
    "dragoman_answers_total", "Turns by how they ended: answered, refused (nothing known), interrupted.", ["outcome"]
)
DEGRADED = Counter("dragoman_degraded_total", "What was skipped or replaced to give an answer all the same.", ["what"])
_degraded_word = BoundedWords("[a-z_]{1,40}", most=60)

_HISTORY_MESSAGES = 24  # the turn that opened a subject may lie far back
_PROMPT_MESSAGES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question in a session.

    Attributes:
        asker: whose session it must be.
        language: wished for where it cannot be told.
        replaces: an earlier question of the session: this one is asked in its place, on a branch of its own.
        again: an earlier answer of the session: its question is answered once more; `question` is not looked at.
        after: the message of the session that a new question follows; None: the last of the branch it is on.
        question_id, answer_id: of the messages that are stored. Ids grow with time, so the question's is made first.
    """

    session_id: UUID
    asker: str
    question: str = ""
    language: str | None = None
    replaces: UUID | None = None
    again: UUID | None = None
    after: UUID | None = None
    question_id: UUID = field(default_factory=new_id)
    answer_id: UUID = field(default_factory=new_id)


async def answer_question(
    deps: Deps, caller: Caller, asked: Asked, opened: Opened | None = None
) -> AsyncGenerator[AnswerEvent, None]:
    """Answer a question: `Status` and `Token` events, the `Source`s, then one `Complete`.

    The question is stored before anything is searched; the answer with its turn record at the end, or, when the asker
    goes away, as far as it came. No database connection is held while the answer is written.

    Args:
        opened: what `open_turn` returned, where the question is stored already.

    Raises:
        What `open_turn` raises.
        AnswerStoppedError: the asker is being erased.
        DatabaseUnavailableError: nothing can be read or stored.
    """
    with in_work.begun(tenant_id=caller.tenant_id, asker=asked.asker, answer_id=asked.answer_id) as work:
        try:
            async with aclosing(_answer(deps, caller, asked, opened, work)) as events:
                async for event in events:
                    work.require_wanted()
                    yield event
                    work.task = asyncio.current_task()
        except asyncio.CancelledError:
            work.tell_why_cancelled()
            raise


async def _answer(
    deps: Deps, caller: Caller, asked: Asked, opened: Opened | None, work: AnswerInWork
) -> AsyncGenerator[AnswerEvent, None]:
    opened = opened or await open_turn(deps, caller, asked)
    timer = opened.timer
    asked = replace(asked, question=opened.question.content)
    yield Status(stage="understanding")
    with timer.stage("understand"):
        understood = understand(
            deps.language_detector,
            asked.question,
            preferred=asked.language or service.setting_of(opened.session, "language"),
            previous=opened.previous_language,
        )
        screened = screening.screen_question(opened.settings, asked.question)
        prepared = await _prepare(deps, opened, understood, asked, screened)
    yield Status(stage="searching")
    with timer.stage("retrieve"):
        found = await _find(deps, opened, understood, asked, prepared)
    yield Status(stage="reading")
    writing = _Writing()
    try:
        with timer.stage("generate"):
            request = _generation_request(deps, opened, understood, asked, prepared, found, screened)
            scope = search.scope_of(opened.chatbot, _search_request(opened, asked), asker=asked.asker)
            written = generation.write_answer(deps, request, scope, opened.version)
            async with aclosing(in_askers_language(deps.language_detector, request, written)) as events:
                async for event in events:
                    if isinstance(event, Draft):
                        writing.draft = event
                    else:
                        if not writing.text:
                            yield Status(stage="writing")
                        writing.text += event.text
                        yield Token(content=event.text)
    except (GeneratorExit, asyncio.CancelledError):
        if not work.is_erased:
            _store_in_background(work, _store(deps, opened, understood, asked, prepared, found, writing, timer))
        raise
    work.require_wanted()
    with timer.stage("store"):
        storing = _store(deps, opened, understood, asked, prepared, found, writing, timer)
        message, turn = await asyncio.shield(_store_in_background(work, storing))
    citations = writing.draft.citations if writing.draft else ()
    for citation in citations:
        yield Source(citation=citation)
    yield Complete(message=message, turn=replace(turn, timings=timer.finish()), citations=citations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is known when the question has been stored."""

    timer: StageTimer
    session: Session
    chatbot: Chatbot
    settings: ChatbotSettings
    version: EmbeddingVersion
    question: Message
    history: Sequence[Message]
    spender: Spender
    template: PromptTemplate | None

    @property
    def degraded(self) -> tuple[str, ...]:
        """The chatbot names a prompt template that it does not have: the built-in one stands in."""
        return ("prompt_missing",) if self.settings.prompt_version is not None and self.template is None else ()

    @property
    def previous_language(self) -> str | None:
        return next((message.language for message in reversed(self.history) if message.language), None)


@dataclass(slots=True)
class _Writing:
    """The answer as far as it came."""

    text: str = ""
    draft: Draft | None = None


async def open_turn(deps: Deps, caller: Caller, asked: Asked) -> Opened:
    """Read what the answer depends on, and store the question.

    Raises:
        SessionNotFoundError, SessionClosedError: no such session of this asker, or it takes no questions.
        MessageNotFoundError, NotAQuestionError, NotAnAnswerError: what it replaces, or answers again.
        TooManyMessagesError: the asker's messages of the last minute are used up.
        DatabaseUnavailableError: nothing can be read or stored.
    """
    timer = StageTimer("answer")
    with timer.stage("load"):
        async with deps.database.reading(caller.tenant_id) as connection:
            session = await service.get_open_session(connection, caller, asked.asker, asked.session_id)
            chatbot = await tenancy.get_chatbot(connection, caller, session.chatbot_id)
            version = await embeddings.get_version(connection, chatbot.active_embedding_version)
            earlier = await _find_earlier_question(connection, caller, session, asked)
            history = await _history(connection, session, earlier, asked.after)
            template = await prompt_versions.template_of(connection, chatbot)
        await service.count_message(deps, caller, asked.asker, chatbot)
        question = earlier if earlier is not None and asked.again else _new_question(asked, session, history)
        await _store_question(deps, session, question, is_new=question is not earlier)
    return Opened(
        timer=timer,
        session=session,
        chatbot=chatbot,
        settings=tenancy.settings_of(chatbot),
        version=version,
        question=question,
        history=history,
        spender=Spender(asker=asked.asker, session_id=session.id, bill=Bill()),
        template=template,
    )


async def _store_question(deps: Deps, session: Session, question: Message, *, is_new: bool) -> None:
    """Raises SessionNotFoundError: it was deleted meanwhile."""
    tenant_id = session.tenant_id
    statements = [repository.inserting_message(question, tenant_id=tenant_id)] if is_new else []
    title = session.title or service.title_from(question.content)
    statements.append(repository.going_on(tenant_id=tenant_id, session_id=session.id, title=title, leaf_id=question.id))
    try:
        await deps.database.write(tenant_id, *statements)
    except IntegrityError as error:
        raise SessionNotFoundError from error


async def _find_earlier_question(connection: Reader, caller: Caller, session: Session, asked: Asked) -> Message | None:
    """The question that is asked anew, or answered again; None: it is a new one.

    Raises:
        MessageNotFoundError, NotAQuestionError, NotAnAnswerError.
    """
    if asked.replaces is not None:
        question = await service.get_message(connection, caller, session, asked.replaces)
        if question.role is not AuthorRole.USER:
            raise NotAQuestionError
        return question
    if asked.again is None:
        return None
    answer = await service.get_message(connection, caller, session, asked.again)
    if answer.role is not AuthorRole.ASSISTANT or answer.parent_id is None:
        raise NotAnAnswerError
    return await service.get_message(connection, caller, session, answer.parent_id)


async def _history(
    connection: Reader, session: Session, earlier: Message | None, after: UUID | None
) -> Sequence[Message]:
    """What was said before the question, on its branch."""
    if earlier is not None and earlier.parent_id is None:
        return ()
    return await repository.list_branch(
        connection,
        tenant_id=session.tenant_id,
        session_id=session.id,
        leaf_id=after or session.leaf_id if earlier is None else earlier.parent_id,
        limit=_HISTORY_MESSAGES,
    )


def _new_question(asked: Asked, session: Session, history: Sequence[Message]) -> Message:
    return Message(
        id=asked.question_id,
        session_id=session.id,
        parent_id=history[-1].id if history else None,
        role=AuthorRole.USER,
        state=MessageState.COMPLETE,
        content=asked.question,
        language=None,
        citations=(),
        tokens_used=0,
        response_time_ms=None,
        created_at=now(),
    )


def _search_request(opened: Opened, asked: Asked) -> SearchRequest:
    return SearchRequest(
        text=asked.question,
        limit=opened.settings.max_sources,
        threshold=opened.settings.similarity_threshold,
        document_ids=opened.session.document_ids,
    )


async def _prepare(deps: Deps, opened: Opened, understood: Understood, asked: Asked, screened: Screening) -> Prepared:
    """The question completed from the session, with its other names."""
    said = [
        Said(
            role="user" if message.role is AuthorRole.USER else "assistant",
            text=screening.said_before(opened.settings, message.content),
        )
        for message in opened.history
    ]
    return await prepare_question(
        deps,
        opened.chatbot,
        asked.question,
        understood.language,
        history=said,
        purpose="question",
        spender=opened.spender,
        may_ask_model=screened.may_ask_models,
    )


async def _find(deps: Deps, opened: Opened, understood: Understood, asked: Asked, prepared: Prepared) -> Found:
    return await search.find_in_chatbot(
        deps,
        opened.chatbot,
        opened.version,
        _search_request(opened, asked),
        asker=asked.asker,
        language=understood.language,
        purpose="question",
        prepared=prepared,
        spender=opened.spender,
    )


def _generation_request(
    deps: Deps,
    opened: Opened,
    understood: Understood,
    asked: Asked,
    prepared: Prepared,
    found: Found,
    screened: Screening,
) -> GenerationRequest:
    marks = prompts.marks_of(deps.keyring.key(deps.keyring.newest_id), opened.chatbot.id)
    return GenerationRequest(
        question=prepared.searched,
        language=prepared.language(understood.language),
        asked_in=understood.language,
        translator=translator_of(deps, opened.chatbot, opened.spender),
        found=found,
        settings=opened.settings,
        answerer=tenancy.answerer_of(opened.chatbot, deps.default_answerer),
        context=CallContext(
            tenant_id=opened.chatbot.tenant_id,
            chatbot_id=opened.chatbot.id,
            purpose="answer",
            spender=opened.spender,
        ),
        history=[(message.role.value, message.content) for message in opened.history[-_PROMPT_MESSAGES:]],
        system_message=prompts.system_message_of(
            opened.chatbot,
            prepared.language(understood.language),
            opened.template.text if opened.template else None,
            marks,
        ),
        template_version=opened.template.version if opened.template else None,
        is_fresh=asked.again is not None,
        standalone=standalone_question(
            prepared, opened.settings, understood.language, has_history=bool(opened.history)
        ),
        knowledge_revision=opened.chatbot.knowledge_revision,
        marks=marks,
        screening=screened,
    )


def _usage(spender: Spender) -> Usage:
    """All model calls of the turn: the tokens are those of language models."""
    assert spender.bill is not None  # `open_turn` gives each turn one
    written = spender.bill.calls("llm")
    return Usage(
        input_tokens=sum(record.input_tokens for record in written),
        output_tokens=sum(record.output_tokens for record in written),
        embedding_calls=len(spender.bill.calls("embedder")),
        llm_calls=len(written),
        cost_usd=float(spender.bill.cost_usd),
    )


def _reused(draft: Draft | None) -> dict[str, Any]:
    """What the usage says of an answer that is remembered, and of one that was written before."""
    if draft is None:
        return {}
    remembered = {"remembered_as": draft.remembered_as} if draft.remembered_as else {}
    if draft.reused is None:
        return remembered
    saved = draft.reused
    figures = {"saved_usd": float(saved.cost_usd), "saved_seconds": saved.seconds}
    return {"cached_calls": 1, "cached": saved.kind, **figures, **remembered}


def _kept(usage: Usage) -> dict[str, Any]:
    """As the turn record keeps it: as the answer tells it, and under which name its text is remembered, if it is."""
    return {name: value for name, value in asdict(usage).items() if name != "remembered_as" or value}


async def _store(
    deps: Deps,
    opened: Opened,
    understood: Understood,
    asked: Asked,
    prepared: Prepared,
    found: Found,
    writing: _Writing,
    timer: StageTimer,
) -> tuple[Message, Turn]:
    """The assistant's message and the turn record, in one transaction."""
    draft = writing.draft
    usage = replace(_usage(opened.spender), **_reused(draft))
    timings = timer.finish()
    message = Message(
        id=asked.answer_id,
        session_id=opened.session.id,
        parent_id=opened.question.id,
        role=AuthorRole.ASSISTANT,
        state=MessageState.COMPLETE if draft else MessageState.INTERRUPTED,
        content=draft.text if draft else writing.text,
        language=understood.language,
        citations=[_reference(citation) for citation in draft.citations] if draft else [],
        tokens_used=usage.input_tokens + usage.output_tokens,
        response_time_ms=timings["total"],
        created_at=now(),
    )
    turn = Turn(
        id=new_id(),
        tenant_id=opened.chatbot.tenant_id,
        chatbot_id=opened.chatbot.id,
        session_id=opened.session.id,
        question_id=opened.question.id,
        answer_id=message.id,
        asker=asked.asker,
        language=understood.language,
        rewritten_question=prepared.rewritten_question,
        prompt_version=draft.prompt_version if draft else None,
        rendered_prompt=draft.rendered_prompt if draft else None,
        retrieved=_retrieved(found, draft.citations if draft else ()),
        provider_model=draft.provider_model if draft else "",
        embedding_version=opened.version.id,
        variants={},
        knowledge_revision=opened.chatbot.knowledge_revision,
        answered=draft.answered if draft else False,
        confidence=draft.confidence if draft else None,
        timings=timings,
        usage=_kept(usage),
        grounding=draft.grounding if draft else {},
        degraded=[
            *opened.degraded,
            *prepared.degraded,
            *found.degraded,
            *(draft.degraded if draft else ("interrupted",)),
        ],
    )
    _count(turn, is_whole=draft is not None)
    await deps.database.write(
        turn.tenant_id,
        repository.inserting_message(message, tenant_id=turn.tenant_id),
        repository.inserting_turn(turn),
        repository.moving_leaf(
            tenant_id=turn.tenant_id,
            session_id=turn.session_id,
            leaf_id=message.id,
            only_from=opened.question.id,  # the asker may have gone to another branch meanwhile
        ),
    )
    return message, turn


def _count(turn: Turn, *, is_whole: bool) -> None:
    """Add the turn to the metrics. Rungs are counted without the names of models and numbers that stand in them."""
    ANSWERS.labels("interrupted" if not is_whole else "answered" if turn.answered else "refused").inc()
    for rung in turn.degraded:
        what = rung.partition(":")[0]
        for kind in ("failed", "interrupted"):
            what = f"model_{kind}" if what.endswith(f"_{kind}") else what
        DEGRADED.labels(_degraded_word(what)).inc()


_Stored = tuple[Message, Turn]
_unfinished: dict[UUID, asyncio.Task[_Stored]] = {}


def _store_in_background(work: AnswerInWork, storing: Coroutine[Any, Any, _Stored]) -> asyncio.Task[_Stored]:
    """Store an answer although the task that wrote it may be cancelled meanwhile."""
    task = work.storing = _unfinished[work.answer_id] = asyncio.get_running_loop().create_task(storing)
    task.add_done_callback(lambda _: _unfinished.pop(work.answer_id, None))
    return task


async def find_interrupted(deps: Deps, tenant_id: UUID, session_id: UUID, answer_id: UUID) -> Complete | None:
    """The end of an answer that was cancelled just now, as it is stored; None: nothing was said that could be.

    Raises:
        DatabaseUnavailableError.
    """
    if (task := _unfinished.get(answer_id)) is not None:
        message, turn = await asyncio.shield(task)
        return Complete(message=message, turn=turn)
    async with deps.database.transaction(tenant_id) as connection:
        stored = await repository.find_message(
            connection, tenant_id=tenant_id, session_id=session_id, message_id=answer_id
        )
        told = await repository.find_turn(connection, tenant_id=tenant_id, answer_id=answer_id)
    return None if stored is None or told is None else Complete(message=stored, turn=told)


def _reference(citation: Citation) -> dict[str, Any]:
    """A citation as it is stored: by reference, so that a deleted document takes its text along."""
    return {
        "number": citation.number,
        "chunk_id": str(citation.chunk_id),
        "document_id": str(citation.document_id),
        "start": citation.start,
        "end": citation.end,
        "similarity_score": citation.similarity_score,
    }


def _retrieved(found: Found, citations: Sequence[Citation]) -> list[dict[str, Any]]:
    cited = {citation.chunk_id for citation in citations}
    return [
        {
            "chunk_id": str(candidate.chunk_id),
            "rank": rank,
            "score": round(candidate.score, 6),
            "cited": candidate.chunk_id in cited,
        }
        for rank, candidate in enumerate(found.candidates, start=1)
    ]

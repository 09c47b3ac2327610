"""The job of an erasure: everything about a person goes, everywhere; the audit log keeps the fact under a pseudonym.

Each step takes what is left in batches that commit, so that a crash in the middle goes on where it was; a step that is done
finds nothing. What stays of the person until the last step is the request itself, by which the job knows whom to look for.

    answers        what is being written for the person stops, and is not stored
    documents      private ones with text, vectors, keywords, pages, pictures, originals, in outside indexes too
    conversations  sessions, messages, turns, answers that are still to be read in Valkey
    rows           all that the register in `holdings` names; searches; jobs and events that name the person
    archives       exports about the person that were made before
    caches         of answers, searches and questions in Valkey; those of processes by the chatbots' revisions
    audit          details, addresses and names of their events; the pseudonym belongs to nobody from then on
    account        the user's row with keys, sign-ins and all that refers to it
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import UUID

from redis.exceptions import RedisError

from dragoman.chat.live_answer import AnswerKey
from dragoman.chat.relay import erase_answers_of, stream_of
from dragoman.deps import Deps
from dragoman.jobs.entities import Progress
from dragoman.jobs.service import EVENT_STREAM
from dragoman.kit.buffer import FLUSH_INTERVAL_S
from dragoman.kit.clock import now
from dragoman.kit.errors import UnavailableError
from dragoman.knowledge import repository as knowledge_repository
from dragoman.knowledge.publish import forget_version
from dragoman.privacy import repository
from dragoman.privacy.entities import PrivacyRequest, RequestState, Subject
from dragoman.privacy.holdings import doing_columns, holdings
from dragoman.privacy.names import actors_of, search_askers
from dragoman.tenancy import access, audit
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy.audit_log import repository as audit_repository
from dragoman.tenancy.audit_log.verification import ERASED
from dragoman.tenancy.tokens import access_tokens
from dragoman.tenancy.tokens import repository as token_repository

_BATCH: Final = 200
_EVENTS_AT_ONCE: Final = 500
# Then what other processes had still to write is written, and none remembers the person's keys and sign-ins.
_SETTLED_S: Final = max(2 * FLUSH_INTERVAL_S, access.REMEMBERED_S) + 0.5
_CACHED_AREAS: Final = ("answers", "similar_questions", "search_results", "judgements", "translations", "questions")


class CacheNotErasedError(UnavailableError):
    """Valkey does not answer, and may hold answers about the person. The erasure goes on when it does."""

    code = "privacy.cache_not_erased"


class AnswersNotStoppedError(UnavailableError):
    """An answer for the person is still being written and does not stop. The erasure goes on when it has ended."""

    code = "privacy.answers_not_stopped"


async def erase(deps: Deps, request: PrivacyRequest, subject: Subject, progress: Progress) -> dict[str, Any]:
    """Erase the person and return the columns of the request that say so.

    Raises:
        DatabaseUnavailableError, BlobStoreUnavailableError, CacheNotErasedError, AnswersNotStoppedError: the job is tried again.
    """
    pseudonym = str(request.id)
    counts: dict[str, int] = {}
    await _end_access(deps, subject)
    await _sweep(deps, request, subject, pseudonym, counts, progress)
    await progress("waiting", 0.6)
    await asyncio.sleep(_SETTLED_S)
    await _sweep(deps, request, subject, pseudonym, counts, progress)
    await progress("archives", 0.8)
    counts["archives"] = await _erase_archives(deps, subject)
    await progress("caches", 0.85)
    await _erase_caches(deps, subject)
    await progress("audit", 0.9)
    counts["audit"] = counts.get("audit", 0) + await _erase_audit(deps, subject)
    return await _finish(deps, request, subject, pseudonym, counts)


async def _sweep(
    deps: Deps,
    request: PrivacyRequest,
    subject: Subject,
    pseudonym: str,
    counts: dict[str, int],
    progress: Progress,
) -> None:
    await progress("answers", 0.05)
    await _stop_answers(deps, subject)
    await progress("documents", 0.1)
    _add(counts, "documents", await _erase_documents(deps, subject))
    await progress("conversations", 0.3)
    await _erase_rows(deps, subject, counts, only_before="sessions")
    _add(counts, "sessions", await _erase_conversations(deps, subject))
    await progress("rows", 0.4)
    await _erase_rows(deps, subject, counts)
    _add(counts, "searches", await _erase_searches(deps, subject))
    _add(counts, "mentions", await _replace_names(deps, subject, pseudonym))
    async with deps.database.transaction(subject.tenant_id) as connection:
        _add(counts, "jobs", await repository.erase_jobs(connection, subject, keep=request.id))


def _add(counts: dict[str, int], name: str, more: int) -> None:
    counts[name] = counts.get(name, 0) + more


# ---- keys and sign-ins


async def _end_access(deps: Deps, subject: Subject) -> None:
    """Let the person make nothing new meanwhile."""
    if subject.user_id is None:
        return
    tenant_id, user_id, at = subject.tenant_id, subject.user_id, now()
    async with deps.database.transaction(tenant_id) as connection:
        await token_repository.revoke_sign_ins(
            connection, tenant_id=tenant_id, user_id=user_id, at=at, reason="user_erased"
        )
        key_ids = await repository.list_key_ids(connection, tenant_id=tenant_id, user_id=user_id)
        for key_id in key_ids:
            await tenancy_repository.revoke_key(connection, tenant_id=tenant_id, key_id=key_id, at=at)
    access_tokens.forget_user(deps.database, user_id)
    for key_id in key_ids:
        access.forget_key(deps.database, key_id)


# ---- answers


async def _stop_answers(deps: Deps, subject: Subject) -> None:
    try:
        have_stopped = await erase_answers_of(deps.cache, tenant_id=subject.tenant_id, asker=subject.asker)
    except (RedisError, OSError) as error:
        raise CacheNotErasedError from error
    if not have_stopped:
        raise AnswersNotStoppedError


# ---- documents


async def _erase_documents(deps: Deps, subject: Subject) -> int:
    erased = 0
    chatbots: set[UUID] = set()
    while True:
        async with deps.database.transaction(subject.tenant_id) as connection:
            own = await repository.list_own_documents(connection, subject, limit=_BATCH)
        for document_id, chatbot_id in own:
            await _erase_document(deps, subject.tenant_id, document_id, chatbot_id)
            chatbots.add(chatbot_id)
            erased += 1
        if not own:
            break
    for chatbot_id in chatbots:
        await _tidy_keywords(deps, subject.tenant_id, chatbot_id)
    return erased


async def _erase_document(deps: Deps, tenant_id: UUID, document_id: UUID, chatbot_id: UUID) -> None:
    """Out of searches first, then its files, and last the row by which a second attempt would find it."""
    async with deps.database.transaction(tenant_id) as connection:
        originals = await repository.list_originals(connection, tenant_id=tenant_id, document_id=document_id)
        await knowledge_repository.mark_deleted(connection, tenant_id=tenant_id, document_id=document_id)
        await tenancy_repository.raise_knowledge_revision(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)
    for _, _, blob_key, _ in originals:
        await deps.blob_store.delete(blob_key)
    async with deps.database.transaction(tenant_id) as connection:
        for number, _, _, version_id in originals:
            if number:
                await forget_version(deps, connection, tenant_id=tenant_id, version_id=version_id)
        await repository.delete_document_row(connection, tenant_id=tenant_id, document_id=document_id)


async def _tidy_keywords(deps: Deps, tenant_id: UUID, chatbot_id: UUID) -> None:
    more = True
    while more:
        async with deps.database.transaction(tenant_id) as connection:
            more = await deps.keyword_index.tidy(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)


# ---- conversations


async def _erase_conversations(deps: Deps, subject: Subject) -> int:
    erased = 0
    while True:
        async with deps.database.transaction(subject.tenant_id) as connection:
            some = await repository.list_session_answers(connection, subject, limit=_BATCH)
        if not some:
            return erased
        streams = [
            stream_of(AnswerKey(tenant_id=subject.tenant_id, session_id=session_id, message_id=message_id))
            for session_id, message_ids in some
            for message_id in message_ids
        ]
        await _unlink(deps, streams)
        async with deps.database.transaction(subject.tenant_id) as connection:
            ids = [session_id for session_id, _ in some]
            await repository.delete_sessions(connection, tenant_id=subject.tenant_id, session_ids=ids)
        erased += len(some)


# ---- rows


async def _erase_rows(deps: Deps, subject: Subject, counts: dict[str, int], *, only_before: str | None = None) -> None:
    for holding in holdings():
        if holding.name == only_before:
            return
        if holding.name in ("account", "sessions"):
            continue
        erased = _BATCH
        while erased == _BATCH:
            async with deps.database.transaction(subject.tenant_id) as connection:
                erased = await repository.erase_rows(connection, holding, subject, limit=_BATCH)
            _add(counts, holding.name, erased)


async def _erase_searches(deps: Deps, subject: Subject) -> int:
    askers, erased = search_askers(deps.keyring, subject), 0
    while True:
        async with deps.database.transaction(subject.tenant_id) as connection:
            some = await repository.erase_searches(connection, tenant_id=subject.tenant_id, askers=askers, limit=_BATCH)
        if not some:
            return erased
        erased += some


async def _replace_names(deps: Deps, subject: Subject, pseudonym: str) -> int:
    replaced = 0
    for column in doing_columns():
        async with deps.database.transaction(subject.tenant_id) as connection:
            replaced += await repository.replace_name(connection, column, subject, pseudonym=f"erased:{pseudonym}")
    return replaced


# ---- archives, caches


async def _erase_archives(deps: Deps, subject: Subject) -> int:
    async with deps.database.transaction(subject.tenant_id) as connection:
        made = await repository.list_archives_of(connection, subject)
    for request in made:
        if request.blob_key is not None:
            await deps.blob_store.delete(request.blob_key)
        async with deps.database.transaction(subject.tenant_id) as connection:
            values: dict[str, Any] = {
                "state": RequestState.EXPIRED.value,
                "blob_key": None,
                "size_bytes": None,
                "counts": {},
            }
            await repository.update_request(
                connection, tenant_id=subject.tenant_id, request_id=request.id, values=values
            )
    return len(made)


async def _erase_caches(deps: Deps, subject: Subject) -> None:
    """What is remembered of anybody, since entries do not say of whom: they are sealed and named by hashes.

    Processes keep copies by the revision of the chatbot: no request finds them any more.
    """
    async with deps.database.transaction(subject.tenant_id) as connection:
        for chatbot_id in await tenancy_repository.list_chatbot_ids(connection, tenant_id=subject.tenant_id):
            await tenancy_repository.raise_knowledge_revision(
                connection, tenant_id=subject.tenant_id, chatbot_id=chatbot_id
            )
    try:
        for area in _CACHED_AREAS:
            await _unlink_all(deps, f"dragoman:{area}:*")
        await _unlink_all(deps, f"dragoman:rate:*{_escaped(subject.asker)}*")
        await _forget_events(deps, subject)
    except (RedisError, OSError) as error:
        raise CacheNotErasedError from error


async def _unlink_all(deps: Deps, pattern: str) -> None:
    found: list[bytes] = []
    async for name in deps.cache.client.scan_iter(match=pattern, count=1000):
        found.append(name)
        if len(found) >= _BATCH:
            await deps.cache.client.unlink(*found)
            found.clear()
    if found:
        await deps.cache.client.unlink(*found)


async def _unlink(deps: Deps, names: list[str]) -> None:
    try:
        for start in range(0, len(names), _BATCH):
            await deps.cache.client.unlink(*names[start : start + _BATCH])
    except (RedisError, OSError) as error:
        raise CacheNotErasedError from error


async def _forget_events(deps: Deps, subject: Subject) -> None:
    """Events that were published and name the person."""
    words = [word.encode() for word in subject.words]
    after: bytes | str = "-"
    while True:
        entries: Any = await deps.cache.client.xrange(EVENT_STREAM, min=after, count=1000)
        if not entries:
            return
        named = [
            entry_id for entry_id, said in entries if any(word in value for value in said.values() for word in words)
        ]
        if named:
            await deps.cache.client.xdel(EVENT_STREAM, *named)
        after = b"(" + entries[-1][0]


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "*?[]\\^-" else sign for sign in text)


# ---- audit log and account


async def _erase_audit(deps: Deps, subject: Subject) -> int:
    """Empty what is personal of their events and of those about them; an event in the chain says which."""
    erased, after = 0, None
    while True:
        async with deps.database.transaction(subject.tenant_id) as connection:
            ids = await audit_repository.list_ids_about(
                connection,
                tenant_id=subject.tenant_id,
                actors=await actors_of(connection, subject),
                subject_ids=[subject.user_id] if subject.user_id else [],
                said=subject.words,
                after=after,
                limit=_EVENTS_AT_ONCE,
            )
            done = await audit_repository.erase_contents(connection, ids) if ids else []
            if done:
                await audit.record_of_chain(
                    connection, subject.tenant_id, ERASED.removeprefix("audit."), events=[str(each) for each in done]
                )
        erased += len(done)
        if len(ids) < _EVENTS_AT_ONCE:
            return erased
        after = ids[-1]


async def _finish(
    deps: Deps, request: PrivacyRequest, subject: Subject, pseudonym: str, counts: dict[str, int]
) -> dict[str, Any]:
    """The account, the names that are left, and the fact that it was done: in one transaction."""
    account = next(holding for holding in holdings() if holding.name == "account")
    async with deps.database.transaction(subject.tenant_id) as connection:
        if subject.user_id is not None:
            account_rows = await repository.delete_rows(connection, account, subject)
            _add(counts, "account", account_rows)
        await audit_repository.forget_pseudonym(connection, tenant_id=subject.tenant_id, reference=subject.asker)
        await repository.forget_subject(connection, subject, pseudonym=f"erased:{pseudonym}")
        await audit.record(
            connection,
            access.tenant_of_system(subject.tenant_id),
            "personal_data.erased",
            subject_type="person",
            subject_id=request.id,
            kind=subject.kind.value,
            counts=counts,
        )
        values = {"state": RequestState.DONE.value, "counts": counts, "finished_at": now()}
        await repository.update_request(connection, tenant_id=subject.tenant_id, request_id=request.id, values=values)
    return values

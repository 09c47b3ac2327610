"""SQL of suggested questions; every function runs in a transaction scoped to the tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.feedback.suggestions.entities import FoundText, Suggestion, SuggestionSource

# Of the newest 5,000 shared documents 200 are looked at, and of those 20,000 chunks: more would cost more than they add.
_IN_KNOWLEDGE: Final = text(r"""
    with newest as (
        select documents.id, documents.live_version_id, documents.content_type, version.language
        from documents
        join document_versions as version
            on version.tenant_id = documents.tenant_id and version.id = documents.live_version_id
        where documents.tenant_id = :tenant_id and documents.chatbot_id = :chatbot_id and documents.deleted_at is null
            and documents.visibility = 'shared'
        order by documents.id desc limit 5000
    ), chosen as (
        select id, live_version_id from newest
        order by content_type <> 'faq', language is distinct from :language, md5(id::text || :seed) limit 200
    )
    select chosen.id as document_id, found.kind, found.language, found.heading,
        case when found.kind = 'faq' then left(found.text, 500) else array_to_string(array(
            select asking[1] from regexp_matches(found.text, '^#{1,6}[ \t]+([^\n]{2,200}[?？؟])[ \t]*$', 'gn') as asking limit 5
        ), E'\n') end as text
    from chosen cross join lateral (
        select first.*, first.heading_path[cardinality(first.heading_path)] as heading from (
            select id, kind, language, heading_path, text from chunks
            where tenant_id = :tenant_id and version_id = chosen.live_version_id
            order by ordinal limit greatest(100, 20000 / (select count(*) from chosen))
        ) as first
        where first.kind = 'faq' or first.heading_path[cardinality(first.heading_path)] ~ '[?？؟]$'
            or first.text ~ '(^|\n)#{1,6}[ \t][^\n]{2,200}[?？؟]'
        order by md5(first.id::text || :seed) limit 12
    ) as found
    where found.kind <> 'conversation'
""")

# Headings of shared documents, one a line; of each document as many as lie under its first 100 chunks.
_TOPICS: Final = text(r"""
    with chosen as (
        select documents.id, documents.live_version_id
        from documents
        join document_versions as version
            on version.tenant_id = documents.tenant_id and version.id = documents.live_version_id
        where documents.tenant_id = :tenant_id and documents.chatbot_id = :chatbot_id and documents.deleted_at is null
            and documents.visibility = 'shared' and documents.content_type <> 'conversation'
            and version.language = :language
        order by md5(documents.id::text || :seed) limit 40
    )
    select chosen.id as document_id, 'text' as kind, :language as language, null as heading, (
        select coalesce(string_agg(heading, E'\n' order by md5(heading || :seed)), '') from (
            select distinct under.heading from (
                select heading_path, language, kind, text from chunks
                where tenant_id = :tenant_id and version_id = chosen.live_version_id
                order by ordinal limit 100
            ) as first
            cross join lateral (
                select heading_path[cardinality(heading_path)] as heading
                union all
                select (regexp_matches(first.text, '^#{1,6}[ \t]+([^\n]{2,120})$', 'gn'))[1]
            ) as under
            where under.heading is not null and language = :language and kind <> 'conversation'
        ) as headings
    ) as text
    from chosen
""")

# Who is known counts twice: a visitor may come back under another name.
_ASKED: Final = text(r"""
    with latest as (
        select turns.answer_id, turns.asker, turns.language, question.content,
            btrim(lower(regexp_replace(question.content, '[[:space:][:punct:]？！。、؟]+', ' ', 'g'))) as words
        from (
            select * from turns
            where tenant_id = :tenant_id and chatbot_id = :chatbot_id and created_at >= :since and created_at < :until
                and answered and confidence >= :confidence and rewritten_question is null
                and not degraded ? 'interrupted'
            order by created_at desc limit 2000
        ) as turns
        join messages as question on question.tenant_id = :tenant_id and question.id = turns.question_id
        where length(question.content) <= 200
    ), repeated as (
        select words from latest group by words
        having 2 * count(distinct asker) - count(distinct asker) filter (where starts_with(asker, :visitor)) >= 4
    ), cited as (
        select latest.*, cited.document_id, cited.is_shared
        from latest
        join repeated using (words)
        join messages as answer on answer.tenant_id = :tenant_id and answer.id = latest.answer_id
        cross join lateral (
            select (array_agg(documents.id))[1] as document_id,
                count(*) > 0 and count(*) = count(documents.id) as is_shared
            from jsonb_array_elements(answer.citations) as citation
            left join documents on documents.tenant_id = :tenant_id and documents.chatbot_id = :chatbot_id
                and documents.id = (citation ->> 'document_id')::uuid and documents.visibility = 'shared'
                and documents.deleted_at is null and documents.live_version_id is not null
        ) as cited
    )
    select min(content) as text, min(language) as language, (array_agg(document_id order by answer_id desc))[1] as document_id
    from cited
    where is_shared
    group by words
    having 2 * count(distinct asker) - count(distinct asker) filter (where starts_with(asker, :visitor)) >= 4
        and not exists (
            select from feedback
            where tenant_id = :tenant_id and rating = 'down' and answer_id in (
                select answer_id from latest where latest.words = cited.words
            )
        )
    order by count(distinct asker) desc, md5(words || :seed)
    limit :limit
""")


async def list_in_knowledge(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, language: str, seed: str
) -> list[FoundText]:
    """Question-answer pairs, and headings that ask, of live shared documents: at most 12 chunks of each."""
    values = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "language": language, "seed": seed}
    return [FoundText(**row) for row in (await connection.execute(_IN_KNOWLEDGE, values)).mappings()]


async def list_topics(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, language: str, seed: str
) -> list[FoundText]:
    """The headings of at most 40 live shared documents in this language, one text a document."""
    values = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "language": language, "seed": seed}
    return [FoundText(**row) for row in (await connection.execute(_TOPICS, values)).mappings()]


async def list_asked(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    since: datetime,
    until: datetime,
    confidence: float,
    visitor: str,
    seed: str,
    limit: int,
) -> list[Suggestion]:
    """Questions that two known askers asked (or four visitors), and that shared documents answered so surely.

    None whose answer anybody rated down. `visitor`: how the names of visitors begin.
    """
    values = {
        "tenant_id": tenant_id,
        "chatbot_id": chatbot_id,
        "since": since,
        "until": until,
        "confidence": confidence,
        "visitor": visitor,
        "seed": seed,
        "limit": limit,
    }
    rows = await connection.execute(_ASKED, values)
    return [
        Suggestion(text=row.text, language=row.language, source=SuggestionSource.ASKED, document_id=row.document_id)
        for row in rows
    ]

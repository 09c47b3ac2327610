"""Keyword search in PostgreSQL: postings in rows of one term and one document version, scored by BM25 in SQL.

Equality of text and uuid is leakproof, so the primary key (tenant, chatbot, term, version) is used under row-level
security, which bars a GIN index on a tsvector (all rows of the tenant would be filtered instead).

Measured as the application role on 2 busy cores, questions of 3 to 8 words over Zipf-distributed text, `limit` 50,
p50 / p95: 2,000 chunks 2.6 / 5.5 ms; 100,000 chunks 57 / 149 ms (a typical question has a word in 23,000 of them).
Time goes with the postings read, 2 to 3 µs each. Per chunk 31 rows of 203 bytes for English pages, 118 for Japanese.
"""

# ruff: noqa: S608 - the SQL is put together from constants of this file and one integer; every value is a parameter

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.text.terms import analyse, analyse_query
from dragoman.ports.keyword_index import KeywordChunk, KeywordFound, KeywordHit, KeywordTerm
from dragoman.ports.search_scope import SearchScope

_LONGEST_TERM = 200  # characters; a b-tree entry holds 2,700 bytes, and nobody types more
_LONGEST_QUESTION = 20_000  # characters that are read of a question
_MOST_TOKENS = 64  # of a question are searched, the rarest; a pasted page would otherwise read half the index
_HIGHEST_FREQUENCY = (1 << 12) - 1  # BM25 is flat long before
_GREATEST_LENGTH = (1 << 20) - 1

_Token = tuple[str, ...]


class Settings(BaseModel):
    """The two parameters of BM25."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k1: float = Field(default=1.2, ge=0, description="How soon further occurrences of a word stop counting.")
    b: float = Field(
        default=0.75, ge=0, le=1, description="How far long chunks are marked down: 0 not at all, 1 fully."
    )


class Adapter:
    """BM25 as in Robertson and Zaragoza 2009, `idf = ln(1 + (N - df + 0.5) / (df + 0.5))`.

    `N`, the average length and `df` count what the scope can see, so that private documents of others leave no trace
    in a score; a filter by language is applied to the hits only. A token's part of the score is that of its best
    alternative.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def add(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        versions: Mapping[UUID, Sequence[KeywordChunk]],
    ) -> None:
        rows, lengths = await asyncio.to_thread(_rows, versions)
        parameters = {"tenant_id": tenant_id, "version_ids": list(versions), "lengths": lengths}
        earlier = (await connection.exec_driver_sql(_SET_LENGTHS, parameters)).scalars().all()
        if earlier:
            await connection.exec_driver_sql(_DELETE, {"tenant_id": tenant_id, "version_ids": earlier})
        place = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "version_ids": list(versions)}
        await connection.exec_driver_sql(_INSERT, {**place, **rows})

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
        await connection.exec_driver_sql(_DELETE, {"tenant_id": tenant_id, "version_ids": [version_id]})

    async def search(
        self,
        connection: AsyncConnection,
        *,
        scope: SearchScope,
        query: str,
        languages: Sequence[str],
        limit: int,
        also: Sequence[UUID] = (),
        question_language: str = "",
    ) -> KeywordFound:
        tokens = analyse_query(query[:_LONGEST_QUESTION], languages, question_language=question_language)
        if len(tokens) > _MOST_TOKENS:
            tokens = await _rarest(connection, scope, tokens)
        if not tokens or limit <= 0:
            return KeywordFound(hits=(), terms=())
        result = await connection.exec_driver_sql(
            _search(scope),
            {
                **_scope_parameters(scope),
                **_token_parameters(tokens),
                "k1": self._settings.k1,
                "b": self._settings.b,
                "limit": limit,
                "also": list(also),
            },
        )
        rows = result.all()
        hits = [
            KeywordHit(chunk_id=row.chunk_id, score=row.score, matched_weight=min(1.0, row.matched_weight))
            for row in rows
            if row.chunk_id is not None
        ]
        weights = dict(rows[0].weights)
        terms = [
            KeywordTerm(alternatives=token, weight=weights[number])
            for number, token in enumerate(tokens)
            if number in weights
        ]
        return KeywordFound(hits=_best(hits, limit, frozenset(also)), terms=terms)


def _best(hits: list[KeywordHit], limit: int, also: frozenset[UUID]) -> list[KeywordHit]:
    ordered = sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))
    return [hit for rank, hit in enumerate(ordered) if rank < limit or hit.chunk_id in also]


# --- the question ----------------------------------------------------------------------------------------------------


def _token_parameters(tokens: Sequence[_Token]) -> dict[str, Any]:
    pairs = [(term[:_LONGEST_TERM], number) for number, token in enumerate(tokens) for term in token]
    return {
        "distinct_terms": list(dict.fromkeys(term for term, _ in pairs)),
        "terms": [term for term, _ in pairs],
        "tokens": [number for _, number in pairs],
    }


async def _rarest(connection: AsyncConnection, scope: SearchScope, tokens: Sequence[_Token]) -> list[_Token]:
    """The rarest of a long question's tokens among those that occur at all, in their order."""
    parameters = {**_scope_parameters(scope), **_token_parameters(tokens)}
    counts: dict[int, int] = {row.token: row.rows for row in await connection.exec_driver_sql(_COUNT_ROWS, parameters)}
    kept = sorted(counts, key=lambda number: (counts[number], number))[:_MOST_TOKENS]
    return [tokens[number] for number in sorted(kept)]


_TOKENS = "unnest(%(terms)s::text[], %(tokens)s::int[]) as token (term, token)"
_COUNT_ROWS = f"""
    select token, count(*) as rows
    from {_TOKENS} join keyword_postings p on p.term = token.term
    where p.tenant_id = %(tenant_id)s and p.chatbot_id = %(chatbot_id)s
        and p.term = any(%(distinct_terms)s::text[])
    group by token"""


# --- the search ------------------------------------------------------------------------------------------------------


def _scope_parameters(scope: SearchScope) -> dict[str, Any]:
    return {
        "tenant_id": scope.tenant_id,
        "chatbot_id": scope.chatbot_id,
        "owner": scope.owner,
        "document_ids": _as_list(scope.document_ids),
        "languages": _as_list(scope.languages),
        "content_types": _as_list(scope.content_types),
        "categories": _as_list(scope.categories),
    }


def _as_list(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _visible(scope: SearchScope) -> str:
    """The CTE of the document versions that the scope sees: live, not deleted, shared or the asker's own."""
    conditions = [
        "d.tenant_id = %(tenant_id)s",
        "d.chatbot_id = %(chatbot_id)s",
        "d.deleted_at is null",
        "d.live_version_id is not null",
        "d.visibility = 'shared'" if scope.owner is None else "(d.visibility = 'shared' or d.owner = %(owner)s)",
    ]
    if scope.document_ids is not None:
        conditions.append("d.id = any(%(document_ids)s::uuid[])")
    if scope.content_types is not None:
        conditions.append("d.content_type = any(%(content_types)s::text[])")
    if scope.categories is not None:
        conditions.append("d.category = any(%(categories)s::text[])")
    return (
        "visible as materialized (select d.live_version_id as version_id from documents d "
        f"where {' and '.join(conditions)})"
    )


_COLLECTION = """
    collection as materialized (
        select coalesce(sum(v.chunk_count), 0)::float8 as chunks,
            greatest(sum(v.keyword_length)::float8 / nullif(sum(v.chunk_count), 0), 1) as average_length
        from document_versions v join visible on visible.version_id = v.id
        where v.tenant_id = %(tenant_id)s
    )"""

# The index is read first and visibility tested after: the other way round it is probed once for each document. `is true`
# keeps the test from becoming a join, which goes wrong while the tables have no statistics (39 ms instead of 12 in
# the minute after a first ingestion of 1,000 Japanese chunks).
_MATCHES = f"""
    postings as materialized (
        select p.term, p.version_id, p.postings
        from keyword_postings p
        where p.tenant_id = %(tenant_id)s and p.chatbot_id = %(chatbot_id)s
            and p.term = any(%(distinct_terms)s::text[])
            and (p.version_id in (select version_id from visible)) is true
    ), matches as materialized (
        select token.token, postings.version_id, posting >> 32 as ordinal, max(
            (posting >> 20 & 4095) * (%(k1)s::float8 + 1) / ((posting >> 20 & 4095) + %(k1)s::float8
                * (1 - %(b)s::float8 + %(b)s::float8 * (posting & 1048575) / collection.average_length))
        ) as saturation
        from postings
        join {_TOKENS} using (term)
        cross join collection
        cross join unnest(postings.postings) as posting
        group by token.token, postings.version_id, posting >> 32
    )"""

_WEIGHTS = f"""
    weights as materialized (
        select token.token,
            ln(1 + (greatest(collection.chunks, found.chunks) - coalesce(found.chunks, 0) + 0.5)
                / (coalesce(found.chunks, 0) + 0.5)) as idf
        from (select distinct token from {_TOKENS}) as token
        left join (select token, count(*)::float8 as chunks from matches group by token) as found using (token)
        cross join collection
    )"""


def _search(scope: SearchScope) -> str:
    """One statement. Scores are rounded to `real`, so that equal ones tie whatever the order of the addition was.

    `or` and the scalar subquery keep the planner from joining on the guessed size of `scored`, which it gets wrong.
    """
    language = """
        where exists (
            select from chunks k
            where k.tenant_id = %(tenant_id)s and k.version_id = matches.version_id
                and k.ordinal = matches.ordinal and k.language = any(%(languages)s::text[])
        )"""
    return f"""
    with {_visible(scope)}, {_COLLECTION}, {_MATCHES}, {_WEIGHTS}, scored as materialized (
        select version_id, ordinal, sum(idf * saturation)::real as score, sum(idf) as matched
        from matches join weights using (token)
        {"" if scope.languages is None else language}
        group by version_id, ordinal
    ), wanted as materialized (
        select version_id, ordinal from chunks
        where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and id = any(%(also)s::uuid[])
    )
    select score, matched / (select sum(idf) from weights) as matched_weight, (
        select k.id from chunks k
        where k.tenant_id = %(tenant_id)s and k.version_id = scored.version_id and k.ordinal = scored.ordinal
    ) as chunk_id, (select json_agg(json_build_array(token, idf)) from weights) as weights
    from (select) as always left join scored
        on score >= (
            select min(score) from (select score from scored order by score desc limit %(limit)s) as best
        )
        or (version_id, ordinal) in (select version_id, ordinal from wanted)"""


# --- writing ---------------------------------------------------------------------------------------------------------


def _postings(chunks: Sequence[KeywordChunk]) -> tuple[dict[str, list[int]], int]:
    """For each term one number a chunk (its ordinal, frequency and length in one), and the terms in all chunks."""
    postings: dict[str, list[int]] = defaultdict(list)
    total_length = 0
    for chunk in chunks:
        terms = analyse(chunk.text, chunk.language)
        total_length += len(terms)
        place = chunk.ordinal << 32 | min(len(terms), _GREATEST_LENGTH)
        for term, frequency in _frequencies(terms).items():
            postings[term].append(place | min(frequency, _HIGHEST_FREQUENCY) << 20)
    return postings, total_length


def _frequencies(terms: Sequence[str]) -> Counter[str]:
    frequencies = Counter(terms)
    for term in [term for term in frequencies if len(term) > _LONGEST_TERM]:
        frequencies[term[:_LONGEST_TERM]] += frequencies.pop(term)
    return frequencies


def _rows(versions: Mapping[UUID, Sequence[KeywordChunk]]) -> tuple[dict[str, str], list[int]]:
    """The postings in the order of the index, as parameters of `_INSERT`, and the terms in each version."""
    rows: list[tuple[str, int, list[int]]] = []
    lengths: list[int] = []
    for number, chunks in enumerate(versions.values(), start=1):
        postings, total_length = _postings(chunks)
        lengths.append(total_length)
        rows += [(term, number, of_chunks) for term, of_chunks in postings.items()]
    rows.sort()
    parameters = {
        "terms": " ".join([term for term, _, _ in rows]),  # no term holds a space
        "numbers": " ".join([str(number) for _, number, _ in rows]),
        "postings": " ".join([f"{{{','.join(map(str, of_chunks))}}}" for _, _, of_chunks in rows]),
    }
    return parameters, lengths


_DELETE = "delete from keyword_postings where tenant_id = %(tenant_id)s and version_id = any(%(version_ids)s::uuid[])"
# Three long texts, in which a version is named by its number: PostgreSQL reads them in a third of the time of JSON.
_INSERT = """
    insert into keyword_postings (tenant_id, chatbot_id, term, version_id, postings)
    select %(tenant_id)s, %(chatbot_id)s, term, (%(version_ids)s::uuid[])[number::int], postings::bigint[]
    from unnest(
        string_to_array(%(terms)s, ' '), string_to_array(%(numbers)s, ' '), string_to_array(%(postings)s, ' ')
    ) as row (term, number, postings)"""
# Returns those of the versions that were indexed before.
_SET_LENGTHS = """
    with written as (
        update document_versions v set keyword_length = row.length
        from unnest(%(version_ids)s::uuid[], %(lengths)s::bigint[]) as row (version_id, length)
        where v.tenant_id = %(tenant_id)s and v.id = row.version_id
    )
    select id from document_versions
    where tenant_id = %(tenant_id)s and id = any(%(version_ids)s::uuid[]) and keyword_length > 0"""

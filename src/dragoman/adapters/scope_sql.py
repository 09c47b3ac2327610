"""The SQL of a `SearchScope`, shared by the indexes that live in PostgreSQL.

Every value is a parameter; only constants of this file are put together.
"""

from __future__ import annotations

from typing import Any, Final

from dragoman.ports.search_scope import Condition, SearchScope

_OF_DOCUMENT: Final = {
    "document": "(d.id::text = any({values}) or coalesce(d.external_id, '') = any({values}))",
    "content_type": "d.content_type = any({values})",
    "category": "d.category = any({values})",
    "tag": "d.tags && {values}",
}
_OF_CHUNK: Final = {
    "language": "k.language = any({values})",
    "heading": "exists (select from unnest(k.heading_path) as heading where lower(heading) = any({values}))",
}


def scope_parameters(scope: SearchScope) -> dict[str, Any]:
    """The values that the SQL of this file refers to, by name."""
    parameters: dict[str, Any] = {
        "tenant_id": scope.tenant_id,
        "chatbot_id": scope.chatbot_id,
        "owner": scope.owner,
        "dated_from": scope.dated_from,
        "dated_before": scope.dated_before,
        "document_ids": None if scope.document_ids is None else list(scope.document_ids),
        "languages": None if scope.languages is None else list(scope.languages),
        "content_types": None if scope.content_types is None else list(scope.content_types),
        "categories": None if scope.categories is None else list(scope.categories),
    }
    for number, condition in enumerate(scope.conditions):
        fold = condition.field == "heading"
        parameters[f"values_{number}"] = [value.lower() if fold else value for value in condition.values]
    return parameters


def visible_versions(scope: SearchScope) -> str:
    """A SELECT of the document versions in scope: live, not deleted, shared or the asker's own. Column `version_id`."""
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
    conditions += _conditions(scope, _OF_DOCUMENT)
    dated = [
        sql
        for value, sql in (
            (scope.dated_from, "v.created_at >= %(dated_from)s"),
            (scope.dated_before, "v.created_at < %(dated_before)s"),
        )
        if value is not None
    ]
    if dated:
        conditions.append(
            "exists (select from document_versions v where v.tenant_id = d.tenant_id and v.id = d.live_version_id "
            f"and {' and '.join(dated)})"
        )
    return f"select d.live_version_id as version_id from documents d where {' and '.join(conditions)}"  # noqa: S608 - of constants


def chunk_conditions(scope: SearchScope) -> str:
    """What a row of `chunks k` must fulfil besides belonging to a visible version; empty where nothing is asked."""
    conditions = [] if scope.languages is None else ["k.language = any(%(languages)s::text[])"]
    return " and ".join([*conditions, *_conditions(scope, _OF_CHUNK)])


def _conditions(scope: SearchScope, known: dict[str, str]) -> list[str]:
    return [
        _negated(known[condition.field].format(values=f"%(values_{number})s::text[]"), condition)
        for number, condition in enumerate(scope.conditions)
        if condition.field in known
    ]


def _negated(sql: str, condition: Condition) -> str:
    return f"not {sql}" if condition.is_negated else sql

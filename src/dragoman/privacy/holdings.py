"""The register of what is held about a person: which rows, and what becomes of them when the person is erased.

Each room that keeps something about askers adds a `Holding` here. What follows the customs of the schema needs none: a table
with a text column `asker` loses the person's rows, a column that names who did something (`created_by` …) gets a
pseudonym, and what refers to a user goes with the user's row. A test goes through all tables and finds what is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, Text, Uuid, false, or_

from dragoman.accounts.repository import address_of_user
from dragoman.accounts.tables import one_time_links, user_passwords
from dragoman.chat.repository import ids_of_chatbots_asked_by, ids_of_sessions_of
from dragoman.chat.tables import messages, sessions, turns
from dragoman.feedback.tables import improvement_reports
from dragoman.kit.database import metadata
from dragoman.knowledge.repository import ids_of_private_documents_of
from dragoman.knowledge.tables import document_versions, documents
from dragoman.metering.tables import budget_spending, budgets, usage_records
from dragoman.privacy.entities import Subject
from dragoman.tenancy.tables import api_keys, users

Condition = Callable[[Subject], ColumnElement[bool]]

DOING_COLUMNS: Final = frozenset(
    {
        "owner",
        "uploaded_by",
        "decided_by",
        "created_by",
        "requested_by",
        "acknowledged_by",
        "updated_by",
        "invited_by",
        "revoked_by",
        "resolved_by",
        "silenced_by",
        "changed_by",
        "by",
    }
)
"""Columns that name who did something to a thing that others share: the thing stays, the name goes."""

SECRET_COLUMNS: Final = frozenset(
    {"secret_hash", "password_hash", "token_hash", "sealed_secrets", "sealed_secret", "signature", "salt", "seal"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Rows about a person.

    Attributes:
        name: of the file in the archive.
        of: which rows are theirs.
        is_exported: whether the person is given them; not what tells of others too.
        is_deleted: whether these rows are deleted with the person; else `blanked` is written over their columns, or
            they go with others (`sessions` take messages and turns along).
    """

    name: str
    table: Table
    of: Condition
    is_deleted: bool = False
    is_exported: bool = True
    blanked: Mapping[str, Any] = field(default_factory=dict)


def _own_sessions(subject: Subject) -> ColumnElement[bool]:
    return (sessions.c.tenant_id == subject.tenant_id) & (sessions.c.asker == subject.asker)


def _in_own_sessions(column: ColumnElement[Any]) -> Condition:
    return lambda subject: column.in_(ids_of_sessions_of(tenant_id=subject.tenant_id, asker=subject.asker))


def _own_documents(subject: Subject) -> ColumnElement[bool]:
    return (documents.c.owner == subject.asker) & (documents.c.visibility == "private")


def _versions_of_own(subject: Subject) -> ColumnElement[bool]:
    own = ids_of_private_documents_of(tenant_id=subject.tenant_id, owner=subject.asker)
    return document_versions.c.document_id.in_(own)


def _spent(table: Table) -> Condition:
    return lambda subject: (table.c.scope == "user") & (table.c.subject == subject.asker)


def _own_usage(subject: Subject) -> ColumnElement[bool]:
    return or_(usage_records.c.asker == subject.asker, _in_own_sessions(usage_records.c.session_id)(subject))


def _reports_of_asked(subject: Subject) -> ColumnElement[bool]:
    return improvement_reports.c.chatbot_id.in_(
        ids_of_chatbots_asked_by(tenant_id=subject.tenant_id, asker=subject.asker)
    )


def _own_links(subject: Subject) -> ColumnElement[bool]:
    """Also an invitation of the address, from before there was a user."""
    if subject.user_id is None:
        return false()
    return one_time_links.c.email.in_(address_of_user(tenant_id=subject.tenant_id, user_id=subject.user_id))


NAMED: Final[tuple[Holding, ...]] = (
    Holding(name="one_time_links", table=one_time_links, of=_own_links, is_deleted=True, is_exported=False),
    Holding(
        name="password",
        table=user_passwords,
        of=lambda subject: _is_user(user_passwords.c.user_id, subject),
        is_deleted=True,
        is_exported=False,
    ),
    # They quote questions of all who asked. The next one is made without the person.
    Holding(
        name="improvement_reports",
        table=improvement_reports,
        of=_reports_of_asked,
        is_deleted=True,
        is_exported=False,
    ),
    Holding(name="usage", table=usage_records, of=_own_usage, blanked={"asker": None, "session_id": None}),
    Holding(name="turns", table=turns, of=_in_own_sessions(turns.c.session_id)),
    Holding(name="messages", table=messages, of=_in_own_sessions(messages.c.session_id)),
    Holding(name="sessions", table=sessions, of=_own_sessions, is_deleted=True),
    Holding(name="budgets", table=budgets, of=_spent(budgets), is_deleted=True),
    Holding(name="budget_spending", table=budget_spending, of=_spent(budget_spending), is_deleted=True),
    Holding(name="document_versions", table=document_versions, of=_versions_of_own),
    Holding(name="documents", table=documents, of=_own_documents),
    Holding(
        name="keys",
        table=api_keys,
        of=lambda subject: _is_user(api_keys.c.user_id, subject),
        is_deleted=True,
    ),
    Holding(name="account", table=users, of=lambda subject: _is_user(users.c.id, subject)),
)
"""Those that do not follow the customs. Usage comes before sessions, by which it is found."""


def holdings() -> list[Holding]:
    """All of them, in an order in which they can be erased."""
    named = {holding.table.name for holding in NAMED}
    customary = [_by_custom(table) for table in metadata.sorted_tables[::-1] if table.name not in named]
    return [*(holding for holding in customary if holding is not None), *NAMED]


def _by_custom(table: Table) -> Holding | None:
    asker = table.c.get("asker")
    if asker is not None and isinstance(asker.type, Text):
        return Holding(name=table.name, table=table, of=_equals_asker(asker), is_deleted=True)
    user_id = table.c.get("user_id")
    if user_id is not None and isinstance(user_id.type, Uuid):
        return Holding(name=table.name, table=table, of=_equals_user(user_id), is_deleted=True)
    return None


def _equals_asker(column: Column[Any]) -> Condition:
    return lambda subject: column == subject.asker


def _equals_user(column: Column[Any]) -> Condition:
    return lambda subject: _is_user(column, subject)


def _is_user(column: ColumnElement[Any], subject: Subject) -> ColumnElement[bool]:
    """Never true of somebody who is no user: `= null` would mean all rows that belong to nobody."""
    return false() if subject.user_id is None else column == subject.user_id


def doing_columns() -> list[Column[Any]]:
    """Columns that name who did something, in all tables."""
    return [
        column
        for table in metadata.sorted_tables
        if table.name not in ("audit_events", "privacy_requests")
        for column in table.columns
        if column.name in DOING_COLUMNS and isinstance(column.type, Text)
    ]

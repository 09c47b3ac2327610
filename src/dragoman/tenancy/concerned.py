"""Which chatbot a request concerns, and what the caller may do there.

Only for callers whose rights differ from chatbot to chatbot (`Caller.reach`): all others have the permissions of their
role, and nothing is looked up. The chatbot is found by the names under which the request gives ids: in its path, query,
form or JSON body. What cannot be told never gives more than the role in the tenant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final
from uuid import UUID

from dragoman.kit.database import Database
from dragoman.kit.errors import NotFoundError
from dragoman.tenancy import access, repository
from dragoman.tenancy.entities import Caller, Permission, Reach
from dragoman.tenancy.errors import ForbiddenError

Named = Mapping[str, frozenset[str]]
"""Values of a request by their names; those that are no ids say nothing."""

LOCATED_BY: Final[Mapping[str, str]] = {
    "chatbot_id": "tenancy.chatbot_not_found",
    "model": "openai.model_not_found",
    "document_id": "knowledge.document_not_found",
    "document_ids": "knowledge.document_not_found",
    "session_id": "chat.session_not_found",
    "message_id": "chat.message_not_found",
    "import_id": "jobs.group_not_found",
    "connector_id": "connectors.not_found",
    "job_id": "jobs.not_found",
    "search_id": "search.search_not_found",
    "widget_key_id": "tenancy.widget_key_not_found",
    "feedback_id": "feedback.not_found",
    "report_id": "feedback.report_not_found",
}
"""The names that tell a chatbot, and the error of what is in one that the caller does not see: the same as of what
does not exist."""

MEANS_DEFAULT: Final = frozenset(
    {
        "POST /api/search",
        "POST /api/chatbot/sessions",
        "GET /api/chatbot/documents",
        "POST /api/chatbot/documents",
        "POST /api/chatbot/documents/batch",
        "POST /api/chatbot/documents/urls",
        "GET /api/chatbot/documents/events",
        "POST /api/upload-training-data",
        "POST /api/chatbot/imports",
        "POST /api/chatbot/connectors",
    }
)
"""Operations that mean the default chatbot when they choose none."""

LEAVES_OUT: Final = frozenset(
    {
        "GET /api/chatbots",
        "GET /api/adapters",
        "GET /api/chatbot/sessions",
        "GET /api/chatbot/imports",
        "GET /api/chatbot/connectors",
        "GET /api/jobs",
        "GET /v1/models",
        "GET /api/search/rerankers",
        "POST /api/search/batch",
        "POST /v1/embeddings",
        "POST /api/chatbots",
    }
)
"""Operations about several chatbots, or none, that leave out by themselves what their caller does not see. All others
that name no chatbot are refused to callers from whom one is hidden."""

_CHOOSING: Final = frozenset({"chatbot_id", "session_id", "model"})
"""What says which chatbot is meant. Other ids, such as those of documents to search in, only add theirs."""

_MODEL: Final = "dragoman"
_EXTENSION: Final = "dragoman"  # what our own parameters stand under in a request of the OpenAI API


async def on_its_chatbot(
    database: Database, caller: Caller, permission: Permission, *, operation: str, named: Named
) -> Caller:
    """The caller with the permissions that it has on the chatbot of this request.

    Args:
        permission: that the operation needs.
        named: what the request says under names that the operation knows: what it does not know must not give rights.
        operation: method and path as the route has it, without a slash at the end.

    Raises:
        ForbiddenError, or the error of what does not exist: the chatbot is hidden from the caller. Who would be
            refused for an id that does not exist is refused for this one too, so that nothing can be told from it.
    """
    reach = caller.reach
    if reach is None:
        return access.require(caller, permission)
    chatbots = await _chatbots(database, caller, reach, named)
    for name, found in chatbots.items():
        if not all(map(reach.sees, found)):
            access.require(caller, permission)
            raise _not_found(name)
    concerned: frozenset[UUID] = frozenset().union(*chatbots.values())
    if operation in MEANS_DEFAULT and not _CHOOSING & chatbots.keys():
        default = reach.default_chatbot_id
        if default is None or not reach.sees(default):
            return access.require(caller, permission)
        concerned |= {default}
    if not concerned and not named and operation not in LEAVES_OUT and (reach.hidden or reach.only):
        access.require(caller, permission)
        raise ForbiddenError("This is about all chatbots, and some are not for you. Name one as `chatbot_id`.")
    if not concerned:
        return access.require(caller, permission)
    common = frozenset.intersection(*(access.permissions_on(caller, each) for each in concerned))
    return access.require(replace(caller, permissions=common), permission)


def names_in(body: Any) -> Iterator[tuple[str, str]]:
    """The names and values in a body that may tell a chatbot.

    Those at its top, and no deeper: what stands in `metadata` or `settings` is no id of ours.
    """
    if not isinstance(body, dict):
        return
    for name, value in body.items():
        if name in LOCATED_BY:
            yield from (
                (name, item) for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)
            )
        elif name == _EXTENSION:
            yield from names_in(value)


async def _chatbots(database: Database, caller: Caller, reach: Reach, named: Named) -> dict[str, frozenset[UUID]]:
    """The chatbots by the names that told them."""
    found: dict[str, frozenset[UUID]] = {}
    for name, values in named.items():
        if name == "model":
            found[name] = frozenset(each for value in values if (each := _chatbot_of_model(value, reach)))
            continue
        ids = [each for value in values if (each := _id(value))]
        if name == "chatbot_id":
            found[name] = frozenset(ids)
        elif ids:
            kind = "document_id" if name == "document_ids" else name
            async with database.reading(caller.tenant_id) as reading:
                of_these = await repository.list_chatbots_of(reading, tenant_id=caller.tenant_id, name=kind, ids=ids)
            found[name] = frozenset(of_these)
    return found


def _id(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def _chatbot_of_model(model: str, reach: Reach) -> UUID | None:
    """As the OpenAI API names chatbots; other models belong to none."""
    return reach.default_chatbot_id if model == _MODEL else _id(model.removeprefix(f"{_MODEL}-"))


def _not_found(name: str) -> NotFoundError:
    return _errors()[LOCATED_BY[name]]()


@cache
def _errors() -> Mapping[str, type[NotFoundError]]:
    """The errors of all rooms by their codes; the rooms are imported by whoever serves requests."""
    known: dict[str, type[NotFoundError]] = {}
    waiting = [NotFoundError]
    while waiting:
        kind = waiting.pop()
        known.setdefault(kind.code, kind)
        waiting += kind.__subclasses__()
    return known

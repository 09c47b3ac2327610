"""A chatbot's own prompt templates: written, listed, chosen. A version is never changed; another one is written."""

from __future__ import annotations

from uuid import UUID

from dragoman.generation import repository, templates
from dragoman.generation.entities import PromptTemplate
from dragoman.kit.database import Database
from dragoman.kit.errors import NotFoundError
from dragoman.kit.pagination import Page, PageRequest
from dragoman.kit.reading import Reader
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot


class TemplateNotFoundError(NotFoundError):
    """The chatbot has no prompt template of this version. `GET …/prompts/` lists those that it has."""

    code = "generation.template_not_found"


async def create_template(
    database: Database, caller: Caller, chatbot_id: UUID, *, text: str, note: str, is_used: bool
) -> PromptTemplate:
    """The next version, in use from the next question on where `is_used`.

    Raises:
        ChatbotNotFoundError, InvalidTemplateError.
    """
    templates.check(text)
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        await repository.lock_chatbot(connection, chatbot_id=chatbot.id)
        made = await repository.insert_template(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=chatbot.id,
            text=text,
            note=note,
            created_by=caller.asker,
        )
        await audit.record(
            connection,
            caller,
            "prompt.created",
            subject_type="chatbot",
            subject_id=chatbot.id,
            version=made.version,
            note=note,
        )
    if is_used:
        await use_template(database, caller, chatbot_id, made.version)
    return made


async def use_template(database: Database, caller: Caller, chatbot_id: UUID, version: int) -> Chatbot:
    """Let the chatbot answer by this version; 0: by the built-in template.

    Raises:
        ChatbotNotFoundError, TemplateNotFoundError.
    """
    if version:
        await get_template(database, caller, chatbot_id, version)
    settings = {"prompt_version": version or None}
    return await tenancy.update_chatbot(
        database, caller, chatbot_id, name=None, description=None, settings=settings, is_default=None
    )


async def get_template(database: Database, caller: Caller, chatbot_id: UUID, version: int) -> PromptTemplate:
    """Raises ChatbotNotFoundError, TemplateNotFoundError."""
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        found = await repository.find_template(
            connection, tenant_id=caller.tenant_id, chatbot_id=chatbot.id, version=version
        )
    if found is None:
        raise TemplateNotFoundError
    return found


async def list_templates(
    database: Database, caller: Caller, chatbot_id: UUID, page: PageRequest
) -> tuple[Page[PromptTemplate], Chatbot]:
    """The versions, the latest first, and the chatbot, whose setting `prompt_version` is in use. Raises ChatbotNotFoundError."""
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        items, total = await repository.list_templates(
            connection, tenant_id=caller.tenant_id, chatbot_id=chatbot.id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset), chatbot


async def template_of(connection: Reader, chatbot: Chatbot) -> PromptTemplate | None:
    """The template that the chatbot answers by; None: the built-in one, or its version is not there."""
    version = tenancy.settings_of(chatbot).prompt_version
    if version is None:
        return None
    return await repository.find_template(
        connection, tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, version=version
    )

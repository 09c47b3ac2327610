"""HTTP: the prompt templates of a chatbot."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, status

from dragoman.generation import prompt_versions, prompts, templates
from dragoman.generation.schemas import (
    TemplateChoice,
    TemplateIn,
    TemplateList,
    TemplateOut,
    TemplatePreview,
    TemplatePreviewIn,
)
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.http import CallerWhoManagesChatbots, DatabaseDep, PageDep

router = APIRouter()
VersionPath = Annotated[int, Path(ge=1, le=2_000_000_000)]


@router.get("/api/chatbots/{chatbot_id}/prompts/", tags=["chatbots"])
async def list_prompts(
    chatbot_id: UUID, caller: CallerWhoManagesChatbots, database: DatabaseDep, page: PageDep
) -> TemplateList:
    """List the prompt templates of a chatbot, the latest first, and the built-in one to begin with."""
    found, chatbot = await prompt_versions.list_templates(database, caller, chatbot_id, page)
    used = tenancy.settings_of(chatbot).prompt_version
    return TemplateList(
        built_in=TemplateOut.built_in(prompts.DEFAULT, used=used),
        templates=[TemplateOut.of(template, used=used) for template in found.items],
        variables=dict(templates.VARIABLES),
        total=found.total,
        limit=found.limit,
        offset=found.offset,
    )


@router.post("/api/chatbots/{chatbot_id}/prompts/", status_code=status.HTTP_201_CREATED, tags=["chatbots"])
async def create_prompt(
    chatbot_id: UUID, body: TemplateIn, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> TemplateOut:
    """Write the next version of a chatbot's prompt template."""
    made = await prompt_versions.create_template(
        database, caller, chatbot_id, text=body.text, note=body.note, is_used=body.use
    )
    return TemplateOut.of(made, used=made.version if body.use else None)


@router.put("/api/chatbots/{chatbot_id}/prompts/used/", status_code=status.HTTP_204_NO_CONTENT, tags=["chatbots"])
async def use_prompt(
    chatbot_id: UUID, body: TemplateChoice, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> None:
    """Let a chatbot answer by one of its prompt templates, or by the built-in one again."""
    await prompt_versions.use_template(database, caller, chatbot_id, body.version)


@router.post("/api/chatbots/{chatbot_id}/prompts/preview/", tags=["chatbots"])
async def preview_prompt(
    chatbot_id: UUID, body: TemplatePreviewIn, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> TemplatePreview:
    """Show what a template would tell the language model, without keeping it."""
    templates.check(body.text)
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    return TemplatePreview(system_message=prompts.system_message_of(chatbot, body.language, body.text))


@router.get("/api/chatbots/{chatbot_id}/prompts/{prompt_version}/", tags=["chatbots"])
async def get_prompt(
    chatbot_id: UUID, prompt_version: VersionPath, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> TemplateOut:
    """Show one version."""
    template = await prompt_versions.get_template(database, caller, chatbot_id, prompt_version)
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    return TemplateOut.of(template, used=tenancy.settings_of(chatbot).prompt_version)

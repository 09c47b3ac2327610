"""HTTP: chatbots and API keys. (Deleting a chatbot takes its documents along: see `knowledge/endpoints.py`.)"""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, status

from dragoman.tenancy import service
from dragoman.tenancy.http import (
    CallerWhoManagesChatbots,
    CallerWhoManagesKeys,
    CallerWhoReadsChatbots,
    DatabaseDep,
    PageDep,
)
from dragoman.tenancy.schemas import (
    ChatbotIn,
    ChatbotList,
    ChatbotOut,
    ChatbotPatch,
    CreatedKeyOut,
    KeyIn,
    KeyList,
    KeyOut,
)

router = APIRouter()


@router.post("/api/chatbots/", status_code=status.HTTP_201_CREATED, tags=["chatbots"])
async def create_chatbot(
    body: ChatbotIn, caller: CallerWhoManagesChatbots, database: DatabaseDep, request: Request
) -> ChatbotOut:
    """Make a chatbot; it has its own documents, conversations and settings."""
    chatbot = await service.create_chatbot(
        database,
        caller,
        name=body.name,
        description=body.description,
        settings=body.settings,
        embedding_version=request.app.state.embedding_version_id,
    )
    return ChatbotOut.of(chatbot)


@router.get("/api/chatbots/", tags=["chatbots"])
async def list_chatbots(caller: CallerWhoReadsChatbots, database: DatabaseDep, page: PageDep) -> ChatbotList:
    """List the chatbots of your tenant."""
    found = await service.list_chatbots(database, caller, page)
    items = [ChatbotOut.of(chatbot) for chatbot in found.items]
    return ChatbotList(chatbots=items, total=found.total, limit=page.limit, offset=page.offset)


@router.get("/api/chatbots/{chatbot_id}/", tags=["chatbots"])
async def get_chatbot(chatbot_id: UUID, caller: CallerWhoReadsChatbots, database: DatabaseDep) -> ChatbotOut:
    """Show one chatbot with all its settings."""
    async with database.transaction(caller.tenant_id) as connection:
        return ChatbotOut.of(await service.get_chatbot(connection, caller, chatbot_id))


@router.patch("/api/chatbots/{chatbot_id}/", tags=["chatbots"])
async def update_chatbot(
    chatbot_id: UUID, body: ChatbotPatch, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> ChatbotOut:
    """Change name, description or settings, or make it the default chatbot."""
    chatbot = await service.update_chatbot(
        database,
        caller,
        chatbot_id,
        name=body.name,
        description=body.description,
        settings=body.settings,
        is_default=body.is_default,
    )
    return ChatbotOut.of(chatbot)


@router.post("/api/keys/", status_code=status.HTTP_201_CREATED, tags=["API keys"])
async def create_key(body: KeyIn, caller: CallerWhoManagesKeys, database: DatabaseDep) -> CreatedKeyOut:
    """Make an API key with at most your own role. The key is in this answer and nowhere else."""
    created = await service.create_key(
        database,
        caller,
        name=body.name,
        role=body.role,
        user_email=body.user_email,
        chatbot_id=body.chatbot_id,
        may_act_for_users=body.may_act_for_users,
        expires_at=body.expires_at,
    )
    return CreatedKeyOut.of_created(created)


@router.get("/api/keys/", tags=["API keys"])
async def list_keys(caller: CallerWhoManagesKeys, database: DatabaseDep, page: PageDep) -> KeyList:
    """List the API keys of your tenant, without their secrets."""
    found = await service.list_keys(database, caller, page)
    items = [KeyOut.of(key) for key in found.items]
    return KeyList(keys=items, total=found.total, limit=page.limit, offset=page.offset)


@router.delete("/api/keys/{key_id}/", tags=["API keys"])
async def revoke_key(key_id: UUID, caller: CallerWhoManagesKeys, database: DatabaseDep) -> KeyOut:
    """Revoke a key: it opens nothing from now on."""
    return KeyOut.of(await service.revoke_key(database, caller, key_id))

"""HTTP: chatbots, who may have them, and keys. (Deleting a chatbot takes documents along: see `knowledge/endpoints.py`.)"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response, status

from dragoman.tenancy import keys, limits, members, service, service_accounts, widgets
from dragoman.tenancy.http import (
    CallerWhoManagesChatbots,
    CallerWhoManagesKeys,
    CallerWhoManagesTenant,
    CallerWhoReadsChatbots,
    DatabaseDep,
    LimiterDep,
    PageDep,
)
from dragoman.tenancy.quotas import Quotas
from dragoman.tenancy.schemas import (
    ChatbotIn,
    ChatbotList,
    ChatbotOut,
    ChatbotPatch,
    CreatedKeyOut,
    KeyIn,
    KeyList,
    KeyOut,
    KeyPatch,
    LimitsOut,
    MemberIn,
    MemberList,
    MemberOut,
    RotationIn,
    ServiceAccountIn,
    ServiceAccountList,
    ServiceAccountOut,
    ServiceAccountPatch,
    WidgetKeyIn,
    WidgetKeyList,
    WidgetKeyOut,
    WidgetKeyPatch,
    WidgetSettingsOut,
    WidgetTokenIn,
    WidgetTokenOut,
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
        chatbot_access=body.access,
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
        chatbot_access=body.access,
    )
    return ChatbotOut.of(chatbot)


@router.post("/api/keys/", status_code=status.HTTP_201_CREATED, tags=["API keys"])
async def create_key(body: KeyIn, caller: CallerWhoManagesKeys, database: DatabaseDep) -> CreatedKeyOut:
    """Make an API key with at most your own role. The key is in this answer and nowhere else."""
    return CreatedKeyOut.of_created(await keys.make_key(database, caller, body.wanted()))


@router.get("/api/keys/", tags=["API keys"])
async def list_keys(
    caller: CallerWhoManagesKeys,
    database: DatabaseDep,
    page: PageDep,
    service_account_id: Annotated[UUID | None, Query(description="Only those of this service account.")] = None,
) -> KeyList:
    """List the API keys of your tenant, without their secrets."""
    found = await keys.list_keys(database, caller, page, service_account_id=service_account_id)
    items = [KeyOut.of(key) for key in found.items]
    return KeyList(keys=items, total=found.total, limit=page.limit, offset=page.offset)


@router.patch("/api/keys/{key_id}/", tags=["API keys"])
async def update_key(key_id: UUID, body: KeyPatch, caller: CallerWhoManagesKeys, database: DatabaseDep) -> KeyOut:
    """Change name or description of a key. What it may do is settled when it is made."""
    return KeyOut.of(await keys.update_key(database, caller, key_id, name=body.name, description=body.description))


@router.post("/api/keys/{key_id}/rotate/", tags=["API keys"])
async def rotate_key(
    key_id: UUID, caller: CallerWhoManagesKeys, database: DatabaseDep, body: RotationIn | None = None
) -> CreatedKeyOut:
    """Give a key a new secret. The present one goes on working for a while, a day unless you say otherwise."""
    wanted = body or RotationIn.model_validate({})
    grace = timedelta(hours=wanted.grace_hours)
    rotated = await keys.rotate_key(database, caller, key_id, grace=grace, expires_at=wanted.expires_at)
    return CreatedKeyOut.of_created(rotated)


@router.delete("/api/keys/{key_id}/", tags=["API keys"])
async def revoke_key(key_id: UUID, caller: CallerWhoManagesKeys, database: DatabaseDep) -> KeyOut:
    """Revoke a key: it opens nothing from now on."""
    return KeyOut.of(await keys.revoke_key(database, caller, key_id))


# ---- service accounts


@router.post("/api/service-accounts/", status_code=status.HTTP_201_CREATED, tags=["service accounts"])
async def create_service_account(
    body: ServiceAccountIn, caller: CallerWhoManagesKeys, database: DatabaseDep
) -> ServiceAccountOut:
    """Make a machine with a name, with at most your own role. It gets keys like everybody: `POST /api/keys/`."""
    account = await service_accounts.create_service_account(
        database, caller, name=body.name, description=body.description, role=body.role
    )
    return ServiceAccountOut.of(account)


@router.get("/api/service-accounts/", tags=["service accounts"])
async def list_service_accounts(
    caller: CallerWhoManagesKeys, database: DatabaseDep, page: PageDep
) -> ServiceAccountList:
    """List the service accounts of your tenant."""
    found = await service_accounts.list_service_accounts(database, caller, page)
    items = [ServiceAccountOut.of(account) for account in found.items]
    return ServiceAccountList(service_accounts=items, total=found.total, limit=page.limit, offset=page.offset)


@router.get("/api/service-accounts/{service_account_id}/", tags=["service accounts"])
async def get_service_account(
    service_account_id: UUID, caller: CallerWhoManagesKeys, database: DatabaseDep
) -> ServiceAccountOut:
    """Show one service account."""
    async with database.transaction(caller.tenant_id) as connection:
        account = await service_accounts.get_service_account(connection, caller, service_account_id)
    return ServiceAccountOut.of(account)


@router.patch("/api/service-accounts/{service_account_id}/", tags=["service accounts"])
async def update_service_account(
    service_account_id: UUID, body: ServiceAccountPatch, caller: CallerWhoManagesKeys, database: DatabaseDep
) -> ServiceAccountOut:
    """Change name, description or role of a service account, or switch it off and on. Its keys follow."""
    account = await service_accounts.update_service_account(
        database,
        caller,
        service_account_id,
        name=body.name,
        description=body.description,
        role=body.role,
        is_active=body.is_active,
    )
    return ServiceAccountOut.of(account)


@router.delete(
    "/api/service-accounts/{service_account_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["service accounts"]
)
async def delete_service_account(service_account_id: UUID, caller: CallerWhoManagesKeys, database: DatabaseDep) -> None:
    """Delete a service account with its keys and its roles on chatbots."""
    await service_accounts.delete_service_account(database, caller, service_account_id)


# ---- roles on single chatbots


@router.get("/api/chatbots/{chatbot_id}/members/", tags=["chatbots"])
async def list_members(
    chatbot_id: UUID, caller: CallerWhoManagesChatbots, database: DatabaseDep, page: PageDep
) -> MemberList:
    """List who has a role of his own on a chatbot."""
    found = await members.list_members(database, caller, chatbot_id, page)
    items = [MemberOut.of(member) for member in found.items]
    return MemberList(members=items, total=found.total, limit=page.limit, offset=page.offset)


@router.put("/api/chatbots/{chatbot_id}/members/{member_id}/", tags=["chatbots"])
async def set_member(
    chatbot_id: UUID, member_id: UUID, body: MemberIn, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> MemberOut:
    """Give a user or service account a role on this chatbot, beside the one in the tenant."""
    return MemberOut.of(await members.set_member(database, caller, chatbot_id, member_id, body.role))


@router.delete(
    "/api/chatbots/{chatbot_id}/members/{member_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["chatbots"]
)
async def remove_member(
    chatbot_id: UUID, member_id: UUID, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> None:
    """Take a role on this chatbot away."""
    await members.remove_member(database, caller, chatbot_id, member_id)


# ---- widgets


@router.post("/api/chatbots/{chatbot_id}/widget-keys/", status_code=status.HTTP_201_CREATED, tags=["widget"])
async def create_widget_key(
    chatbot_id: UUID, body: WidgetKeyIn, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> WidgetKeyOut:
    """Make a public key, with which visitors of your web sites may ask this chatbot."""
    key = await widgets.create_widget_key(
        database,
        caller,
        chatbot_id,
        name=body.name,
        origins=body.origins,
        allows_no_origin=body.allows_no_origin,
    )
    return WidgetKeyOut.of(key)


@router.get("/api/chatbots/{chatbot_id}/widget-keys/", tags=["widget"])
async def list_widget_keys(
    chatbot_id: UUID, caller: CallerWhoManagesChatbots, database: DatabaseDep, page: PageDep
) -> WidgetKeyList:
    """List the widget keys of a chatbot."""
    found = await widgets.list_widget_keys(database, caller, chatbot_id, page)
    items = [WidgetKeyOut.of(key) for key in found.items]
    return WidgetKeyList(widget_keys=items, total=found.total, limit=page.limit, offset=page.offset)


@router.patch("/api/chatbots/{chatbot_id}/widget-keys/{widget_key_id}/", tags=["widget"])
async def update_widget_key(
    chatbot_id: UUID,
    widget_key_id: UUID,
    body: WidgetKeyPatch,
    caller: CallerWhoManagesChatbots,
    database: DatabaseDep,
) -> WidgetKeyOut:
    """Change name or origins of a widget key. Visitors on a web site that is taken away are shut out."""
    key = await widgets.update_widget_key(
        database,
        caller,
        chatbot_id,
        widget_key_id,
        name=body.name,
        origins=body.origins,
        allows_no_origin=body.allows_no_origin,
    )
    return WidgetKeyOut.of(key)


@router.delete("/api/chatbots/{chatbot_id}/widget-keys/{widget_key_id}/", tags=["widget"])
async def revoke_widget_key(
    chatbot_id: UUID, widget_key_id: UUID, caller: CallerWhoManagesChatbots, database: DatabaseDep
) -> WidgetKeyOut:
    """Revoke a widget key: it and the tokens it gave open nothing from now on."""
    return WidgetKeyOut.of(await widgets.revoke_widget_key(database, caller, chatbot_id, widget_key_id))


@router.post("/api/widget/tokens/", tags=["widget"])
async def create_widget_token(
    body: WidgetTokenIn, request: Request, database: DatabaseDep, origin: Annotated[str | None, Header()] = None
) -> WidgetTokenOut:
    """Get a token for a visitor of a web site, for half an hour. Open to whoever has the widget's public key.

    Send the token you have to go on as the same visitor: it may have expired up to 30 days ago.
    """
    admitted = await widgets.admit_visitor(
        database, request.app.state.deps.keyring, public_key=body.key, earlier=body.token, origin=origin
    )
    request.state.tenant_id = admitted.chatbot.tenant_id
    request.state.visitor_origin = admitted.token.origin
    return WidgetTokenOut.of(admitted)


@router.get("/api/widget/settings/", tags=["widget"])
async def read_widget_settings(
    key: Annotated[str, Query(min_length=1, max_length=100, description="The public widget key, `dgw_…`.")],
    request: Request,
    response: Response,
    database: DatabaseDep,
) -> WidgetSettingsOut:
    """Show how the widget of a key looks. Open to pages of the web sites of that key.

    A page of another origin may read why it is refused, so that the widget can tell the owner of the site.
    """
    origin = _origin_shown(request)
    request.state.visitor_origin = "" if origin is None else origin.lower()
    chatbot = await widgets.get_widget_chatbot(database, public_key=key, origin=origin)
    request.state.tenant_id = chatbot.tenant_id
    response.headers["Cache-Control"] = "no-cache"
    return WidgetSettingsOut.of(chatbot)


def _origin_shown(request: Request) -> str | None:
    """The origin of the page. Browsers leave it out of a GET where it is this server's own, and say so otherwise."""
    if request.headers.get("sec-fetch-site") == "same-origin" and "origin" not in request.headers:
        return f"{request.url.scheme}://{request.headers.get('host', '')}"
    return request.headers.get("origin")


# ---- limits


@router.get("/api/limits/", tags=["limits"])
async def read_limits(caller: CallerWhoManagesTenant, database: DatabaseDep, limiter: LimiterDep) -> LimitsOut:
    """Show how often your tenant and its askers may do what costs."""
    own = await limits.read_limits(database, caller)
    return LimitsOut(own=own, effective=limiter.installation.quotas.lowered_by(own))


@router.put("/api/limits/", tags=["limits"])
async def set_limits(
    body: Quotas, caller: CallerWhoManagesTenant, database: DatabaseDep, limiter: LimiterDep
) -> LimitsOut:
    """Set the limits of your tenant. Those that are left out, or null, are those of the installation; 0 is no limit.

    Limits of the whole tenant can be set below those of the installation, not above.
    """
    own = await limits.set_limits(database, caller, body)
    return LimitsOut(own=own, effective=limiter.installation.quotas.lowered_by(own))

"""What a model name means: `dragoman` and `dragoman-<id>` are chatbots, all others embedding models."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.inference.errors import UnknownModelError
from dragoman.kit.pagination import MAX_LIMIT, PageRequest
from dragoman.openai_api.errors import ModelNotFoundError
from dragoman.openai_api.schemas import ModelFacts, ModelOut
from dragoman.ports.embedder import EmbedderProfile
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot
from dragoman.tenancy.errors import ChatbotNotFoundError

DEFAULT: Final = "dragoman"


async def list_models(deps: Deps, caller: Caller) -> list[ModelOut]:
    """The default chatbot, every chatbot, and the embedding models that serve them."""
    chatbots: list[Chatbot] = []
    while True:
        request = PageRequest(limit=MAX_LIMIT, offset=len(chatbots))
        page = await tenancy.list_chatbots(deps.database, caller, request)
        chatbots += page.items
        if not page.items or len(chatbots) >= page.total:
            break
    listed = [_model_of_chatbot(chatbot) for chatbot in chatbots]
    with suppress(ModelNotFoundError):  # a tenant may have no default chatbot
        listed.insert(0, _model_of_chatbot(await get_chatbot_of_model(deps, caller, DEFAULT), name=DEFAULT))
    names = [deps.embedding_version_name]
    names += [await _version_name(deps, caller, chatbot) for chatbot in chatbots]
    for name in dict.fromkeys(names):
        profile = _profile_or_none(deps, name)
        if profile is not None:
            listed.append(_model_of_profile(name, profile))
    return listed


async def get_model(deps: Deps, caller: Caller, model: str) -> ModelOut:
    """Raises ModelNotFoundError."""
    if _is_chatbot(model):
        chatbot = await get_chatbot_of_model(deps, caller, model)
        return _model_of_chatbot(chatbot, name=model)
    return _model_of_profile(model, _profile(deps, model))


async def get_chatbot_of_model(deps: Deps, caller: Caller, model: str) -> Chatbot:
    """The chatbot that a model name means, in the caller's tenant. Raises ModelNotFoundError."""
    if not _is_chatbot(model):
        raise _unknown(model)
    try:
        async with deps.database.transaction(caller.tenant_id) as connection:
            return await tenancy.get_chatbot(connection, caller, _chatbot_id(model))
    except ChatbotNotFoundError as error:
        raise _unknown(model) from error


async def find_embedding_model(deps: Deps, caller: Caller, model: str) -> tuple[str, EmbedderProfile, UUID | None]:
    """The embedding version, its profile, and the chatbot it was named by. Raises ModelNotFoundError."""
    if _is_chatbot(model):
        chatbot = await get_chatbot_of_model(deps, caller, model)
        name = await _version_name(deps, caller, chatbot)
        return name, _profile(deps, name), chatbot.id
    return model, _profile(deps, model), None


def _is_chatbot(model: str) -> bool:
    return model == DEFAULT or model.startswith(f"{DEFAULT}-")


def _chatbot_id(model: str) -> UUID | None:
    if model == DEFAULT:
        return None
    try:
        return UUID(model.removeprefix(f"{DEFAULT}-"))
    except ValueError as error:
        raise _unknown(model) from error


async def _version_name(deps: Deps, caller: Caller, chatbot: Chatbot) -> str:
    async with deps.database.transaction(caller.tenant_id) as connection:
        return (await embeddings.get_version(connection, chatbot.active_embedding_version)).name


def _profile(deps: Deps, name: str) -> EmbedderProfile:
    try:
        return deps.inference.embedder_profile(name)
    except UnknownModelError as error:
        raise _unknown(name) from error


def _profile_or_none(deps: Deps, name: str) -> EmbedderProfile | None:
    """None: a version of old vectors that this installation no longer serves."""
    try:
        return deps.inference.embedder_profile(name)
    except UnknownModelError:
        return None


def _unknown(model: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"There is no model {model!r}. `GET /v1/models` lists those of your key; {DEFAULT!r} is your default chatbot.",
        param="model",
    )


def _model_of_chatbot(chatbot: Chatbot, *, name: str | None = None) -> ModelOut:
    facts = ModelFacts(kind="chatbot", name=chatbot.name, description=chatbot.description, chatbot_id=chatbot.id)
    created = int(chatbot.created_at.timestamp())
    return ModelOut(id=name or f"{DEFAULT}-{chatbot.id}", created=created, dragoman=facts)


def _model_of_profile(name: str, profile: EmbedderProfile) -> ModelOut:
    facts = ModelFacts(
        kind="embedding", name=profile.model, dimensions=profile.dimensions, max_tokens=profile.max_tokens
    )
    return ModelOut(id=name, created=0, dragoman=facts)

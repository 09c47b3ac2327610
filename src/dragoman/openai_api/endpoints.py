"""HTTP: `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`, as OpenAI's clients call them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from dragoman.deps.http import DepsDep
from dragoman.openai_api import completions, embeddings, models
from dragoman.openai_api.completions import Opened
from dragoman.openai_api.schemas import (
    ChatCompletion,
    ChatCompletionIn,
    EmbeddingList,
    EmbeddingsIn,
    ModelList,
    ModelOut,
    OpenAiError,
)
from dragoman.tenancy.http import (
    CallerWhoAsks,
    CallerWhoReadsChatbots,
    CallerWhoSearches,
    ClosingStream,
    StreamPlace,
)

_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": OpenAiError, "description": description}
    for code, description in (
        (400, "The request does not fit, or asks for something that is not supported."),
        (401, "No API key, or one that opens nothing."),
        (403, "Your role may not do this."),
        (404, "No such model in your tenant."),
        (422, "Not used here: what does not fit is a 400, as at OpenAI."),
    )
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {}},
        "description": "The answer; with `stream` as server-sent events that end with `[DONE]`.",
    }
}

router = APIRouter(tags=["OpenAI-compatible"], responses=_ERRORS)


@router.post("/v1/chat/completions", response_model=ChatCompletion, responses=_STREAM)
async def create_chat_completion(body: ChatCompletionIn, caller: CallerWhoAsks, deps: DepsDep) -> Response:
    """Ask a chatbot as one asks a model of OpenAI. Sources, grounding, cost and more are under `dragoman`.

    Parameters of OpenAI that are not listed here, such as `temperature`, are taken and have no effect; messages of
    `system` have none either. The answer names what was not obeyed in `dragoman.ignored`.
    """
    if body.stream:
        async with StreamPlace.taken(deps.limiter, caller, completions.asker_in(caller, body)) as held:
            return _CompletionStream(await completions.open_completion(deps, caller, body), body, held)
    opened = await completions.open_completion(deps, caller, body)
    completion = await completions.whole_completion(opened, body)
    return Response(completion.model_dump_json(), media_type="application/json")


@router.post("/v1/embeddings", response_model=EmbeddingList)
async def create_embeddings(body: EmbeddingsIn, caller: CallerWhoSearches, deps: DepsDep) -> Response:
    """Turn texts into vectors, with the model that embeds the knowledge."""
    return JSONResponse(await embeddings.embed(deps, caller, body))


@router.get("/v1/models")
async def list_models(caller: CallerWhoReadsChatbots, deps: DepsDep) -> ModelList:
    """List your chatbots and the embedding models as models."""
    return ModelList(data=await models.list_models(deps, caller))


@router.get("/v1/models/{model:path}")
async def get_model(model: str, caller: CallerWhoReadsChatbots, deps: DepsDep) -> ModelOut:
    """Show one model."""
    return await models.get_model(deps, caller, model.rstrip("/"))


class _CompletionStream(ClosingStream):
    """Ends the answer with the stream, also where nobody has read any of it."""

    def __init__(self, opened: Opened, body: ChatCompletionIn, held: StreamPlace) -> None:
        super().__init__(completions.streamed_completion(opened, body), held)
        self._opened = opened

    async def stream_response(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        async with aclosing(self._opened.events):
            await super().stream_response(send)

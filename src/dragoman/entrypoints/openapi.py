"""What the OpenAPI document says of all operations at once: the errors that they answer with, and what can be done next.

Endpoints declare what they answer when all is well, and errors that nobody else has. What stands here is true of every
operation of its kind, because the middleware, `tenancy/http.py` and `problems.py` answer it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, Field

from dragoman.entrypoints.problems import MEDIA_TYPE
from dragoman.openai_api.errors import PREFIX
from dragoman.tenancy.http import Problem

_METHODS: Final = ("get", "put", "post", "delete", "patch")
_EVERYWHERE: Final = {
    429: "Too many requests. `Retry-After` says when to come again.",
    503: "A part of the service does not answer. Try again in a moment.",
}
_WITH_A_KEY: Final = {
    401: "No API key, or one that opens nothing.",
    403: "Your role may not do this.",
    404: "Nothing with this id exists in your tenant.",
}
_WITH_PARAMETERS: Final = {422: "The request does not fit."}
_WITH_A_BODY: Final = {
    400: "The body cannot be read as what it is said to be.",
    409: "It contradicts what is there now.",
    413: "The body is too large.",
    415: "A file or body of this type is not accepted.",
}
_ASKING_MODELS: Final = {
    402: "A budget does not allow this call.",
    502: "A model or server elsewhere failed, and nothing could stand in for it.",
    504: "A model or server elsewhere took too long.",
}

_MAKES: Final = {
    "create_session": "session_id",
    "send_message": "message_id",
    "give_feedback": "feedback_id",
    "upload_document": "document_id",
    "upload_training_data": "document_id",
    "create_import": "import_id",
    "create_connector": "connector_id",
    "sync_connector": "sync_id",
    "search": "search_id",
    "request_improvement_report": "report_id",
    "create_chatbot": "chatbot_id",
    "create_widget_key": "widget_key_id",
    "create_key": "key_id",
    "create_service_account": "service_account_id",
    "create_user": "user_id",
    "invite_user": "invitation_id",
    "set_budget": "budget_id",
    "create_alert_rule": "rule_id",
    "create_alert_channel": "channel_id",
    "create_privacy_request": "privacy_request_id",
}
"""What an operation makes, by the parameter under which others take its id."""

_ASKING_PATHS: Final = ("/api/search/",)  # without a body: the question stands in the address


class OpenAIError(BaseModel):
    """What went wrong, as OpenAI's API says it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIProblem(BaseModel):
    """An error in the shape that OpenAI's clients read."""

    error: OpenAIError = Field(description="What went wrong.")


def declare_errors(app: FastAPI) -> None:
    """Let `app.openapi()` name the errors of all operations."""
    plain: Callable[[], dict[str, Any]] = app.openapi

    def with_errors() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in (Problem, OpenAIProblem):
                schemas |= _schemas_of(model)
            for path, method, operation in _operations(document):
                operation["responses"] = _complete(path, method, operation)
            _link(document)
        assert app.openapi_schema is not None  # FastAPI keeps what it made
        return app.openapi_schema

    app.openapi = with_errors  # type: ignore[method-assign]


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _link(document: Mapping[str, Any]) -> None:
    """Say of each operation that makes something which operations take its id: links, OpenAPI 3.1, 4.8.20."""
    taken = {operation["operationId"]: _path_parameters(operation) for _, _, operation in _operations(document)}
    for _, _, operation in _operations(document):
        made = _MAKES.get(operation["operationId"])
        if made is None:
            continue
        known = {name: f"$request.path.{name}" for name in _path_parameters(operation)}
        for response in _successes(operation):
            field = _id_field(document, response, made)
            known_then = {**known, made: f"$response.body#/{field}"}
            response["links"] = {
                target: {"operationId": target, "parameters": {name: known_then[name] for name in sorted(names)}}
                for target, names in taken.items()
                if made in names and names <= known_then.keys()
            }


def _path_parameters(operation: Mapping[str, Any]) -> set[str]:
    return {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}


def _successes(operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for code, response in operation["responses"].items():
        if code.startswith("2") and "application/json" in response.get("content", {}):
            yield response


def _id_field(document: Mapping[str, Any], response: Mapping[str, Any], made: str) -> str:
    """The field of the answer that holds the id: `id`, or the parameter's own name."""
    schema = response["content"]["application/json"]["schema"]
    name = schema["$ref"].rpartition("/")[2]
    fields = document["components"]["schemas"][name]["properties"]
    return made if made in fields else "id"


def _complete(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    """The responses of an operation with all errors, each in its media type."""
    has_body = "requestBody" in operation
    is_asked_for_something = bool(operation.get("security")) or has_body or "parameters" in operation
    errors = dict(_EVERYWHERE)
    if is_asked_for_something:
        errors |= _WITH_A_KEY | _WITH_PARAMETERS
    if has_body:
        errors |= _WITH_A_BODY
    elif method != "get":
        errors[409] = _WITH_A_BODY[409]
    if has_body or path.startswith(_ASKING_PATHS):
        errors |= _ASKING_MODELS
    # FastAPI adds those of the application to each operation, also to one that nobody can ask wrongly.
    own = {code: each for code, each in operation["responses"].items() if is_asked_for_something or code < "400"}
    responses = {str(code): {"description": description} for code, description in errors.items()} | own
    content = _content_of_errors(path)
    for code, response in responses.items():
        if code.startswith(("4", "5")):
            responses[code] = {**response, "content": content}
    return dict(sorted(responses.items()))


def _content_of_errors(path: str) -> dict[str, Any]:
    if path.startswith(PREFIX):
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{OpenAIProblem.__name__}"}}}
    return {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}


def _schemas_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), model.__name__: schema}

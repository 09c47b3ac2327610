"""How endpoints receive what the wiring built, and the short way to those that are called most."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from fastapi import Depends, Request, Response
from fastapi.params import Depends as DependsParameter
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from dragoman.deps import Deps
from dragoman.tenancy import access, http
from dragoman.tenancy.entities import Caller, Permission


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsDep = Annotated[Deps, Depends(_deps)]

LeanFunction = Callable[..., Awaitable[Response]]
_Function = TypeVar("_Function", bound=LeanFunction)
_LEAN = "_dragoman_lean"


def lean(endpoint: _Function) -> _Function:
    """Serve this endpoint without FastAPI's machinery between, where nothing is wrong with the request.

    For `async def endpoint(body: SomeModel, caller: CallerWho…, deps: DepsDep) -> Response`, below the decorator of the
    route. Requests that do not fit take FastAPI's way, so that there is one place that says what is wrong with them;
    documentation and the OpenAPI document come from there too.
    """
    setattr(endpoint, _LEAN, True)
    return endpoint


def is_lean(endpoint: Callable[..., Any]) -> bool:
    return getattr(endpoint, _LEAN, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeanEndpoint:
    """A lean endpoint, taken apart once: FastAPI takes 250 µs of a search's 900 to do so for each request."""

    call: LeanFunction
    body: type[BaseModel]
    body_name: str
    caller_name: str
    deps_name: str
    permission: Permission

    @classmethod
    def of(cls, endpoint: LeanFunction) -> LeanEndpoint:
        """Raises TypeError: its parameters are not those of a lean endpoint."""
        hints = get_type_hints(endpoint, include_extras=True)
        names: dict[str, str] = {}
        body: type[BaseModel] | None = None
        permission: Permission | None = None
        for name in inspect.signature(endpoint).parameters:
            hint = hints[name]
            if isinstance(hint, type) and issubclass(hint, BaseModel):
                names["body_name"], body = name, hint
            elif hint == DepsDep:
                names["deps_name"] = name
            elif (needed := _permission(hint)) is not None:
                names["caller_name"], permission = name, needed
            else:
                raise TypeError(f"{name!r} of {endpoint.__name__!r} is no parameter of a lean endpoint.")
        if body is None or permission is None or len(names) != 3:
            raise TypeError(f"{endpoint.__name__!r} is no lean endpoint: it needs a body, a caller and the deps.")
        return cls(call=endpoint, body=body, permission=permission, **names)

    async def prepare(self, request: Request, content: bytes) -> dict[str, Any] | None:
        """The arguments; None where FastAPI shall say what is wrong.

        Raises the errors of `access.authenticate`, ForbiddenError.
        """
        deps: Deps = request.app.state.deps
        caller = await authenticated(request)
        if caller.reach is None:
            access.require(caller, self.permission)
        try:
            body = self.body.model_validate_json(content)
        except ValidationError:
            return None
        if caller.reach is not None:
            caller = await http.on_its_chatbot(request, caller, self.permission, from_json(content))
        return {self.body_name: body, self.caller_name: caller, self.deps_name: deps}


async def authenticated(request: Request) -> Caller:
    """The caller whose key is in the headers, as `CallerWho…` finds it. Raises the errors of `access.authenticate`."""
    secret = bearer = None
    for name, value in request.scope["headers"]:
        if name == b"x-api-key":
            secret = secret or value.decode("latin-1")
        elif name == b"authorization" and bearer is None:
            scheme, _, token = value.decode("latin-1").partition(" ")
            bearer = token.strip() if scheme.lower() == "bearer" else ""
    return await http.authenticated(request, secret or bearer or http.access_cookie_of(request))


def _permission(hint: Any) -> Permission | None:
    for each in get_args(hint)[1:]:
        if isinstance(each, DependsParameter):
            permission: Permission | None = getattr(each.dependency, "permission", None)
            return permission
    return None

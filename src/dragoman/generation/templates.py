"""Prompt templates: the system message that a chatbot's owner writes, in a sandboxed part of Jinja.

A template may print variables, choose between texts and change the case of words, and nothing else: no loops, no calls, no
attributes. So it ends, stays small and reaches nothing but what it is given. What keeps sources apart from instructions is
added by `prompts` whatever the template says.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dragoman.kit.errors import InvalidRequestError

VARIABLES: Final[Mapping[str, str]] = {
    "language": "the code of the language to answer in, e.g. `de`",
    "unknown": 'the sentence for "I don\'t know" in that language, by which such an answer is recognised',
    "chatbot": "the chatbot's name",
    "description": "the chatbot's description",
    "instructions": "its setting `prompt`, or nothing",
    "today": "the date (UTC), e.g. `2026-01-31`",
}
"""What a template may name."""
LONGEST: Final = 16_000  # characters of a template
_FILTERS: Final = frozenset({"lower", "upper", "title", "capitalize", "trim", "default"})
_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Filter,
)


class InvalidTemplateError(InvalidRequestError):
    """The prompt template cannot be used. It may name variables, choose with `if`, and use the filters listed in the how-to page on prompts."""

    code = "generation.invalid_template"


def check(template: str) -> None:
    """Raises InvalidTemplateError, which says in which line."""
    if len(template) > LONGEST:
        raise InvalidTemplateError(f"The template has {len(template)} characters; {LONGEST} are allowed.")
    try:
        parsed = _environment().parse(template)
    except TemplateSyntaxError as error:
        raise InvalidTemplateError(f"Line {error.lineno}: {error.message}") from error
    for node in _walk(parsed):
        if not isinstance(node, _ALLOWED):
            raise InvalidTemplateError(
                f"Line {node.lineno}: `{type(node).__name__}` is not allowed in a prompt template."
            )
        if isinstance(node, nodes.Name) and node.name not in VARIABLES:
            names = ", ".join(VARIABLES)
            raise InvalidTemplateError(f"Line {node.lineno}: there is no {node.name!r}. There are: {names}.")
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise InvalidTemplateError(
                f"Line {node.lineno}: there is no filter {node.name!r}. There are: {', '.join(sorted(_FILTERS))}."
            )
    if not any(isinstance(node, nodes.Name) and node.name == "unknown" for node in _walk(parsed)):
        raise InvalidTemplateError(
            "The template must tell the model to reply with {{ unknown }} where the sources do not answer: by that "
            'sentence "I don\'t know" is recognised.'
        )


def render(template: str, values: Mapping[str, str]) -> str:
    """The text of a template that was checked; `values` has each of `VARIABLES`."""
    return _compiled(template).render(values).strip()


def _walk(node: nodes.Node) -> list[nodes.Node]:
    return [node, *(inner for child in node.iter_child_nodes() for inner in _walk(child))]


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)

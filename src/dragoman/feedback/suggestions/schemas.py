"""Suggested questions as the HTTP API shows them."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.feedback.suggestions.entities import SuggestionSource
from dragoman.feedback.suggestions.service import Suggestions


class SuggestionOut(BaseModel):
    text: str = Field(description="The question, to be asked as it stands.", examples=["How long is the warranty?"])
    language: str = Field(description="ISO 639-1 of its language, `und` where that cannot be told.")
    source: SuggestionSource = Field(
        description="`owner`: from the chatbot's settings. `asked`: several people asked it. `faq`, `heading`: it stands in a "
        "document. `topic`: a heading that asks nothing, where the asked language has too few questions."
    )


class SuggestionList(BaseModel):
    chatbot_id: UUID
    suggestions: list[SuggestionOut]

    @classmethod
    def of(cls, found: Suggestions) -> SuggestionList:
        items = [SuggestionOut(text=each.text, language=each.language, source=each.source) for each in found.items]
        return cls(chatbot_id=found.chatbot.id, suggestions=items)

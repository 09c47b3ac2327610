"""How a chatbot looks on web sites: its setting `widget`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class WidgetLook(BaseModel):
    """How a chatbot looks on web sites. What is empty the widget says in the visitor's language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field("", max_length=60, description="Heading of the panel; empty for the chatbot's name.")
    greeting: str = Field("", max_length=600, description="What stands above the first question, as Markdown.")
    accent: str = Field(
        "#1f5fbf",
        pattern="^#[0-9a-fA-F]{6}$",
        description="Colour of the button and the visitor's questions, `#rrggbb`.",
    )
    position: Literal["end", "start"] = Field(
        "end", description="Corner of the page: `end` is right where the language is written from left to right."
    )
    theme: Literal["auto", "light", "dark"] = Field("auto", description="`auto` follows the visitor's system.")
    launcher_text: str = Field("", max_length=40, description="Words on the button; empty for a picture alone.")

    @field_validator("title", "greeting", "launcher_text", mode="after")
    @classmethod
    def _is_trimmed(cls, text: str) -> str:
        return text.strip()

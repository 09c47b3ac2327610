"""Prompt templates as the HTTP API shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from dragoman.generation import templates
from dragoman.generation.entities import PromptTemplate


class TemplateIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=templates.LONGEST, description="The system message, with variables.")
    note: str = Field("", max_length=500, description="What is different, for those who look at the list.")
    use: bool = Field(True, description="Answer by it from the next question on.")


class TemplateChoice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=0, description="0: the built-in template.")


class TemplatePreviewIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=templates.LONGEST)
    language: str = Field("en", min_length=2, max_length=8)


class TemplatePreview(BaseModel):
    system_message: str = Field(description="What the language model would be told, before sources and question.")


class TemplateOut(BaseModel):
    version: int = Field(description="0: the built-in template.")
    text: str
    note: str
    is_used: bool
    created_by: str | None
    created_at: datetime | None

    @classmethod
    def of(cls, template: PromptTemplate, *, used: int | None) -> TemplateOut:
        return cls(
            version=template.version,
            text=template.text,
            note=template.note,
            is_used=template.version == used,
            created_by=template.created_by,
            created_at=template.created_at,
        )

    @classmethod
    def built_in(cls, text: str, *, used: int | None) -> TemplateOut:
        return cls(
            version=0, text=text, note="The built-in template.", is_used=used is None, created_by=None, created_at=None
        )


class TemplateList(BaseModel):
    built_in: TemplateOut
    templates: list[TemplateOut]
    variables: dict[str, str] = Field(description="What a template may name.")
    total: int
    limit: int
    offset: int

"""What an owner can set per chatbot."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ChatbotSettings(BaseModel):
    """Settings of one chatbot; those left out have the defaults shown here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answerer: str = Field(
        "extractive", description="`extractive` quotes the sources; else the name of an `llm` adapter."
    )
    model: str | None = Field(None, description="Model of the provider; None for the one in the adapter's settings.")
    prompt: str | None = Field(None, max_length=8000, description="Extra instructions for the language model.")
    max_quotes: int = Field(2, ge=1, le=8, description="Sentences that an extractive answer quotes at most.")
    max_sources: int = Field(5, ge=1, le=20, description="Passages given to the answerer.")
    similarity_threshold: float = Field(
        0.0, ge=0.0, le=1.0, description="Passages with a lower `similarity_score` are not used for answers."
    )
    confidence_threshold: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description='Below this confidence the answer is "I don\'t know"; None for the measured default.',
    )
    chunk_tokens: int = Field(320, ge=64, le=1200, description="Aimed length of a chunk in tokens of the embedder.")
    chunk_overlap_tokens: int = Field(0, ge=0, le=400, description="Whole sentences repeated from the chunk before.")
    sentence_vectors: bool = Field(True, description="A vector per sentence: better answers, slower ingestion.")
    search_mode: Literal["hybrid", "dense", "keyword"] = Field("hybrid", description="Which arms a question searches.")
    max_size_mib: int = Field(25, ge=1, le=512, description="Largest document accepted, in MiB.")

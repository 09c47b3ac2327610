"""What an owner can set per chatbot."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from dragoman.tenancy.quotas import MOST
from dragoman.tenancy.widget_look import WidgetLook


class GlossaryTerm(BaseModel):
    """A term that translations keep, or render in one way. `translations` by language (ISO 639-1)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    term: str = Field(min_length=1, max_length=200)
    translations: dict[str, str] = Field(default_factory=dict, max_length=60)

    @field_validator("term", mode="after")
    @classmethod
    def _says_something(cls, term: str) -> str:
        if not any(map(str.isalnum, term)):
            raise ValueError("a term has at least a letter or a digit")
        return term.strip()

    @field_validator("translations", mode="after")
    @classmethod
    def _are_words(cls, translations: dict[str, str]) -> dict[str, str]:
        for language, translation in translations.items():
            if not re.fullmatch("[a-z]{2,3}", language) or not any(map(str.isalnum, translation)):
                raise ValueError("translations are words by language code, such as {'de': 'Rücksendung'}")
        return translations


SuggestedQuestion = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200)]


def _limit(what: str) -> Any:
    return Field(None, ge=0, le=MOST, description=f"{what}; 0 for no limit, None for that of the tenant.")


class ChatbotSettings(BaseModel):
    """Settings of one chatbot; those left out have the defaults shown here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answerer: str = Field(
        "extractive",
        description="`extractive` quotes the sources; `auto` lets the router choose among the listed models; else the name "
        "of one of them, or of an `llm` adapter.",
    )
    model: str | None = Field(None, description="Model of the provider; None for the one in the adapter's settings.")
    fallback_models: tuple[str, ...] | None = Field(
        None,
        max_length=10,
        description="Answerers tried in this order when the first one fails; None for those of the installation.",
    )
    prompt: str | None = Field(None, max_length=8000, description="Extra instructions for the language model.")
    prompt_version: int | None = Field(
        None, ge=1, description="Which of the chatbot's own prompt templates is used; None for the built-in one."
    )
    cache_answers: bool = Field(
        True,
        description="What a language model wrote is told again for the very same question, conversation and sources.",
    )
    similar_questions: bool = Field(
        True,
        description="What a language model wrote is told again for a question that asks the same in other words, where the "
        "words leave no doubt; needs `cache_answers`.",
    )
    similar_questions_from: float = Field(
        0.9, ge=0.0, le=1.0, description="Cosine of two questions' vectors from which their words are compared."
    )
    max_quotes: int = Field(2, ge=1, le=8, description="Sentences that an extractive answer quotes at most.")
    grounding: Literal["flag", "remove", "off"] = Field(
        "flag",
        description="Sentences of a language model that its sources do not support: `flag` them in the answer's `grounding`, "
        "`remove` them before they are sent, or do not look for them.",
    )
    judge: str = Field(
        "none",
        description="Who says of a language model's sentences what the built-in check leaves open: `none`, or the name of a "
        "`judge` adapter. Left out: the installation's. Without effect where `grounding` is `off`.",
    )
    judge_sentences: Literal["borderline", "all"] = Field(
        "borderline",
        description="Which sentences it decides on: those of which the built-in check is not sure, or `all`. A wrong number, "
        "unit, name or identifier stays wrong, whatever it says.",
    )
    judge_answerer: str | None = Field(
        None,
        description="The answerer that the judge `llm` asks; None for the one in its settings, else the one that wrote the "
        "answer.",
    )
    injection_screen: Literal["off", "flag", "defuse", "refuse"] = Field(
        "defuse",
        description="Questions and sources that speak to the language model: `off` does not look for them, `flag` notes them "
        "in the answer's `grounding`, `defuse` answers such a question by quotation and leaves such sentences of sources out "
        "of prompts, `refuse` does the same to sources and refuses such a question.",
    )
    spotlighting: Literal["delimit", "datamark"] = Field(
        "delimit",
        description="How sources are set apart in prompts: `delimit` puts marks around them that no document can forge, "
        "`datamark` also puts a sign between all their words.",
    )
    prompt_leaks: Literal["stop", "allow"] = Field(
        "stop",
        description="`stop` ends an answer that begins to reveal the chatbot's instructions, and goes on by quotation.",
    )
    link_hosts: list[str] = Field(
        default_factory=list,
        max_length=200,
        description="Hosts that links in answers may lead to, with their subdomains, beside those that the sources name.",
    )
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
    reranker: str = Field(
        "none", description="Judges the best passages again: `none`, or the name of a `reranker` adapter."
    )
    rerank_depth: int | None = Field(
        None, ge=0, le=200, description="How many passages it judges; None for as many as the adapter wants."
    )
    neighbours: Literal["apart", "merge"] = Field(
        "apart", description="`merge` makes one passage of found chunks that follow each other in a document."
    )
    near_duplicates: bool = Field(False, description="Show passages too that say the same as a better one.")
    diversity: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="0: by similarity alone. Above: passages unlike those before them come forward.",
    )
    rewrite: Literal["auto", "history", "off"] = Field(
        "auto",
        description="Completes a follow-up from its conversation: `auto` by the answerer's language model, where it has one, "
        "else from its words alone; `history` from its words alone.",
    )
    expand_queries: bool = Field(
        True, description="Searches acronyms and other names too that the chatbot's shared documents tell."
    )
    multi_query: int = Field(
        0, ge=0, le=4, description="Other wordings of a question that the answerer's language model writes; 0 for none."
    )
    language_policy: Literal["direct", "translate"] = Field(
        "direct",
        description="`direct` searches in the asker's language, across languages; `translate` translates the question to the "
        "language of the knowledge, searches and answers there, and translates the answer back.",
    )
    translator: str | None = Field(
        None,
        description="The `translator` adapter for questions and answers, and for quotes in another language than the "
        "question's; None for none. Left out: the installation's.",
    )
    knowledge_language: str = Field(
        "auto",
        pattern="^(?:auto|[a-z]{2,3})$",
        description="What `translate` translates to: an ISO 639-1 code, or `auto` for the language most of the shared "
        "knowledge is in.",
    )
    glossary: list[GlossaryTerm] = Field(
        default_factory=list,
        max_length=500,
        description='Terms that translations keep, or render in one way: `{"term": "Partner Center"}`, '
        '`{"term": "return", "translations": {"de": "Rücksendung"}}`.',
    )
    suggested_questions: list[SuggestedQuestion] = Field(
        default_factory=list,
        max_length=12,
        description="Questions that are suggested to askers before those found in the knowledge, up to 12.",
    )
    max_size_mib: int = Field(25, ge=1, le=512, description="Largest document accepted, in MiB.")
    moderation: Literal["open", "review"] = Field(
        "open", description="`review`: a shared document is searchable only once somebody approved it."
    )
    min_quality_score: float = Field(
        0.0, ge=0.0, le=1.0, description="Documents of a lower quality score wait for approval."
    )
    messages_per_minute: int | None = _limit("Messages of one asker in a minute, who may not manage chatbots")
    messages_per_minute_managers: int | None = _limit("The same for those who may manage chatbots")
    searches_per_minute: int | None = _limit("Searches of one asker in a minute, who may not manage chatbots")
    searches_per_minute_managers: int | None = _limit("The same for those who may manage chatbots")
    documents_per_day: int | None = _limit("Uploads in 24 hours of one who may not manage documents")
    documents_per_day_managers: int | None = _limit("The same for those who may manage documents")
    downloads: bool = Field(True, description="All who may read a document may download its original.")
    active_content: Literal["note", "refuse"] = Field(
        "note", description="Macros, scripts and launch actions in files: note them in the report, or refuse the file."
    )
    ocr: bool = Field(True, description="Read the text in pictures and in pages without text.")
    ocr_languages: list[str] = Field(
        default_factory=list, max_length=10, description="ISO 639-1 codes expected in pictures; empty for any."
    )
    keep_images: bool = Field(True, description="Keep the pictures inside documents and show them with the passage.")
    pii: Literal["off", "report", "mask"] = Field(
        "off", description="Personal data in documents: ignore, count in the report, or mask before it is stored."
    )
    pii_to_models: Literal["off", "mask"] = Field(
        "off",
        description="Personal data in questions, conversations and sources: `mask` it before a language model that runs "
        "elsewhere reads it, and put it back in the answer.",
    )
    pii_types: list[str] | None = Field(
        None,
        description="Types of personal data to look for, such as EMAIL_ADDRESS; None for all but ages, dates, places, "
        "groups, organisations, bank codes and addresses of web pages.",
    )
    pii_min_score: float = Field(0.5, ge=0.0, le=1.0, description="Findings less certain than this are left.")
    query_log: Literal["full", "masked", "anonymised", "off"] = Field(
        "full",
        description="What is kept of searches: their text, the text with personal data masked, a keyed hash without "
        "text, or daily counts only.",
    )
    improvement_report: Literal["weekly", "off"] = Field(
        "weekly", description="Each Monday (UTC) a report of what was badly answered in the week before."
    )
    query_log_days: int = Field(365, ge=1, le=3650, description="Days that searches are kept; daily counts stay.")
    widget: WidgetLook = Field(
        default_factory=WidgetLook,
        description="How it looks on web sites: `title`, `greeting`, `accent`, `position`, `theme` and `launcher_text`; "
        "[what each is](../how-to/put-a-chatbot-on-your-site.md#its-look).",
    )

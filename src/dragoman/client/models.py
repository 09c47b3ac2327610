"""What the API sends. Fields that a newer server adds are kept (`extra="allow"`), so that `--json` shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class _Received(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Readiness(_Received):
    """What `/readyz` says. `embedding_version` is the one that new chatbots get."""

    status: str
    checks: dict[str, str] = Field(default_factory=dict)
    embedding_version: str | None = None


class Chatbot(_Received):
    id: UUID
    name: str
    description: str
    is_default: bool
    access: str = "tenant"
    settings: dict[str, Any]
    own_settings: list[str] = Field(default_factory=list)
    knowledge_revision: int
    created_at: datetime
    updated_at: datetime


class ApiKey(_Received):
    id: UUID
    name: str
    prefix: str
    role: str
    user_id: UUID | None
    chatbot_id: UUID | None
    may_act_for_users: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    description: str = ""
    scopes: list[str] | None = None
    service_account_id: UUID | None = None
    confined: bool = False
    rotated_at: datetime | None = None
    previous_until: datetime | None = None
    last_used_address: str | None = None


class CreatedApiKey(ApiKey):
    """A new key; `api_key` is the secret itself, shown this once."""

    api_key: str


class ServiceAccount(_Received):
    id: UUID
    name: str
    description: str
    role: str
    is_active: bool
    created_by: str
    created_at: datetime


class ChatbotMember(_Received):
    """Who has a role of his own on a chatbot; `kind`: user or service_account."""

    id: UUID
    kind: str
    name: str
    role: str
    created_at: datetime


class WidgetKey(_Received):
    """A public key, with which visitors of these web sites may ask a chatbot."""

    id: UUID
    chatbot_id: UUID
    name: str
    public_key: str
    origins: list[str]
    allows_no_origin: bool
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class VisitorToken(_Received):
    """What a visitor shows as its key until `expires_at`."""

    token: str
    expires_at: datetime
    visitor_id: UUID
    chatbot_id: UUID
    chatbot_name: str


class Tokens(_Received):
    """Of a sign-in; `refresh_token` is good once, `expires_in` counts seconds of the access token."""

    token_type: str
    sign_in_id: UUID
    expires_in: int
    access_token: str | None
    refresh_token: str | None
    refresh_expires_at: datetime
    device: str | None = None


class SignIn(_Received):
    id: UUID
    method: str
    is_cookie: bool
    is_current: bool
    address: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


class Me(_Received):
    """Who a client is to the API."""

    tenant_id: UUID
    tenant_name: str
    user_id: UUID | None
    email: str | None
    display_name: str | None
    role: str
    permissions: list[str]
    api_key_id: UUID | None
    sign_in_id: UUID | None
    chatbot_id: UUID | None


class User(_Received):
    id: UUID
    email: str
    display_name: str
    role: str
    is_active: bool
    has_password: bool
    created_at: datetime
    last_sign_in_at: datetime | None


class IdentityProvider(_Received):
    """`redirect_url` is entered at the provider; people begin at `start_url`."""

    name: str
    issuer: str
    client_id: str
    has_client_secret: bool
    creates_users: bool
    default_role: str
    allowed_domains: list[str]
    updated_at: datetime
    redirect_url: str
    start_url: str


class OfferedSignOn(_Received):
    """People begin at `start_url`, which takes `return_to`."""

    name: str
    start_url: str


class Invitation(_Received):
    id: UUID
    email: str
    role: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime


class CreatedInvitation(Invitation):
    """A new invitation; `url` is the link itself, shown this once."""

    url: str
    is_mailed: bool


class Document(_Received):
    """`processed_at` is set when the newest version is searchable, `processed` when any version is.

    `state`: queued, processing, pending (waits for approval), ready, failed, cancelled, rejected. `approval` is that of
    the newest version: pending, approved or rejected. `quality_score` from 0 to 1.
    """

    id: UUID
    chatbot_id: UUID
    title: str
    file_name: str
    file_type: str
    size_bytes: int
    content_hash: str
    content_type: str
    category: str
    tags: list[str]
    visibility: str
    is_own: bool = False
    state: str
    processed: bool
    version: int
    approval: str
    approval_reason: str | None
    language: str | None
    languages: list[str]
    pages: int | None
    total_chunks: int
    total_tokens: int
    reused_chunks: int
    quality: dict[str, Any]
    quality_score: float | None
    pii: dict[str, Any]
    metadata: dict[str, Any]
    source: str
    source_url: str | None
    connector_id: UUID | None
    uploaded_at: datetime
    processed_at: datetime | None
    external_id: str | None
    error_code: str | None = None
    error: str | None = None


class UploadedDocument(Document):
    """`is_duplicate`: the same content was there already, and nothing is read again."""

    is_duplicate: bool


class UploadedFile(_Received):
    """What became of one file of many: its document (`id`), or why it was refused (`error`)."""

    file_name: str
    accepted: bool
    id: UUID | None = None
    state: str | None = None
    is_duplicate: bool = False
    error_code: str | None = None
    error: str | None = None


class UrlJob(_Received):
    url: str
    job_id: UUID


class UrlList(_Received):
    """Addresses that are fetched in the background; `group_id` is the import by which they are followed."""

    group_id: UUID
    jobs: list[UrlJob]


class Step(_Received):
    """A step of the reading. `state`: waiting, running, done, failed or skipped."""

    name: str
    state: str


class DocumentStatus(_Received):
    """How far the reading of the newest version is; `progress` from 0 to 1.

    `step` is what happens now: waiting, extracting, recognising, chunking, embedding, indexing, approval or done.
    """

    id: UUID
    state: str
    processed: bool
    approval: str
    step: str
    progress: float
    steps: list[Step]
    attempts: int
    total_chunks: int
    reused_chunks: int
    job_id: UUID | None
    error_code: str | None
    error: str | None


class DocumentVersion(_Received):
    """One content of a document. `state`: stored, chunked, indexed, ready, failed or cancelled; searches find the live one.

    `made_from` is the version whose file was read again, None for an upload.
    """

    version: int
    state: str
    is_live: bool
    title: str
    file_name: str
    file_type: str
    size_bytes: int
    content_hash: str
    uploaded_by: str
    made_from: int | None
    approval: str
    approval_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    total_chunks: int
    reused_chunks: int
    quality_score: float | None
    error_code: str | None
    error: str | None
    created_at: datetime
    ready_at: datetime | None


class Chunk(_Received):
    """A piece of a document, `start` to `end` characters from the beginning of its text."""

    id: UUID
    index: int
    text: str
    language: str
    kind: str
    headings: list[str]
    page: int | None
    start: int
    end: int
    tokens: int
    images: list[UUID]
    provenance: dict[str, Any]


class Page(_Received):
    """A page as it was read. A chunk's `start` minus this `start` is its place in `text`; `confidence` is that of OCR."""

    page: int | None
    text: str
    start: int
    ocr: bool
    confidence: float | None


class QualityReport(_Received):
    """`score` from 0 to 1, None until the document is read; `report` says why, with findings and what to do about them."""

    document_id: UUID
    version: int
    score: float | None
    report: dict[str, Any]
    pii: dict[str, Any]


class HistoryEntry(_Received):
    """Who did what to a document."""

    id: UUID
    actor: str
    action: str
    details: dict[str, Any]
    created_at: datetime


class TrainingData(_Received):
    """How the knowledge of a chatbot stands; `documents` is one page of it."""

    chatbot_id: UUID
    total: int
    ready: int
    processing: int
    failed: int
    by_state: dict[str, int]
    documents: list[Document]
    limit: int
    offset: int


class Passage(_Received):
    """One result of a search; `similarity_score` from 0 to 1, `start` to `end` its place in the whole text.

    `images` are pictures that stand with it, `provenance` says where a pair of a conversation comes from. `signals` are
    there where an explanation was asked for.
    """

    content: str
    similarity_score: float
    rank: int
    chunk_id: UUID
    document_id: UUID
    title: str
    file_name: str
    content_type: str
    category: str
    language: str
    page: int | None
    heading_path: list[str]
    start: int
    end: int
    images: list[UUID]
    provenance: dict[str, Any]
    external_id: str | None
    signals: dict[str, float | None] | None = None


class SearchResult(_Received):
    """One page of a search. `search_id` is for clicks and ratings, None where the chatbot keeps no query log.

    `total_results` counts all pages; pages of the same `knowledge_revision` fit together.
    """

    query: str
    chatbot_id: UUID
    language: str
    mode: str
    results: list[Passage]
    total_results: int
    search_time_ms: float
    timings_ms: dict[str, float]
    degraded: list[str]
    search_id: UUID | None = None
    knowledge_revision: int | None = None
    cached: bool = False
    explanation: dict[str, Any] | None = None


class HybridResult(SearchResult):
    """A search across content types; `groups` holds the ranks of the results of each type."""

    arrangement: str
    groups: dict[str, list[int]]


class QueryError(_Received):
    code: str
    status: int
    detail: str


class BatchItem(_Received):
    """What became of one query of a batch: its result or its error."""

    index: int
    result: SearchResult | None
    error: QueryError | None


class SearchCounts(_Received):
    """Numbers of a span of time; rates are shares of `searches`, from 0 to 1."""

    searches: int
    zero_results: int
    zero_result_rate: float
    low_confidence: int
    low_confidence_rate: float
    cache_hit_rate: float
    degraded: int
    clicks: int
    click_through_rate: float
    mean_reciprocal_rank: float
    ratings_up: int
    ratings_down: int
    satisfaction: float | None


class SearchedQuery(_Received):
    """A query that was asked; `query` is None where the chatbot keeps no text."""

    query: str | None
    query_id: str
    language: str
    searches: int
    zero_results: int
    low_confidence: int
    clicked_searches: int


class SearchAnalytics(_Received):
    """What was searched; `latency_ms` holds p50, p95 and p99 by stage."""

    chatbot_id: UUID
    first_day: date
    last_day: date
    query_log: str
    totals: SearchCounts
    latency_ms: dict[str, dict[str, float]]
    languages: list[SearchCounts]
    days: list[SearchCounts]
    popular_queries: list[SearchedQuery]
    failing_queries: list[SearchedQuery]
    opened_documents: list[dict[str, Any]]


class Session(_Received):
    id: UUID
    chatbot_id: UUID
    title: str
    state: str
    is_active: bool
    is_archived: bool = False
    settings: dict[str, Any]
    document_ids: list[UUID] | None
    created_at: datetime
    updated_at: datetime
    excerpt: str | None = None


class Source(_Received):
    """A citation: `number` is its marker in the answer, `excerpt` the words as they stand in the document.

    `start` to `end` is their place in the chunk, `document_start` in the whole document; `images` stand with them.
    """

    number: int
    doc_id: UUID
    title: str
    excerpt: str
    chunk_id: UUID
    file_name: str
    external_id: str | None
    page: int | None
    heading_path: list[str]
    language: str
    start: int
    end: int
    document_start: int | None
    images: list[UUID]
    similarity_score: float
    deleted: bool = False


class GivenFeedback(_Received):
    """What the asker said of a message. `rating`: up or down."""

    rating: str
    reason: str | None
    comment: str
    correction: str
    updated_at: datetime


class Usage(_Received):
    """What an answer took; `cost_usd` in US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    embedding_calls: int = 0
    llm_calls: int = 0
    cost_usd: float = 0.0
    cached_calls: int = 0
    cached: str | None = None
    saved_usd: float = 0.0
    saved_seconds: float = 0.0


class UsageLine(_Received):
    """Model calls summed up; `key` is the day, model, operation, port, chatbot, user or session."""

    key: str | None
    calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    average_latency_ms: float


class Budget(_Received):
    """A limit of paid model calls. `id` is None for one of the operator's; `state`: `ok`, `warning`, `exhausted`."""

    id: UUID | None
    scope: str
    subject: str
    period: str
    limit_usd: float
    spent_usd: float | None
    state: str | None
    starts_on: date
    ends_on: date


class Limits(_Received):
    """How often a tenant and its askers may do what costs, by name: what it has set (None: nothing), and what holds (0: no limit)."""

    own: dict[str, int | None]
    effective: dict[str, int]


class NearestDocument(_Received):
    """A document that "I don't know" offers."""

    doc_id: UUID
    title: str
    similarity_score: float


class AnswerFacts(_Received):
    """How an answer came about. `timings` in milliseconds."""

    answered: bool
    confidence: float | None
    quality: float | None = None
    usage: Usage
    timings: dict[str, float]
    grounding: dict[str, Any]
    nearest_documents: list[NearestDocument] = []
    degraded: list[str]
    model: str


class Message(_Received):
    """What was said. `facts`: of an answer that is stored, how it came about."""

    id: UUID
    session_id: UUID
    parent_id: UUID | None
    role: str
    state: str
    content: str
    language: str | None
    sources: list[Source]
    tokens_used: int
    response_time: float | None
    created_at: datetime
    alternatives: list[UUID] = []
    feedback: GivenFeedback | None = None
    facts: AnswerFacts | None = None


class Answer(Message, AnswerFacts):
    """A whole answer. `answered` is False when the documents do not answer; `timings` in milliseconds."""


class StatusEvent(_Received):
    """What happens now. `message_id`: of the answer that is being written."""

    type: Literal["status"]
    stage: str
    message_id: UUID | None = None


class TokenEvent(_Received):
    type: Literal["token"]
    content: str


class SourceEvent(Source):
    type: Literal["source"]


class CompleteEvent(AnswerFacts):
    """The end of an answer. `state`: `complete`, or `interrupted` where it was stopped."""

    type: Literal["complete"]
    message_id: UUID
    session_id: UUID
    state: str = "complete"
    tokens: int
    language: str


class ErrorEvent(_Received):
    type: Literal["error"]
    code: str
    detail: str


StreamEvent = Annotated[
    StatusEvent | TokenEvent | SourceEvent | CompleteEvent | ErrorEvent, Field(discriminator="type")
]
"""Events of a stream, in order of appearance: `status` and `token`, then each `source`, then `complete`; or `error`."""


class EarlierFeedback(_Received):
    """What a feedback said from `given_at` until `replaced_at`."""

    rating: str
    reason: str | None
    comment: str
    correction: str
    given_at: datetime
    replaced_at: datetime


class Feedback(_Received):
    """What somebody said of an answer; `is_review`: somebody else than its asker. `history`: the latest first."""

    id: UUID
    message_id: UUID
    session_id: UUID
    chatbot_id: UUID
    is_review: bool
    rating: str
    reason: str | None
    comment: str
    correction: str
    metadata: dict[str, Any]
    correction_state: str | None
    created_at: datetime
    updated_at: datetime
    history: list[EarlierFeedback] = []


class FeedbackItem(Feedback):
    """With its question and answer; these are None where the chatbot keeps no text of questions."""

    question: str | None
    answer: str | None
    language: str
    model: str
    prompt_version: str
    answered: bool
    document_ids: list[UUID]
    correction_document_id: UUID | None
    correction_note: str
    decided_at: datetime | None


class AcceptedCorrection(_Received):
    """The document that a correction became."""

    feedback: Feedback
    document_id: UUID
    document_state: str
    waits_for_approval: bool


class Satisfaction(_Received):
    """Thumbs; `satisfaction_low` and `satisfaction_high` bound the rate with 95 % confidence. None: nobody has rated."""

    up: int
    down: int
    total: int
    satisfaction_rate: float | None
    satisfaction_low: float | None
    satisfaction_high: float | None


class SatisfactionLine(Satisfaction):
    """`key`: the day, language, model, prompt version, chatbot or document."""

    key: str
    title: str | None = None


class FeedbackAnalytics(Satisfaction):
    """The askers' ratings of a period; those of reviewers stand under `reviews`."""

    first_day: date
    last_day: date
    reviews: Satisfaction
    comments: int
    corrections: dict[str, int]
    by_day: list[SatisfactionLine]
    by_language: list[SatisfactionLine]
    by_reason: dict[str, int]
    by_model: list[SatisfactionLine]
    by_prompt_version: list[SatisfactionLine]
    by_chatbot: list[SatisfactionLine]
    by_document: list[SatisfactionLine]
    recent: list[FeedbackItem]


class ReportSummary(_Received):
    """`state`: queued, ready or failed."""

    id: UUID
    kind: str
    chatbot_id: UUID
    first_day: date
    last_day: date
    state: str
    is_scheduled: bool
    job_id: UUID | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class ReportDocument(_Received):
    """A document in answers that were rated down. `chance`: how likely as many are by chance; `title` None: deleted."""

    document_id: UUID
    title: str | None
    down: int
    pages: list[int]
    cited: int | None = None
    rated: int | None = None
    expected: float | None = None
    chance: float | None = None


class Topic(_Received):
    """Questions about the same thing. `kind`: missing, bad or fine; `label`: the most central question."""

    kind: str
    label: str | None
    examples: list[str]
    asked: int
    unanswered: int
    up: int
    down: int
    languages: dict[str, int]
    reasons: dict[str, int]
    documents: list[ReportDocument]
    suggestion: str


class ImprovementReport(ReportSummary):
    """What is badly answered, which documents mislead, which knowledge is missing."""

    asked: int
    unanswered: int
    looked_at: int
    up: int
    down: int
    topics_found: int
    topics: list[Topic]
    misleading: list[ReportDocument]


class AdapterSetting(_Received):
    """`variable` sets it for the installation; None where each connector has its own."""

    name: str
    variable: str | None
    is_required: bool
    is_secret: bool


class Adapter(_Received):
    name: str
    description: str
    is_used: bool
    is_installed: bool
    extras: list[str]
    settings_schema: dict[str, Any]
    settings: list[AdapterSetting]


class Port(_Received):
    """What Dragoman asks of the outside world, with the adapters that do it."""

    name: str
    description: str
    chosen: str
    adapters: list[Adapter]


class SuggestedQuestion(_Received):
    """A question that a chatbot can answer. `source`: owner, asked, faq or heading."""

    text: str
    language: str
    source: str


class PagePlace(_Received):
    """A rectangle on a page, as shares of its width and height from the upper left corner."""

    left: float
    top: float
    width: float
    height: float

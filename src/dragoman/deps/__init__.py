"""What the wiring built, in one object that services receive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from dragoman.accounts.parts import AccountParts
from dragoman.deps.conversation import ConversationReader
from dragoman.deps.given_feedback import FeedbackReader
from dragoman.inference.judging import Judges
from dragoman.inference.reranking import Rerankers
from dragoman.inference.service import Inference
from dragoman.inference.translating import Translators
from dragoman.jobs.entities import JobKind, JobSender
from dragoman.jobs.live import LiveFeed
from dragoman.kit.buffer import Buffer
from dragoman.kit.cache import Cache, LayeredCache
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.vector_shelves import VectorShelves
from dragoman.metering.budgets import Budgets
from dragoman.ports.blob_store import BlobStore
from dragoman.ports.connector import ConnectorKind, Premises
from dragoman.ports.extractor import DocumentReader
from dragoman.ports.keyword_index import KeywordIndex
from dragoman.ports.language_detector import LanguageDetector
from dragoman.ports.malware_scanner import MalwareScanner
from dragoman.ports.pii_detector import PiiDetector
from dragoman.ports.vector_index import VectorIndex
from dragoman.tenancy.audit_log.service import AuditLog
from dragoman.tenancy.limits import Limiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Parts of a running process.

    Attributes:
        job_kinds: what a worker can run, by name.
        readable_types: MIME types that some extractor reads.
        pictured_types: MIME types whose pages can be shown as pictures.
        page_views: pictures of pages, and places on them, that were asked for lately.
        sandbox: reads documents in processes of its own.
        malware_scanner: None where none is set.
        connectors: kinds of connectors by name.
        premises: what the operator allows connectors to reach.
        accounts: what users sign in with.
        live: what workers tell while they work.
        keyring: seals what must be stored but not read by others.
        embedding_version: the version that new chatbots get: its id and its name.
        upload_directory: where an upload lies until it is checked and stored.
        search_results: what searches found lately; None where that is not remembered.
        limiter: takes what callers ask for from their limits.
        answer_cache: what language models wrote lately; None where that is not remembered.
        similar_questions: questions whose answers are remembered, by their vectors; None where they are not.
        search_log: takes each search (`search.entities.SearchEntry`) and stores it behind the request.
        audit_log: who did what, in a chain that is verified.
        read_conversation: what was said in a session.
        read_feedback: what an asker said of answers.
        default_answerer: `extractive`, or the name of the `llm` adapter used when a chatbot sets none.
        default_translator: the `translator` adapter used when a chatbot sets none.
        operator_tenant: whose callers may see figures of the whole installation; None: see `insights.operators`.
        counts_by_hour_kept: how far back analytics by hour reach.
        home: where this installation keeps its files.
        default_judge: `none`, or the `judge` adapter used when a chatbot sets none.
    """

    database: Database
    cache: Cache
    sender: JobSender
    job_kinds: Mapping[str, JobKind]
    inference: Inference
    budgets: Budgets
    rerankers: Rerankers
    translators: Translators
    judges: Judges
    vector_index: VectorIndex
    keyword_index: KeywordIndex
    language_detector: LanguageDetector
    blob_store: BlobStore
    readable_types: frozenset[str]
    pictured_types: frozenset[str]
    page_views: LayeredCache
    sandbox: DocumentReader
    malware_scanner: MalwareScanner | None
    pii_detectors: Sequence[PiiDetector]
    keyring: Keyring
    connectors: Mapping[str, ConnectorKind]
    premises: Premises
    accounts: AccountParts
    live: LiveFeed
    embedding_version_id: int
    embedding_version_name: str
    upload_directory: Path
    default_answerer: str
    default_translator: str | None
    default_judge: str
    search_results: LayeredCache | None
    answer_cache: LayeredCache | None
    similar_questions: VectorShelves | None
    limiter: Limiter
    search_log: Buffer[Any]
    audit_log: AuditLog
    read_conversation: ConversationReader
    operator_tenant: UUID | None
    counts_by_hour_kept: timedelta
    home: Path
    read_feedback: FeedbackReader

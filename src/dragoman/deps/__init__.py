"""What the wiring built, in one object that services receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dragoman.inference.service import Inference
from dragoman.jobs.entities import JobSender
from dragoman.kit.cache import Cache
from dragoman.kit.database import Database
from dragoman.ports.blob_store import BlobStore
from dragoman.ports.extractor import Extractor
from dragoman.ports.keyword_index import KeywordIndex
from dragoman.ports.language_detector import LanguageDetector
from dragoman.ports.vector_index import VectorIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Parts of a running process.

    Attributes:
        extractors: by MIME type.
        embedding_version: the version that new chatbots get: its id and its name.
        upload_directory: where an upload lies until it is checked and stored.
        default_answerer: `extractive`, or the name of the `llm` adapter used when a chatbot sets none.
    """

    database: Database
    cache: Cache
    sender: JobSender
    inference: Inference
    vector_index: VectorIndex
    keyword_index: KeywordIndex
    language_detector: LanguageDetector
    blob_store: BlobStore
    extractors: Mapping[str, Extractor]
    embedding_version_id: int
    embedding_version_name: str
    upload_directory: Path
    default_answerer: str

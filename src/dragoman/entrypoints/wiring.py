"""Builds the parts of a process from its settings: the only place that picks adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.entrypoints.resources import resource_path
from dragoman.entrypoints.settings import Settings, adapter_settings
from dragoman.inference.service import Inference
from dragoman.ingestion import service as ingestion
from dragoman.jobs.celery_app import CelerySender, create_celery
from dragoman.jobs.entities import Job, JobKind, Progress
from dragoman.kit import registry
from dragoman.kit.cache import Cache
from dragoman.kit.database import Database, DatabaseUrls
from dragoman.kit.errors import InvalidSettingError
from dragoman.knowledge import service as knowledge
from dragoman.metering.prices import PriceList
from dragoman.metering.service import UsageBuffer
from dragoman.ports.embedder import Embedder
from dragoman.ports.extractor import Extractor
from dragoman.ports.llm import Llm


class MissingServiceError(InvalidSettingError):
    """No database or cache is set. Start everything with `dragoman up`, or set DRAGOMAN_DATABASE_URL and DRAGOMAN_CACHE_URL."""

    code = "settings.missing_service"


def database_urls(settings: Settings) -> DatabaseUrls:
    """Raises MissingServiceError."""
    if settings.database_url:
        return DatabaseUrls.derive(
            settings.database_url, app=settings.database_app_url, system=settings.database_system_url
        )
    if settings.database_app_url and settings.database_system_url:
        return DatabaseUrls(admin="", app=settings.database_app_url, system=settings.database_system_url)
    raise MissingServiceError


def cache_url(settings: Settings) -> str:
    """Raises MissingServiceError."""
    if not settings.cache_url:
        raise MissingServiceError
    return settings.cache_url


def broker_url(settings: Settings) -> str:
    """The broker; where none is set, the cache's server. Kombu names unix sockets otherwise than redis-py does."""
    url = settings.broker_url or cache_url(settings)
    if url.startswith("unix://"):
        path, _, options = url.removeprefix("unix://").partition("?")
        number = next((part.removeprefix("db=") for part in options.split("&") if part.startswith("db=")), "0")
        return f"redis+socket://{path}?virtual_host={number}"
    return url


def create_embedder(settings: Settings, *, in_process: bool = False) -> Embedder:
    """The embedder that is set, or the client of the embedder role where its socket is set."""
    if settings.embedder_socket is not None and not in_process:
        client: Embedder = registry.create(
            "embedder", "socket", adapter_settings("embedder", "socket", path=settings.embedder_socket)
        )
        return client
    embedder: Embedder = registry.create("embedder", settings.embedder, adapter_settings("embedder", settings.embedder))
    return embedder


def _create_llm(name: str) -> Llm:
    llm: Llm = registry.create("llm", name, adapter_settings("llm", name))
    return llm


def _create_adapter(settings: Settings, port: str) -> Any:
    name: str = getattr(settings, port)
    defaults: dict[str, Any] = {}
    if (port, name) == ("blob_store", "filesystem"):
        defaults["root"] = settings.home / "blobs"
    return registry.create(port, name, adapter_settings(port, name, **defaults))


def _extractors() -> Mapping[str, Extractor]:
    """By MIME type. The more special extractor wins: `kreuzberg`, which reads most, comes first and is overwritten."""
    names = sorted(registry.list_adapters("extractor"), key=lambda name: (name != "kreuzberg", name))
    by_type: dict[str, Extractor] = {}
    for name in names:
        extractor: Extractor = registry.create("extractor", name, adapter_settings("extractor", name))
        by_type |= dict.fromkeys(extractor.mime_types, extractor)
    return by_type


def price_list(settings: Settings) -> PriceList:
    directory = settings.config_directory or resource_path("configs")
    return PriceList.load(Path(directory) / "models.yaml")


@asynccontextmanager
async def running_deps(settings: Settings) -> AsyncIterator[Deps]:
    """All parts of a process, closed in the end.

    Raises:
        InvalidSettingError and its kinds, DatabaseUnavailableError.
    """
    database = Database(database_urls(settings), pool_size=settings.database_pool_size)
    cache = Cache(cache_url(settings))
    usage = UsageBuffer(database)
    embedder = create_embedder(settings)
    llm_factories: dict[str, Callable[[], Llm]] = {
        name: partial(_create_llm, name) for name in registry.list_adapters("llm")
    }
    upload_directory = settings.home / "uploads"
    upload_directory.mkdir(parents=True, exist_ok=True)
    try:
        version = await embeddings.ensure_version(database, adapter=settings.embedder, profile=embedder.profile)
        inference = Inference(
            embedders={version.name: embedder}, llms=llm_factories, prices=price_list(settings), usage=usage
        )
        usage.start()
        try:
            yield Deps(
                database=database,
                cache=cache,
                sender=CelerySender(create_celery(broker_url(settings))),
                inference=inference,
                vector_index=_create_adapter(settings, "vector_index"),
                keyword_index=_create_adapter(settings, "keyword_index"),
                language_detector=_create_adapter(settings, "language_detector"),
                blob_store=_create_adapter(settings, "blob_store"),
                extractors=_extractors(),
                embedding_version_id=version.id,
                embedding_version_name=version.name,
                upload_directory=upload_directory,
                default_answerer=settings.llm or "extractive",
            )
        finally:
            await usage.close()
            await inference.close()
    finally:
        await cache.close()
        await database.close()


def job_kinds(deps: Deps) -> dict[str, JobKind]:
    """What a worker can run."""

    async def ingest(job: Job, progress: Progress) -> None:
        await ingestion.ingest_document(deps, job, progress)

    async def ingestion_failed(job: Job, code: str, message: str) -> None:
        await ingestion.record_failure(deps, job, code, message)

    async def purge_document(job: Job, progress: Progress) -> None:
        await knowledge.purge_document(deps, job, progress)

    async def purge_blobs(job: Job, progress: Progress) -> None:
        await knowledge.purge_blobs(deps, job, progress)

    kinds = (
        JobKind(name=knowledge.INGEST_DOCUMENT, body=ingest, on_failed=ingestion_failed),
        JobKind(name=knowledge.PURGE_DOCUMENT, body=purge_document),
        JobKind(name=knowledge.PURGE_BLOBS, body=purge_blobs),
    )
    return {kind.name: kind for kind in kinds}

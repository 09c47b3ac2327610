"""Builds the parts of a process from its settings: the only place that picks adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

import dragoman
from dragoman.accounts.parts import AccountParts, AccountPolicy
from dragoman.chat import service as chat
from dragoman.connectors import fetch_urls
from dragoman.connectors import service as connectors
from dragoman.connectors.sync import run_sync
from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.embeddings.indexes import service as vector_indexes
from dragoman.embeddings.indexes.entities import IndexPolicy
from dragoman.embeddings.remember import remembering
from dragoman.entrypoints.leftovers import sweep_leftovers
from dragoman.entrypoints.reader import create_sandbox
from dragoman.entrypoints.resources import resource_path
from dragoman.entrypoints.settings import Settings, adapter_settings, environment
from dragoman.feedback import service as feedback
from dragoman.feedback.improvement import service as reports
from dragoman.inference.catalogue import Catalogue
from dragoman.inference.judging import AnyJudge, Judges
from dragoman.inference.masking import mask_source
from dragoman.inference.question_cache import QuestionCache
from dragoman.inference.reranking import AnyReranker, Rerankers
from dragoman.inference.service import Inference
from dragoman.inference.translating import AnyTranslator, Translators
from dragoman.ingestion import external_indexes
from dragoman.ingestion.ingest import (
    FEW_TOGETHER,
    TOGETHER,
    ingest_document,
    ingest_together,
    record_cancelled,
    record_failure,
    record_retried,
)
from dragoman.ingestion.reading import IMAGE_TYPES
from dragoman.ingestion.refill import REFILL_KEYWORD_INDEX, refill_keyword_index
from dragoman.insights.alerts.deliver import DELIVER_ALERT, deliver_alert
from dragoman.insights.entities import Retention
from dragoman.jobs.celery_app import CelerySender, create_celery
from dragoman.jobs.entities import BatchProgress, Job, JobKind, Progress
from dragoman.jobs.live import LiveFeed
from dragoman.kit import registry
from dragoman.kit.cache import Cache, LayeredCache
from dragoman.kit.database import Database, DatabaseUrls
from dragoman.kit.encryption import Keyring
from dragoman.kit.errors import DragomanError, InvalidSettingError
from dragoman.kit.fetch import FetchPolicy
from dragoman.kit.rate_limit import RateLimit
from dragoman.kit.registry import MissingExtraError
from dragoman.kit.vector_shelves import VectorShelves
from dragoman.knowledge import service as knowledge
from dragoman.knowledge.encrypted_blobs import EncryptedBlobStore
from dragoman.knowledge.publish import PURGE_BLOBS, TIDY_KEYWORD_INDEX, tidy_keyword_index
from dragoman.metering.budgets import Budgets, load_ceilings
from dragoman.metering.service import UsageBuffer
from dragoman.ports.blob_store import BlobStore
from dragoman.ports.connector import ConnectorKind, Premises
from dragoman.ports.embedder import Embedder
from dragoman.ports.extractor import Extractor, PageViewer
from dragoman.ports.llm import Llm
from dragoman.ports.mailer import Mailer
from dragoman.ports.malware_scanner import MalwareScanner
from dragoman.ports.pii_detector import PiiDetector
from dragoman.ports.translator import LanguagePair
from dragoman.privacy import service as privacy
from dragoman.search.analytics import create_search_log
from dragoman.tenancy import audit
from dragoman.tenancy.audit_log.anchors import Anchors
from dragoman.tenancy.audit_log.service import AuditLog
from dragoman.tenancy.limits import InstallationLimits, Limiter
from dragoman.tenancy.quotas import EffectiveQuotas
from dragoman.understanding import expansion


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


def llm_factories(catalogue: Catalogue) -> dict[str, Callable[[], Llm]]:
    """By answerer: the adapters of the port `llm`, and the listed models, which come before adapters of their name."""
    adapters = {name: partial(_create_llm, name, {}) for name in registry.list_adapters("llm")}
    listed = {
        model.name: partial(
            _create_llm, model.adapter, {**model.settings, **({"model": model.model} if model.model else {})}
        )
        for model in catalogue.models
    }
    return {**adapters, **listed}


def _create_llm(name: str, given: Mapping[str, Any]) -> Llm:
    llm: Llm = registry.create("llm", name, adapter_settings("llm", name, given))
    return llm


def _create_reranker(name: str) -> AnyReranker:
    reranker: AnyReranker = registry.create("reranker", name, adapter_settings("reranker", name))
    return reranker


def _create_judge(name: str) -> AnyJudge:
    judge: AnyJudge = registry.create("judge", name, adapter_settings("judge", name))
    return judge


def create_translator(settings: Settings, name: str) -> AnyTranslator:
    """Raises InvalidSettingError: its packages are missing, or its settings are wrong."""
    defaults: dict[str, Any] = {"directory": settings.home / "translators"} if name == "marian" else {}
    translator: AnyTranslator = registry.create("translator", name, adapter_settings("translator", name, **defaults))
    return translator


async def examine_translators(settings: Settings) -> list[tuple[str, frozenset[LanguagePair] | None, str]]:
    """Each translator with the pairs that it can do now (None: any), and why it cannot be used; "" where it can."""
    found: list[tuple[str, frozenset[LanguagePair] | None, str]] = []
    for name in registry.list_adapters("translator"):
        try:
            translator = create_translator(settings, name)
            try:
                found.append((name, await translator.pairs(), ""))
            finally:
                await translator.close()
        except DragomanError as error:
            found.append((name, frozenset(), error.message))
    return found


def _create_adapter(settings: Settings, port: str) -> Any:
    name: str = getattr(settings, port)
    defaults: dict[str, Any] = {}
    if (port, name) == ("blob_store", "file"):
        defaults["root"] = settings.home / "blobs"
    return registry.create(port, name, adapter_settings(port, name, **defaults))


def create_index(settings: Settings, port: Literal["vector_index", "keyword_index"]) -> Any:
    """The index that is set."""
    return _create_adapter(settings, port)


def _extractors() -> Mapping[str, Extractor]:
    """By MIME type. The more special extractor wins: `kreuzberg`, which reads most, comes first and is overwritten."""
    names = sorted(registry.list_adapters("extractor"), key=lambda name: (name != "kreuzberg", name))
    by_type: dict[str, Extractor] = {}
    for name in names:
        extractor: Extractor = registry.create("extractor", name, adapter_settings("extractor", name))
        by_type |= dict.fromkeys(extractor.mime_types, extractor)
    return by_type


_PAGE_VIEWS_MIB = 16  # of a process: some 100 pages; a page of text takes 150 KB
_PAGE_VIEWS_S = 3600


def _pictured_types() -> frozenset[str]:
    viewed = {mime_type for mime_type, extractor in _extractors().items() if isinstance(extractor, PageViewer)}
    return IMAGE_TYPES | viewed


def create_keyring(settings: Settings) -> Keyring:
    """The master keys that are set, else those of the home, which are made when there are none."""
    if settings.encryption_keys is not None:
        return Keyring.parse(settings.encryption_keys.get_secret_value())
    return Keyring.load_or_create(settings.home / "master.key")


def create_retention(settings: Settings) -> Retention:
    """How long analytics are kept."""
    return Retention(
        hours=timedelta(days=settings.analytics_hours_kept_days),
        days=timedelta(days=settings.analytics_days_kept_days),
    )


def create_audit_log(settings: Settings, database: Database) -> AuditLog:
    """The audit log behind a database, which seals from now on what is recorded there."""
    if settings.audit_keys is not None:
        keyring = Keyring.parse(settings.audit_keys.get_secret_value())
    else:
        keyring = Keyring.load_or_create(settings.home / "audit.key")
    audit.seal_with(database, keyring)
    return AuditLog(
        database=database, keyring=keyring, anchors=Anchors(settings.audit_heads or settings.home / "audit")
    )


def create_mailer(settings: Settings) -> Mailer:
    mailer: Mailer = _create_adapter(settings, "mailer")
    return mailer


def create_accounts(settings: Settings, database: Database, cache: Cache, keyring: Keyring) -> AccountParts:
    """What users sign in with."""
    return AccountParts(
        database=database,
        keyring=keyring,
        mailer=create_mailer(settings),
        attempts=RateLimit(cache, "sign_in", is_told=False),  # what is left would tell who is known here
        network=FetchPolicy.of(settings.private_networks, user_agent=f"Dragoman/{dragoman.__version__}"),
        url=settings.url,
        policy=AccountPolicy(
            idle_days=settings.sign_in_idle_days,
            most_days=settings.sign_in_days,
            invitation_hours=settings.invitation_hours,
            reset_minutes=settings.password_reset_minutes,
            attempts=settings.sign_in_attempts,
            attempts_per_address=settings.sign_in_attempts_per_address,
        ),
    )


def create_blob_store(settings: Settings, keyring: Keyring) -> BlobStore:
    """The blob store that is set, behind encryption. What is encrypted stays readable after that is switched off."""
    store: BlobStore = _create_adapter(settings, "blob_store")
    return EncryptedBlobStore(
        store, keyring, encrypt_new=settings.encrypt_originals, allow_plain=settings.allow_plain_originals
    )


def _malware_scanner(settings: Settings) -> MalwareScanner | None:
    if settings.malware_scanner is None:
        return None
    scanner: MalwareScanner = registry.create(
        "malware_scanner", settings.malware_scanner, adapter_settings("malware_scanner", settings.malware_scanner)
    )
    return scanner


def _pii_detectors(settings: Settings) -> list[PiiDetector]:
    return [
        registry.create("pii_detector", name, adapter_settings("pii_detector", name)) for name in settings.pii_detectors
    ]


def _connectors() -> dict[str, ConnectorKind]:
    """The kinds of connectors of which the libraries are installed."""
    kinds = {}
    for name in registry.list_adapters("connector"):
        try:
            module = registry.load_module("connector", name)
        except MissingExtraError:
            continue
        kinds[name] = ConnectorKind(
            name=name,
            settings=module.Settings,
            create=module.Adapter,
        )
    return kinds


def _premises(settings: Settings) -> Premises:
    user_agent = f"Dragoman/{dragoman.__version__}"
    if settings.public_url:  # so that a site knows whom to ask
        user_agent += f" (+{settings.public_url})"
    return Premises(
        folders=tuple(folder.expanduser().resolve() for folder in settings.connector_folders),
        fetch=FetchPolicy.of(settings.private_networks, user_agent=user_agent),
        mime_types=frozenset(_extractors()) | IMAGE_TYPES,
    )


def installation_limits(settings: Settings) -> InstallationLimits:
    """The limits that the operator sets."""
    names = EffectiveQuotas.model_fields
    return InstallationLimits(
        quotas=EffectiveQuotas(**{name: getattr(settings, f"limit_{name}") for name in names}),
        requests_per_minute_address=settings.limit_requests_per_minute_address,
        messages_per_minute_address=settings.limit_messages_per_minute_address,
    )


def load_catalogue(settings: Settings) -> Catalogue:
    """The listed provider models. Raises InvalidSettingError: the list cannot be used, or an adapter in it is unknown."""
    catalogue = Catalogue.load(_config_directory(settings) / "models.yaml", environment())
    adapters = registry.list_adapters("llm")
    for model in catalogue.models:
        if model.adapter not in adapters:
            raise InvalidSettingError(
                f"models.yaml: the model {model.name!r} names the adapter {model.adapter!r}; there are: "
                f"{', '.join(sorted(adapters))}."
            )
    return catalogue


def load_budgets(settings: Settings, database: Database) -> Budgets:
    """Budgets, with those of the operator. Raises InvalidSettingError."""
    path = _config_directory(settings) / "cost_limits.yaml"
    return Budgets(database, load_ceilings(path) if path.exists() else ())


def _config_directory(settings: Settings) -> Path:
    return Path(settings.config_directory or resource_path("configs"))


def _question_cache(settings: Settings, cache: Cache) -> QuestionCache | None:
    if settings.question_cache_s == 0:
        return None
    return QuestionCache(cache, max_mib=settings.question_cache_mib, expires_after_s=settings.question_cache_s)


def _answer_cache(settings: Settings, cache: Cache) -> LayeredCache | None:
    if settings.answer_cache_s == 0:
        return None
    return LayeredCache(
        cache,
        "answers",
        max_bytes=settings.answer_cache_mib * 1024 * 1024,
        expires_after_s=settings.answer_cache_s,
        made_with=dragoman.__version__,
    )


def _judgements(settings: Settings, cache: Cache) -> LayeredCache | None:
    """Where verdicts are remembered, as long as answers. Processes whose judges or their settings differ share none."""
    if settings.answer_cache_s == 0:
        return None
    made_with = [
        f"{name}:{adapter_settings('judge', name).model_dump_json()}" for name in registry.list_adapters("judge")
    ]
    return LayeredCache(
        cache,
        "judgements",
        max_bytes=1024 * 1024,  # a verdict takes about 100 bytes
        expires_after_s=settings.answer_cache_s,
        made_with=" ".join([dragoman.__version__, *made_with]),
    )


def _similar_questions(settings: Settings, cache: Cache) -> VectorShelves | None:
    if settings.answer_cache_s == 0 or settings.similar_questions_mib == 0:
        return None
    return VectorShelves(
        cache,
        "similar_questions",
        max_bytes=settings.similar_questions_mib * 1024 * 1024,
        expires_after_s=settings.answer_cache_s,
        made_with=dragoman.__version__,
    )


_RANKING_PORTS = ("vector_index", "keyword_index", "language_detector")


def _search_results(settings: Settings, cache: Cache) -> LayeredCache | None:
    """Where results of searches are remembered. Processes whose adapters or their settings differ share none."""
    if settings.search_cache_s == 0:
        return None
    adapters = [(port, getattr(settings, port)) for port in _RANKING_PORTS]
    adapters += [("reranker", name) for name in registry.list_adapters("reranker")]  # each chatbot chooses its own
    made_with = [f"{port}:{name}:{adapter_settings(port, name).model_dump_json()}" for port, name in adapters]
    return LayeredCache(
        cache,
        "search_results",
        max_bytes=settings.search_cache_mib * 1024 * 1024,
        expires_after_s=settings.search_cache_s,
        made_with=" ".join([dragoman.__version__, *made_with]),
    )


def _translations(settings: Settings, cache: Cache) -> LayeredCache | None:
    """Where translations are remembered. Processes whose translators or their settings differ share none."""
    if settings.translation_cache_s == 0:
        return None
    made_with = [dragoman.__version__]
    for name in registry.list_adapters("translator"):
        try:
            made_with.append(f"{name}:{adapter_settings('translator', name).model_dump_json()}")
        except MissingExtraError:
            made_with.append(f"{name}: not installed")
    return LayeredCache(
        cache,
        "translations",
        max_bytes=settings.translation_cache_mib * 1024 * 1024,
        expires_after_s=settings.translation_cache_s,
        made_with=" ".join(made_with),
    )


@asynccontextmanager
async def running_deps(settings: Settings) -> AsyncIterator[Deps]:
    """All parts of a process, closed in the end.

    Raises:
        InvalidSettingError and its kinds, DatabaseUnavailableError.
    """
    database = Database(database_urls(settings), pool_size=settings.database_pool_size)
    cache = Cache(cache_url(settings))
    usage = UsageBuffer(database)
    budgets = load_budgets(settings, database)
    embedder = create_embedder(settings)
    catalogue = load_catalogue(settings)
    upload_directory = settings.home / "uploads"
    upload_directory.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(upload_directory)
    live = LiveFeed(cache)
    keyring = create_keyring(settings)
    blob_store = create_blob_store(settings, keyring)
    sandbox = create_sandbox(
        ocr=settings.ocr,
        processes=settings.reader_processes,
        memory_mib=settings.reader_memory_mib,
        stall_s=settings.reader_stall_s,
        total_s=settings.reader_total_s,
    )
    try:
        version = await embeddings.ensure_version(database, adapter=settings.embedder, profile=embedder.profile)
        vector_index, keyword_index = create_index(settings, "vector_index"), create_index(settings, "keyword_index")
        pii_detectors = _pii_detectors(settings)
        language_detector = _create_adapter(settings, "language_detector")
        inference = Inference(
            embedders={version.name: embedder},
            llms=llm_factories(catalogue),
            prices=catalogue.prices,
            usage=usage,
            questions=_question_cache(settings, cache),
            catalogue=catalogue,
            budgets=budgets,
            masks=mask_source(database, pii_detectors, language_detector),
        )
        rerankers = Rerankers(
            factories={name: partial(_create_reranker, name) for name in registry.list_adapters("reranker")},
            inference=inference,
            default_answerer=settings.llm or "extractive",
        )
        translators = Translators(
            factories={
                name: partial(create_translator, settings, name) for name in registry.list_adapters("translator")
            },
            inference=inference,
            default_answerer=settings.llm or "extractive",
            cache=_translations(settings, cache),
        )
        judges = Judges(
            factories={name: partial(_create_judge, name) for name in registry.list_adapters("judge")},
            inference=inference,
            cache=_judgements(settings, cache),
        )
        search_log = create_search_log(database, keyring, pii_detectors)
        audit_log = create_audit_log(settings, database)
        limiter = Limiter(database, cache, installation_limits(settings))
        usage.start()
        audit.start(database)
        search_log.start()
        try:
            kinds: dict[str, JobKind] = {}
            deps = Deps(
                database=database,
                cache=cache,
                job_kinds=kinds,
                sender=CelerySender(create_celery(broker_url(settings))),
                inference=inference,
                budgets=budgets,
                rerankers=rerankers,
                translators=translators,
                judges=judges,
                vector_index=vector_index,
                keyword_index=keyword_index,
                language_detector=language_detector,
                blob_store=blob_store,
                readable_types=frozenset(_extractors()),
                pictured_types=_pictured_types(),
                page_views=LayeredCache(
                    cache,
                    "page_views",
                    max_bytes=_PAGE_VIEWS_MIB * 1024 * 1024,
                    expires_after_s=_PAGE_VIEWS_S,
                    made_with=dragoman.__version__,
                ),
                sandbox=sandbox,
                malware_scanner=_malware_scanner(settings),
                pii_detectors=pii_detectors,
                keyring=keyring,
                connectors=_connectors(),
                premises=_premises(settings),
                accounts=create_accounts(settings, database, cache, keyring),
                live=live,
                embedding_version_id=version.id,
                embedding_version_name=version.name,
                upload_directory=upload_directory,
                default_answerer=settings.llm or "extractive",
                default_translator=settings.translator,
                default_judge=settings.judge,
                search_results=_search_results(settings, cache),
                answer_cache=_answer_cache(settings, cache),
                similar_questions=_similar_questions(settings, cache),
                limiter=limiter,
                search_log=search_log,
                audit_log=audit_log,
                read_conversation=partial(chat.read_conversation, database),
                operator_tenant=settings.operator_tenant,
                counts_by_hour_kept=create_retention(settings).hours,
                home=settings.home,
                read_feedback=feedback.read_given,
            )
            # Their bodies need the deps that they are part of.
            kinds |= job_kinds(deps, IndexPolicy(memory_mib=settings.index_build_mib))
            async with remembering(database, vector_index):
                yield deps
        finally:
            await limiter.close()
            await live.close()
            await sandbox.close()
            await blob_store.close()
            await search_log.close()
            await audit.close(database)
            await rerankers.close()
            await translators.close()
            await judges.close()
            await inference.close()
            await usage.close()
            for index in (vector_index, keyword_index):
                if hasattr(index, "close"):  # one outside PostgreSQL holds connections
                    await index.close()
    finally:
        await cache.close()
        await database.close()


_USUAL_INDEXES = IndexPolicy()


def job_kinds(deps: Deps, indexes: IndexPolicy = _USUAL_INDEXES) -> dict[str, JobKind]:
    """What a worker can run."""

    async def ingest(job: Job, progress: Progress) -> None:
        await ingest_document(deps, job, progress)

    async def ingest_many(batch: Sequence[Job], progress: BatchProgress) -> Mapping[UUID, Exception]:
        return await ingest_together(deps, batch, progress)

    async def ingestion_failed(job: Job, code: str, message: str) -> None:
        await record_failure(deps, job, code, message)

    async def ingestion_cancelled(connection: AsyncConnection, cancelled: Sequence[Job]) -> None:
        await record_cancelled(deps, connection, cancelled)

    async def ingestion_retried(connection: AsyncConnection, retried: Sequence[Job]) -> None:
        await record_retried(connection, retried)

    async def purge_document(job: Job, progress: Progress) -> None:
        await knowledge.purge_document(deps, job, progress)

    async def fetch_url(job: Job, progress: Progress) -> None:
        await fetch_urls.fetch_url(deps, job, progress)

    async def sync_connector(job: Job, progress: Progress) -> None:
        await run_sync(deps, job, progress)

    async def sync_failed(job: Job, code: str, message: str) -> None:
        await connectors.record_failure(deps, job, code, message)

    async def remove_connector(job: Job, progress: Progress) -> None:
        await connectors.remove_documents(deps, job, progress)

    async def purge_blobs(job: Job, progress: Progress) -> None:
        await knowledge.purge_blobs(deps, job, progress)

    async def tidy_keywords(job: Job, progress: Progress) -> None:
        await tidy_keyword_index(deps, job, progress)

    async def refill_keywords(job: Job, progress: Progress) -> None:
        await refill_keyword_index(deps, job, progress)

    async def check_external_index(job: Job, progress: Progress) -> None:
        await external_indexes.run_check(deps, job, progress)

    async def build_vector_index(job: Job, progress: Progress) -> None:
        await vector_indexes.run_job(deps.database, indexes, job, progress)

    async def tell_of_alert(job: Job, progress: Progress) -> None:
        await deliver_alert(deps, job, progress)

    async def privacy_request(job: Job, progress: Progress) -> None:
        await privacy.run_request(deps, job, progress)

    async def privacy_request_failed(job: Job, _code: str, message: str) -> None:
        await privacy.record_failure(deps, job, message)

    async def expire_archives(job: Job, progress: Progress) -> None:
        await privacy.remove_expired(deps, job, progress)

    async def learn_expansions(job: Job, progress: Progress) -> None:
        await expansion.learn_expansions(deps.database, job, progress)

    async def write_report(job: Job, progress: Progress) -> None:
        await reports.run_job(deps, job, progress)

    async def report_failed(job: Job, code: str, message: str) -> None:
        await reports.record_failure(deps, job, code, message)

    kinds = (
        JobKind(
            name=knowledge.INGEST_DOCUMENT,
            body=ingest,
            batch_size=TOGETHER,
            small_batch=FEW_TOGETHER,
            batch_body=ingest_many,
            on_failed=ingestion_failed,
            on_cancelled=ingestion_cancelled,
            on_retried=ingestion_retried,
        ),
        JobKind(name=knowledge.PURGE_DOCUMENT, body=purge_document),
        JobKind(name=PURGE_BLOBS, body=purge_blobs),
        JobKind(name=TIDY_KEYWORD_INDEX, body=tidy_keywords),
        JobKind(name=fetch_urls.FETCH_URL, body=fetch_url),
        JobKind(
            name=connectors.SYNC,
            body=sync_connector,
            on_failed=sync_failed,
            on_cancelled=connectors.record_cancellation,
            on_retried=connectors.record_retry,
        ),
        JobKind(name=connectors.REMOVE, body=remove_connector),
        JobKind(name=REFILL_KEYWORD_INDEX, body=refill_keywords),
        JobKind(name=external_indexes.CHECK_EXTERNAL_INDEX, body=check_external_index),
        JobKind(name=vector_indexes.BUILD_VECTOR_INDEX, body=build_vector_index),
        JobKind(name=privacy.PRIVACY_REQUEST, body=privacy_request, on_failed=privacy_request_failed),
        JobKind(name=privacy.EXPIRE_ARCHIVES, body=expire_archives),
        JobKind(name=expansion.LEARN_EXPANSIONS, body=learn_expansions),
        JobKind(name=DELIVER_ALERT, body=tell_of_alert),
        JobKind(name=reports.WRITE_REPORT, body=write_report, on_failed=report_failed),
    )
    return {kind.name: kind for kind in kinds}

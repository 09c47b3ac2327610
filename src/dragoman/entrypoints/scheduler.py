"""The `scheduler` role: what must happen again and again. Several may run; each round takes only what is free."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog
from redis.exceptions import RedisError

from dragoman.accounts import retention as account_retention
from dragoman.accounts.retention import Retention
from dragoman.connectors import service as connectors
from dragoman.connectors.watch import watch_folders
from dragoman.embeddings.indexes import service as vector_indexes
from dragoman.embeddings.indexes.entities import IndexPolicy
from dragoman.entrypoints.queue_metrics import measure
from dragoman.entrypoints.scraping import serve_metrics
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.telemetry import start_tracing
from dragoman.entrypoints.wiring import (
    broker_url,
    cache_url,
    create_audit_log,
    create_index,
    create_retention,
    database_urls,
    load_budgets,
)
from dragoman.feedback.days import rollup as feedback_days
from dragoman.feedback.improvement import service as reports
from dragoman.generation import rejected_texts
from dragoman.ingestion import external_indexes
from dragoman.ingestion.refill import enqueue_refills
from dragoman.insights import rollup
from dragoman.insights.alerts.evaluate import Evaluator
from dragoman.insights.metrics.processes import reported
from dragoman.jobs import groups
from dragoman.jobs import service as jobs
from dragoman.jobs.celery_app import CelerySender, create_celery
from dragoman.jobs.entities import JobSender
from dragoman.kit.cache import Cache
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError
from dragoman.kit.telemetry import configure_logging
from dragoman.privacy import service as privacy
from dragoman.search import analytics
from dragoman.tenancy.audit_log import chain, retention

_log = structlog.get_logger(__name__)
_REAP_INTERVAL_S = 2.0
_PUBLISH_INTERVAL_S = 0.5
_CHAIN_INTERVAL_S = 2.0
_GROUPS_INTERVAL_S = 5.0
_SYNC_INTERVAL_S = 5.0
_INDEX_INTERVAL_S = 30.0
_REFILL_INTERVAL_S = 600.0
_OUTSIDE_INDEXES = frozenset({"chroma", "pinecone", "elasticsearch"})
_MEASURE_INTERVAL_S = 5.0
_ROLL_UP_INTERVAL_S = 10.0
_SWEEP_INTERVAL_S = 3600.0
_REPORT_INTERVAL_S = 900.0


async def run_scheduler(settings: Settings) -> None:
    """Wake workers, publish events, close finished imports, start syncs that are due, sweep; until SIGINT or SIGTERM."""
    configure_logging(level=settings.log_level, style=settings.log_style)
    start_tracing("scheduler", settings)
    serve_metrics("scheduler", settings)
    database = Database(database_urls(settings), pool_size=2)
    cache = Cache(cache_url(settings))
    sender = CelerySender(create_celery(broker_url(settings)))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    audit_log = create_audit_log(settings, database)
    retention_of_counts = create_retention(settings)
    folders = [folder.expanduser().resolve() for folder in settings.connector_folders]
    keyword_index = create_index(settings, "keyword_index")
    evaluator = Evaluator(
        database=database,
        cache=cache,
        sender=sender,
        budgets=load_budgets(settings, database),
        home=settings.home,
        operator_tenant=settings.operator_tenant,
    )
    kept = Retention(
        sign_in_days=settings.sign_in_kept_days,
        link_days=settings.link_kept_days,
        idle_days=settings.sign_in_idle_days,
    )
    try:
        async with reported(cache, "scheduler"), asyncio.TaskGroup() as rounds:
            rounds.create_task(
                _repeat(stop, _REFILL_INTERVAL_S, lambda: enqueue_refills(database, keyword_index, sender))
            )
            if {settings.vector_index, settings.keyword_index} & _OUTSIDE_INDEXES:
                rounds.create_task(
                    _repeat(stop, _SWEEP_INTERVAL_S, lambda: external_indexes.enqueue_checks(database, sender))
                )
            rounds.create_task(_repeat(stop, _REAP_INTERVAL_S, lambda: jobs.reap(database, sender)))
            rounds.create_task(_repeat(stop, _PUBLISH_INTERVAL_S, lambda: _publish_all(database, cache)))
            rounds.create_task(_repeat(stop, _GROUPS_INTERVAL_S, lambda: groups.finish_groups(database)))
            rounds.create_task(_repeat(stop, _MEASURE_INTERVAL_S, lambda: measure(database, settings.home)))
            rounds.create_task(_repeat(stop, _SWEEP_INTERVAL_S, lambda: jobs.sweep(database)))
            rounds.create_task(_repeat(stop, _SWEEP_INTERVAL_S, lambda: analytics.purge(database)))
            rounds.create_task(
                _repeat(stop, _ROLL_UP_INTERVAL_S, lambda: rollup.roll_up(database, retention_of_counts))
            )
            rounds.create_task(_repeat(stop, _ROLL_UP_INTERVAL_S, lambda: feedback_days.roll_up(database)))
            rounds.create_task(_repeat(stop, settings.alert_interval_s, evaluator.evaluate))
            rounds.create_task(_repeat(stop, _SWEEP_INTERVAL_S, lambda: rollup.purge(database, retention_of_counts)))
            rounds.create_task(_repeat(stop, _SWEEP_INTERVAL_S, lambda: rejected_texts.purge(database)))
            rounds.create_task(_repeat(stop, _SWEEP_INTERVAL_S, lambda: account_retention.purge(database, kept)))
            rounds.create_task(
                _repeat(stop, _SWEEP_INTERVAL_S, lambda: reports.purge(database, keep_days=settings.report_kept_days))
            )
            rounds.create_task(_repeat(stop, _REPORT_INTERVAL_S, lambda: reports.enqueue_due(database, sender)))
            rounds.create_task(_repeat(stop, _SYNC_INTERVAL_S, lambda: connectors.enqueue_due(database, sender)))
            if settings.vector_index == "pgvector":
                rounds.create_task(_repeat(stop, _INDEX_INTERVAL_S, lambda: _see_to_indexes(database, sender)))
            rounds.create_task(
                _repeat(
                    stop,
                    _CHAIN_INTERVAL_S,
                    lambda: chain.chain_all(database, audit_log.keyring, audit_log.anchors),
                )
            )
            rounds.create_task(_repeat(stop, _SWEEP_INTERVAL_S, lambda: privacy.enqueue_expiry(database, sender)))
            rounds.create_task(_repeat(stop, _SWEEP_INTERVAL_S, lambda: retention.remove_expired(database)))
            rounds.create_task(watch_folders(database, sender, folders, stop))
    finally:
        await cache.close()
        await database.close()


async def _see_to_indexes(database: Database, sender: JobSender) -> int:
    return await vector_indexes.enqueue_due(database, sender, IndexPolicy())


async def _publish_all(database: Database, cache: Cache) -> int:
    """In pieces, so that a bulk import that makes events faster than one a millisecond does not fall behind."""
    published = 0
    while piece := await jobs.publish_events(database, cache):
        published += piece
    return published


async def _repeat(stop: asyncio.Event, interval_s: float, work: Callable[[], Awaitable[int]]) -> None:
    """Do the work every `interval_s`; when a service is away, say so and try again in the next round."""
    while not stop.is_set():
        try:
            await work()
        except (DragomanError, RedisError, OSError) as error:
            _log.warning("scheduler.round_failed", reason=str(error))
        try:
            await asyncio.wait_for(stop.wait(), timeout=interval_s)
        except TimeoutError:
            continue

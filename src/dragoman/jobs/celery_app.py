"""Celery carries wake-ups from whoever enqueues jobs to some worker. Which job runs, the worker asks PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu.exceptions import KombuError
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from redis.exceptions import RedisError

from dragoman.jobs.entities import Priority
from dragoman.jobs.errors import BrokerUnavailableError
from dragoman.kit import tracing
from dragoman.kit.clock import Stopwatch

TASK = "dragoman.wake_worker"
_PRIORITIES = list(range(10))
_EXPIRES_S = 60  # later, workers have long looked by themselves
_BULK_INTERVAL_S = 0.25
_REST_AFTER_FAILURE_S = 2.0


@setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def _leave_logging_alone(**_: Any) -> None:
    """Where somebody listens to this signal Celery sets up no logging: its level, WARNING, would become the worker's."""


def create_celery(broker_url: str) -> Celery:
    """The Celery application: one task, fetched one at a time, most urgent first."""
    app = Celery("dragoman", broker=broker_url)
    app.conf.update(
        task_ignore_result=True,
        task_default_queue="dragoman",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_transport_options={
            "priority_steps": _PRIORITIES,
            "queue_order_strategy": "priority",
            "visibility_timeout": 3600,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            # Of one sending; otherwise an upload would wait 6 s for a broker that is away. Workers try for ever.
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
        },
    )
    return app


class CelerySender:
    """A `JobSender` over Celery. Sending blocks for a network round trip, so it runs in a thread.

    Of wake-ups for bulk jobs at most four a second are sent: workers that drain a bulk import need none. A broker that
    was away a moment ago is not asked, so that no upload waits for it.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._since_bulk: Stopwatch | None = None
        self._since_failure: Stopwatch | None = None

    async def send(self, *, priority: int) -> None:
        if _is_within(self._since_failure, _REST_AFTER_FAILURE_S):
            raise BrokerUnavailableError
        if priority >= Priority.BULK:
            if _is_within(self._since_bulk, _BULK_INTERVAL_S):
                return
            self._since_bulk = Stopwatch()
        try:
            await asyncio.to_thread(self._send, priority)
        except BrokerUnavailableError:
            self._since_failure = Stopwatch()
            raise

    def _send(self, priority: int) -> None:
        try:
            with _span("send", tracing.PRODUCER):
                self._app.send_task(
                    TASK,
                    args=(priority,),
                    priority=priority,
                    expires=_EXPIRES_S,
                    retry=False,
                    headers=tracing.outgoing_headers(),
                )
        except (KombuError, RedisError, OSError) as error:
            raise BrokerUnavailableError from error


def _span(what: str, kind: SpanKind, parent: Context | None = None) -> AbstractContextManager[Any]:
    """Only of a wake-up that belongs to a request: the scheduler sends them again and again."""
    if parent is None and not tracing.is_within_trace():
        return nullcontext()
    return tracing.span(
        f"{what} {TASK}",
        kind=kind,
        parent=parent,
        messaging__system="celery",
        messaging__destination__name="dragoman",
        messaging__operation__name=what,
    )


def _is_within(since: Stopwatch | None, interval_s: float) -> bool:
    return since is not None and since.elapsed_ms < interval_s * 1000


def register_task(
    app: Celery, wake: Callable[[int], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop
) -> None:
    """Let this worker hear wake-ups: each message runs `wake(priority)` on `loop`."""

    @app.task(name=TASK, bind=True)  # type: ignore[untyped-decorator]
    def wake_worker(task: Any, priority: int) -> None:
        sent = tracing.remote({"traceparent": str(task.request.get("traceparent") or "")})
        with _span("process", tracing.CONSUMER, sent):
            asyncio.run_coroutine_threadsafe(wake(priority), loop).result()

"""Celery carries the ids of jobs from whoever enqueues them to a worker; the work itself is in `service.execute`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from dragoman.jobs.errors import BrokerUnavailableError

TASK = "dragoman.run_job"
_PRIORITIES = list(range(10))


def create_celery(broker_url: str) -> Celery:
    """The Celery application: one task, acknowledged late, fetched one at a time, most urgent first."""
    app = Celery("dragoman", broker=broker_url)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_default_queue="dragoman",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "priority_steps": _PRIORITIES,
            "queue_order_strategy": "priority",
            "visibility_timeout": 3600,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
        },
    )
    return app


class CelerySender:
    """A `JobSender` over Celery. Sending blocks for a network round trip, so it runs in a thread."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    async def send(self, *, tenant_id: UUID, job_id: UUID, priority: int, delay_s: float = 0.0) -> None:
        await asyncio.to_thread(self._send, str(tenant_id), str(job_id), priority, delay_s)

    def _send(self, tenant_id: str, job_id: str, priority: int, delay_s: float) -> None:
        try:
            self._app.send_task(
                TASK, args=(tenant_id, job_id), priority=priority, countdown=delay_s or None, retry=False
            )
        except (KombuError, RedisError, OSError) as error:
            raise BrokerUnavailableError from error


def register_task(
    app: Celery, run: Callable[[UUID, UUID], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop
) -> None:
    """Let this worker run jobs: each message runs `run(tenant_id, job_id)` on `loop` and waits for its end."""

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run_job(tenant_id: str, job_id: str) -> None:
        asyncio.run_coroutine_threadsafe(run(UUID(tenant_id), UUID(job_id)), loop).result()

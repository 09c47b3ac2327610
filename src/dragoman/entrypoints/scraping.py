"""A port of its own on which a role shows its metrics: worker, scheduler and embedder have no other one."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, Metric, start_http_server

import dragoman
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.shared_metrics import of_all_processes
from dragoman.kit.errors import InvalidSettingError

BUILD_INFO = Gauge(
    "dragoman_build_info",
    "1; the version of Dragoman, and the role of the process.",
    ["version", "role"],
    multiprocess_mode="livemax",
)


class MetricsPortError(InvalidSettingError):
    """The port for metrics cannot be used. Set DRAGOMAN_METRICS_PORT to a free one, or leave it out."""

    code = "settings.metrics_port"


def serve_metrics(role: str, settings: Settings) -> None:
    """Serve `/metrics` in a thread until the process ends, where a port is set.

    Raises:
        MetricsPortError: another program has it.
    """
    BUILD_INFO.labels(dragoman.__version__, role).set(1)
    if settings.metrics_port is None:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry=_Current())
    except OSError as error:
        raise MetricsPortError(
            f"Metrics cannot be served on {settings.metrics_host}:{settings.metrics_port}: {error.strerror}. "
            "Set DRAGOMAN_METRICS_PORT to a free port, or leave it out."
        ) from error


class _Current(CollectorRegistry):
    """What `/metrics` of the API shows too, looked up for each scrape: processes come and go."""

    def collect(self) -> Iterable[Metric]:
        return of_all_processes().collect()

"""Errors of evaluation."""

from __future__ import annotations

from dragoman.kit.errors import DragomanError, InvalidRequestError, InvalidSettingError


class DatasetError(InvalidRequestError):
    """The golden set cannot be read. It needs corpus.jsonl, queries.jsonl and qrels.tsv (BEIR), or questions.jsonl."""

    code = "evaluation.dataset"


class MissingMetricsError(InvalidSettingError):
    """Retrieval metrics need the extra `bench`: pip install 'dragoman[bench]'."""

    code = "evaluation.missing_extra"


class RemoteLoadError(InvalidRequestError):
    """This server is not on this machine. Load on somebody's server is an attack unless they know of it: --allow-remote."""

    code = "evaluation.remote_load"


class IngestionFailedError(DragomanError):
    """Documents of the golden set cannot be read; the figures would be wrong. The message names the first."""

    code = "evaluation.ingestion_failed"


class IngestionStalledError(DragomanError):
    """No document of the golden set got ready for minutes. `dragoman doctor` tells whether a worker runs."""

    code, status, retryable = "evaluation.ingestion_stalled", 503, True

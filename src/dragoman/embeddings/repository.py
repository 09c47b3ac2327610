"""SQL of the registry of embedding versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.embeddings.tables import embedding_versions
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Calibration, ConfidenceModel, EmbedderProfile

_ENSURE = text(
    "select ensure_embedding_version(:name, :adapter, :model, :dimensions, :max_tokens, :calibration, :confidence)"
).bindparams(bindparam("calibration", type_=JSONB), bindparam("confidence", type_=JSONB))


async def ensure_version(connection: AsyncConnection, *, name: str, adapter: str, profile: EmbedderProfile) -> int:
    """The id of the version of this name, made with its partitions if new. Runs as `system`."""
    result = await connection.execute(
        _ENSURE,
        {
            "name": name,
            "adapter": adapter,
            "model": profile.model,
            "dimensions": profile.dimensions,
            "max_tokens": profile.max_tokens,
            "calibration": asdict(profile.calibration),
            "confidence": asdict(profile.confidence),
        },
    )
    version: int = result.scalar_one()
    return version


_FIND_VERSION = select(embedding_versions).where(embedding_versions.c.id == bindparam("version_id"))


async def find_version(connection: Reader, version_id: int) -> EmbeddingVersion | None:
    row = (await connection.execute(_FIND_VERSION, {"version_id": version_id})).one_or_none()
    return None if row is None else _version(row)


def _version(row: Row[Any]) -> EmbeddingVersion:
    return EmbeddingVersion(
        id=row.id,
        name=row.name,
        adapter=row.adapter,
        model=row.model,
        dimensions=row.dimensions,
        max_tokens=row.max_tokens,
        calibration=Calibration(**row.calibration),
        confidence=ConfidenceModel(**row.confidence),
        state=row.state,
    )

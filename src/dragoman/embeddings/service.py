"""The registry of embedding versions."""

from __future__ import annotations

from dragoman.embeddings import repository
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.kit.database import Database
from dragoman.kit.errors import NotFoundError
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import EmbedderProfile


class EmbeddingVersionNotFoundError(NotFoundError):
    """There is no such embedding version."""

    code = "embeddings.version_not_found"


def version_name(adapter: str, profile: EmbedderProfile) -> str:
    """The name of the version that a model makes: adapter, model and dimensions tell it from every other."""
    return f"{adapter}:{profile.model}:{profile.dimensions}"


async def ensure_version(database: Database, *, adapter: str, profile: EmbedderProfile) -> EmbeddingVersion:
    """The registry row of this model, made with its partitions when it is new."""
    async with database.system_transaction() as connection:
        name = version_name(adapter, profile)
        version_id = await repository.ensure_version(connection, name=name, adapter=adapter, profile=profile)
        version = await repository.find_version(connection, version_id)
    assert version is not None  # ensured above
    return version


async def get_version(connection: Reader, version_id: int) -> EmbeddingVersion:
    """A version by its id. Raises EmbeddingVersionNotFoundError."""
    version = await repository.find_version(connection, version_id)
    if version is None:
        raise EmbeddingVersionNotFoundError
    return version

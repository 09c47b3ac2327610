"""Gives a vector index that keeps vectors in memory the transactions to read them in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from dragoman.kit.database import Database, DatabaseUnavailableError
from dragoman.ports.vector_index import RemembersVectors

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 3  # most of the time goes into waiting for the database
_REST_S: Final = 5.0  # after a failure


@asynccontextmanager
async def remembering(database: Database, index: object) -> AsyncIterator[None]:
    """Reads vectors in beside the searches for as long as the context lasts; does nothing for any other index."""
    if not isinstance(index, RemembersVectors):
        yield
        return
    tasks = [
        asyncio.create_task(_keep_remembering(database, index), name=f"remember-vectors-{number}")
        for number in range(_AT_ONCE)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_remembering(database: Database, index: RemembersVectors) -> None:
    while True:
        place = await index.next_to_remember()
        try:
            async with database.reading(place.tenant_id) as connection:
                await index.remember(connection, place)
        except (DatabaseUnavailableError, SQLAlchemyError) as error:
            _log.warning("vectors.not_remembered", chatbot_id=str(place.chatbot_id), reason=str(error))
            await asyncio.sleep(_REST_S)

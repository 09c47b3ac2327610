"""What an administrator does at the database itself, past the HTTP API: reach it, make the first account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from dragoman.embeddings import service as embeddings
from dragoman.entrypoints.embedded import EmbeddedPostgres
from dragoman.entrypoints.home import AlreadyRunningError, InstanceHome
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.wiring import create_embedder, database_urls
from dragoman.kit.database import Database
from dragoman.kit.errors import InvalidSettingError
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.service import CreatedTenant


class NoDatabaseYetError(InvalidSettingError):
    """This home has no database yet. `dragoman up` or `dragoman db upgrade` makes it; DRAGOMAN_DATABASE_URL names another."""

    code = "db.none_yet"


@asynccontextmanager
async def administered_settings(settings: Settings, *, create: bool = False) -> AsyncIterator[Settings]:
    """The settings with the administrator's `database_url` filled in, the embedded database running meanwhile.

    The database is the one that is set; else that of the instance which runs in the home; else the embedded one,
    started for this block.

    Args:
        settings: as loaded.
        create: make the embedded database where the home has none.

    Raises:
        NoDatabaseYetError, ChildNotStartedError, EmbeddedServiceError.
    """
    if settings.database_url:
        yield settings
        return
    home = InstanceHome(settings.home)
    if not create and not (home.path / "postgres").exists():
        raise NoDatabaseYetError(
            f"{home.path} holds no database yet. `dragoman up` or `dragoman db upgrade` makes it; "
            "DRAGOMAN_DATABASE_URL names another one."
        )
    home.prepare()
    postgres = EmbeddedPostgres(home)
    async with AsyncExitStack() as held:
        try:
            held.enter_context(home.locked())
        except AlreadyRunningError:  # then its database runs too
            pass
        else:
            await postgres.start()
            held.push_async_callback(postgres.stop)
        yield settings.model_copy(update={"database_url": postgres.admin_url})


async def create_account(
    settings: Settings, *, name: str, owner_email: str, chatbot_name: str = "Knowledge"
) -> CreatedTenant:
    """A tenant with a chatbot, its owner and a key; the chatbot uses the embedding model that is set.

    Raises:
        DatabaseUnavailableError, MissingServiceError, EmbedderUnavailableError.
    """
    database = Database(database_urls(settings), pool_size=2)
    try:
        version_id = await _present_embedding_version(settings, database)
        return await tenancy.create_tenant(
            database, name=name, owner_email=owner_email, embedding_version=version_id, chatbot_name=chatbot_name
        )
    finally:
        await database.close()


async def _present_embedding_version(settings: Settings, database: Database) -> int:
    embedder = create_embedder(settings)
    try:
        version = await embeddings.ensure_version(database, adapter=settings.embedder, profile=embedder.profile)
    finally:
        await embedder.close()
    return version.id

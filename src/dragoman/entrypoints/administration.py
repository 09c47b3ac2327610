"""What an administrator does at the database itself, past the HTTP API: reach it, make the first account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from dragoman.accounts import addresses, links
from dragoman.accounts import repository as accounts_repository
from dragoman.accounts.errors import SeveralTenantsError, UserNotFoundError
from dragoman.accounts.parts import AccountParts
from dragoman.embeddings import service as embeddings
from dragoman.entrypoints.embedded import EmbeddedPostgres
from dragoman.entrypoints.home import AlreadyRunningError, InstanceHome
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.wiring import (
    create_accounts,
    create_audit_log,
    create_embedder,
    create_keyring,
    database_urls,
)
from dragoman.kit.cache import Cache
from dragoman.kit.database import Database
from dragoman.kit.errors import InvalidSettingError
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import tenant_of_system
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
    create_audit_log(settings, database)
    try:
        version_id = await _present_embedding_version(settings, database)
        return await tenancy.create_tenant(
            database, name=name, owner_email=owner_email, embedding_version=version_id, chatbot_name=chatbot_name
        )
    finally:
        await database.close()


async def password_link(settings: Settings, *, tenant_id: UUID, user_id: UUID) -> str:
    """A link by which this user sets a password, made at the database; whoever has it becomes the user.

    Raises:
        DatabaseUnavailableError, MissingServiceError, UserNotFoundError.
    """
    async with _accounts(settings) as parts, parts.database.transaction(tenant_id) as connection:
        person = await accounts_repository.find_person(connection, tenant_id=tenant_id, user_id=user_id)
        if person is None:
            raise UserNotFoundError
        return (await links.create_first(parts, connection, tenant_of_system(tenant_id), person)).url


async def reset_link(settings: Settings, *, email: str, tenant_id: str | None = None) -> str:
    """The same for the user with this address.

    Raises:
        UserNotFoundError, SeveralTenantsError: and no tenant was named.
    """
    async with _accounts(settings) as parts, parts.database.system_transaction() as connection:
        found = await accounts_repository.list_users_with_email(connection, email=addresses.normalised(email), limit=10)
    meant = [place for place in found if tenant_id in (None, str(place[0]))]
    if not meant:
        raise UserNotFoundError
    if len(meant) > 1:
        names = ", ".join(str(tenant) for tenant, _ in meant)
        raise SeveralTenantsError(f"This address has users in several tenants: {names}. Name one with `--tenant`.")
    return await password_link(settings, tenant_id=meant[0][0], user_id=meant[0][1])


async def first_link(settings: Settings, *, email: str) -> str | None:
    """A link by which the user with this address chooses a first password; None: it is chosen, or nobody alone is meant.

    Raises:
        DatabaseUnavailableError, MissingServiceError.
    """
    async with _accounts(settings) as parts:
        async with parts.database.system_transaction() as connection:
            found = await accounts_repository.list_users_with_email(connection, email=email, limit=2)
        if len(found) != 1:
            return None
        [(tenant_id, user_id)] = found
        async with parts.database.transaction(tenant_id) as connection:
            person = await accounts_repository.find_person(connection, tenant_id=tenant_id, user_id=user_id)
            if person is None or person.has_password or person.deactivated_at is not None:
                return None
            return (await links.create_first(parts, connection, tenant_of_system(tenant_id), person)).url


async def set_first_password(settings: Settings, *, tenant_id: UUID, user_id: UUID, password: str) -> None:
    """Set a user's password at the database.

    Raises:
        WeakPasswordError, UserNotFoundError.
    """
    link = await password_link(settings, tenant_id=tenant_id, user_id=user_id)
    async with _accounts(settings) as parts:
        await links.set_password(parts, token=link.partition("token=")[2], password=password)


@asynccontextmanager
async def _accounts(settings: Settings) -> AsyncIterator[AccountParts]:
    """What links are made with. No mail is sent and nobody is counted from here."""
    database = Database(database_urls(settings), pool_size=2)
    create_audit_log(settings, database)
    cache = Cache(settings.cache_url or "redis://127.0.0.1:1")
    try:
        yield create_accounts(settings, database, cache, create_keyring(settings))
    finally:
        await cache.close()
        await database.close()


async def _present_embedding_version(settings: Settings, database: Database) -> int:
    embedder = create_embedder(settings)
    try:
        version = await embeddings.ensure_version(database, adapter=settings.embedder, profile=embedder.profile)
    finally:
        await embedder.close()
    return version.id

"""What tenants have set that makes them, or the installation, easier to attack: for `dragoman doctor --security`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from dragoman.accounts.single_sign_on import repository as single_sign_on_repository
from dragoman.accounts.single_sign_on.entities import Provider
from dragoman.entrypoints import doctor, wiring
from dragoman.entrypoints.doctor import Finding, State
from dragoman.kit.addresses import is_local
from dragoman.kit.database import Database
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.audit_log import repository as audit_repository
from dragoman.tenancy.audit_log.anchors import Anchors, UnreadableAnchorError
from dragoman.tenancy.entities import WidgetKey

_SHOWN: Final = 3

# Where anybody gets an account, or a host, of his own.
_OPEN_ISSUERS: Final = frozenset(
    {"accounts.google.com", "appleid.apple.com", "gitlab.com", "login.live.com", "www.facebook.com", "www.linkedin.com"}
)
_OPEN_TENANTS: Final = ("/common/", "/organizations/", "/consumers/", "/9188040d-6c67-4c5b-b112-36a304b66dad/")
"""Of login.microsoftonline.com: accounts of any organisation, or private ones."""
_OPEN_DOMAINS: Final = frozenset(
    {"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "gmx.de"}
    | {"gmx.net", "web.de", "proton.me", "protonmail.com", "mail.ru", "yandex.ru", "qq.com", "163.com", "aol.com"}
)
_SHARED_HOSTS: Final = frozenset(
    {"github.io", "gitlab.io", "pages.dev", "workers.dev", "vercel.app", "netlify.app", "herokuapp.com", "web.app"}
    | {"firebaseapp.com", "azurewebsites.net", "cloudfront.net", "amazonaws.com", "blogspot.com", "ngrok.io"}
    | {"ngrok-free.app", "onrender.com", "fly.dev", "co.uk", "com.au", "co.jp", "com.br", "co.in", "co.za"}
)


@asynccontextmanager
async def _database(patient: doctor._Patient) -> AsyncIterator[Database]:
    database = Database(wiring.database_urls(patient.settings), pool_size=2)
    try:
        yield database
    finally:
        await database.close()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


# ---- single sign-on


async def _providers(patient: doctor._Patient) -> list[Provider]:
    found = []
    async with _database(patient) as database:
        for tenant in await tenancy.list_tenants(database):
            async with database.transaction(tenant.id) as connection:
                provider = await single_sign_on_repository.find_provider(connection, tenant_id=tenant.id)
            found += [provider] if provider is not None else []
    return found


async def open_sign_up(patient: doctor._Patient) -> Finding:
    """Tenants in which strangers become users by themselves."""
    name = "open sign-up"
    everybody = [str(each.tenant_id) for each in await _providers(patient) if _lets_anybody_in(each)]
    if everybody:
        return Finding(
            check=name,
            state=State.FAIL,
            message=f"Anybody can become a user of {_some(everybody)}: the identity provider, or a domain, is open to all.",
            remedy="`dragoman sso set … --allow-domain` with domains of your own, or without `--create-users`.",
        )
    return Finding(
        check=name, state=State.OK, message="nobody becomes a user without an invitation or a closed provider"
    )


def _lets_anybody_in(provider: Provider) -> bool:
    if not provider.creates_users:
        return False
    if provider.allowed_domains:
        return not _OPEN_DOMAINS.isdisjoint(provider.allowed_domains)
    parts = urlsplit(provider.issuer)
    if parts.hostname == "login.microsoftonline.com":
        return any(part in f"{parts.path}/" for part in _OPEN_TENANTS)
    return (parts.hostname or "") in _OPEN_ISSUERS


async def domains(patient: doctor._Patient) -> Finding:
    """Identity providers whose word is taken for addresses of any domain."""
    name = "single sign-on"
    providers = await _providers(patient)
    unbound = [f"{each.tenant_id} ({each.issuer})" for each in providers if not each.allowed_domains]
    if unbound:
        return Finding(
            check=name,
            state=State.WARN,
            message=f"The word of the identity provider is taken for addresses of any domain: {_some(unbound)}.",
            remedy="Name the domains that it answers for: `dragoman sso set … --allow-domain example.com`.",
        )
    return Finding(check=name, state=State.OK, message=f"{len(providers)} providers, each bound to its domains")


# ---- widgets


async def widget_keys(patient: doctor._Patient) -> Finding:
    """Keys whose tokens pages of strangers can have."""
    name = "widget keys"
    async with _database(patient) as database, database.system_transaction() as connection:
        keys = await tenancy_repository.list_open_widget_keys(connection)
    anywhere = [key.name for key in keys if any(map(_is_anywhere, key.origins))]
    if anywhere:
        return Finding(
            check=name,
            state=State.FAIL,
            message=f"Pages of strangers may use {_some(anywhere)}: an origin stands for hosts that anybody can have.",
            remedy="Name the hosts of your pages: `dragoman widget` changes the origins of a key.",
        )
    weak = [f"{key.name} ({why})" for key in keys if (why := _weakness(key))]
    if weak:
        return Finding(
            check=name,
            state=State.WARN,
            message=f"More than your https pages may use {_some(weak)}.",
            remedy="Allow https origins only, and no program without one, unless an app of yours needs that.",
        )
    return Finding(check=name, state=State.OK, message=f"{len(keys)} keys, each for its own web sites")


def _is_anywhere(origin: str) -> bool:
    """Whether `*` stands for hosts of strangers: `https://*.com`, `https://*.github.io`."""
    host = urlsplit(origin).hostname or ""
    below = host.removeprefix("*.")
    return host.startswith("*.") and ("." not in below or below in _SHARED_HOSTS)


def _weakness(key: WidgetKey) -> str:
    if key.allows_no_origin:
        return "programs that name no origin"
    plain = [each for each in key.origins if each.startswith("http://") and not _is_own_machine(each)]
    return f"{plain[0]} is not https" if plain else ""


def _is_own_machine(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    return host == "localhost" or host.endswith(".localhost") or is_local(host)


# ---- the audit


async def anchors(patient: doctor._Patient) -> Finding:
    """Chains whose end stands nowhere but in the database: who may write there could cut them off unnoticed."""
    name = "audit anchors"
    settings = patient.settings
    folder = settings.audit_heads or settings.home / "audit"
    kept, missing, unreadable, chains = Anchors(folder), [], [], 0
    async with _database(patient) as database:
        for tenant in await tenancy.list_tenants(database):
            async with database.transaction(tenant.id) as connection:
                last = await audit_repository.find_last(connection, tenant_id=tenant.id)
            if last is None:
                continue
            chains += 1
            try:
                missing += [] if kept.find(tenant.id) else [str(tenant.id)]
            except UnreadableAnchorError:
                unreadable.append(str(tenant.id))
    if missing or unreadable:
        what = [
            f"{words} of {_some(names)}"
            for words, names in (("no head", missing), ("no readable head", unreadable))
            if names
        ]
        return Finding(
            check=name,
            state=State.FAIL,
            message=f"In {folder} there is {' and '.join(what)}: an end that is cut off would not be noticed.",
            remedy="Restore the folder from a backup, or set DRAGOMAN_AUDIT_HEADS to where it is; then `dragoman audit verify`.",
        )
    return Finding(check=name, state=State.OK, message=f"the ends of {chains} chains are kept in {folder}")

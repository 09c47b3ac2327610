"""How often a caller may do what costs: the limits of asker, key, tenant and address that bind it, asked in one script.

What a tenant and its chatbots set is looked up once in `REMEMBERED_S`; where it is set it holds from the commit on.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from dragoman.kit.addresses import counted_together, is_local
from dragoman.kit.cache import Cache, SingleFlight, cache_key
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError
from dragoman.kit.places import Place, Places
from dragoman.kit.rate_limit import Allowance, Limit, RateLimits
from dragoman.kit.request_origin import current
from dragoman.tenancy import audit, repository
from dragoman.tenancy.entities import Caller, Chatbot, Permission
from dragoman.tenancy.errors import (
    TooManyRequestsError,
    TooManySearchesError,
    TooManyStreamsError,
)
from dragoman.tenancy.quotas import EffectiveQuotas, Quotas

REMEMBERED_S: Final = 10.0
_REFRESHED_BEFORE_S: Final = 2.0
_MOST_REMEMBERED: Final = 10_000
_MINUTE_S: Final = 60.0
VISITOR: Final = "visitor:"
"""How the name of an asker begins who is known by nothing but a visitor's token, of which anybody can have many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationLimits:
    """What the operator sets. 0: no limit.

    Attributes:
        quotas: of tenants that set none.
        requests_per_minute_address, messages_per_minute_address: of one address (of IPv6 one /64 network); the messages
            are those of visitors. Not of this machine's own addresses.
    """

    quotas: EffectiveQuotas
    requests_per_minute_address: int
    messages_per_minute_address: int


class Limiter:
    """Takes what callers ask for from their limits, or refuses it."""

    def __init__(self, database: Database, cache: Cache, installation: InstallationLimits) -> None:
        self._database, self._installation = database, installation
        self._limits, self._places = RateLimits(cache), Places(cache)

    @property
    def installation(self) -> InstallationLimits:
        return self._installation

    async def close(self) -> None:
        await self._places.close()

    # ---- what is limited

    async def take_request(self, address: str) -> None:
        """Count a request of this address. Raises TooManyRequestsError."""
        most = self._installation.requests_per_minute_address
        if most == 0 or is_local(address):
            return
        limit = Limit(what="requests", key=counted_together(address), most=most, per_s=_MINUTE_S)
        refused = _first_refused(await self._limits.take_leased(limit))
        if refused is not None:
            raise TooManyRequestsError(_too_often("requests from your address", refused), retry_after_s=refused.wait_s)

    async def find_message_refusal(self, caller: Caller, asker: str, chatbot: Chatbot) -> Allowance | None:
        """Count a message of the asker to the chatbot; the limit that has no room for it, None where all have."""
        quotas = (await self.quotas_of_tenant(caller.tenant_id)).replaced_by(chatbot.settings)
        limits = _limits_of("messages", quotas, caller, asker, f"{chatbot.id}:{asker}")
        address = current().address
        most = self._installation.messages_per_minute_address
        if asker.startswith(VISITOR) and most and not is_local(address):
            key = f"{caller.tenant_id}:{counted_together(address)}"
            limits.append(Limit(what="messages-address", key=key, most=most, per_s=_MINUTE_S))
        return _first_refused(await self._limits.take(*limits)) if limits else None

    async def take_searches(self, caller: Caller, asker: str, chatbot_id: UUID | None, *, count: int = 1) -> None:
        """Count searches of the asker in the chatbot. Raises TooManySearchesError."""
        quotas = await self.quotas_of(caller.tenant_id, chatbot_id or caller.chatbot_id)
        limits = _limits_of("searches", quotas, caller, asker, f"{chatbot_id or caller.chatbot_id}:{asker}")
        if not limits:
            return
        found = self._limits.take_leased(*limits) if count == 1 else self._limits.take(*limits, cost=count)
        refused = _first_refused(await found)
        if refused is not None:
            message = (
                f"{count} searches at once are more than the {refused.limit} that you have in a minute. Send fewer."
                if count > refused.limit
                else _too_often("searches", refused)
            )
            raise TooManySearchesError(message, retry_after_s=refused.wait_s)

    async def take_stream(self, caller: Caller, asker: str) -> Place | None:
        """A place for one more stream, of an answer or of events, to be given back (`give_back`); None: they are not limited.

        Raises:
            TooManyStreamsError: the asker, or the tenant, has none left.
        """
        quotas = await self.quotas_of_tenant(caller.tenant_id)
        own = quotas.streams_managers if _is_manager(caller) else quotas.streams
        limits = [
            Limit(what=what, key=key, most=most, per_s=0)
            for what, key, most in (
                ("streams", f"{caller.tenant_id}:{asker}", own),
                ("streams-tenant", str(caller.tenant_id), quotas.streams_tenant),
            )
            if most
        ]
        if not limits:
            return None
        place = await self._places.take(limits)
        if isinstance(place, Place):
            return place
        whose = "You have" if place.what == "streams" else "Your tenant has"
        raise TooManyStreamsError(
            f"{whose} {place.most} streams open, as many as are allowed at the same time. Close one, or wait.",
            retry_after_s=1.0,
        )

    async def give_back(self, place: Place | None) -> None:
        if place is not None:
            await self._places.give_back(place)

    # ---- which limits hold

    async def quotas_of(self, tenant_id: UUID, chatbot_id: UUID | None = None) -> EffectiveQuotas:
        """Those of a chatbot; without an id those of the tenant's default chatbot."""
        _, of_chatbot = await self._known(tenant_id, chatbot_id)
        return of_chatbot

    async def quotas_of_tenant(self, tenant_id: UUID) -> EffectiveQuotas:
        """Those of a tenant, for chatbots that set none of their own."""
        of_tenant, _ = await self._known(tenant_id, None)
        return of_tenant

    async def _known(self, tenant_id: UUID, chatbot_id: UUID | None) -> _Quotas:
        memory = _memory_of(self._database)
        return await memory.quotas(self._database, self._installation.quotas, tenant_id, chatbot_id)


def _limits_of(what: str, quotas: EffectiveQuotas, caller: Caller, asker: str, asker_key: str) -> list[Limit]:
    """Those a minute of asker, key and tenant, as far as there are any."""
    own = f"{what}_per_minute_managers" if _is_manager(caller) else f"{what}_per_minute"
    wanted = (
        (what, asker_key, getattr(quotas, own)),
        (f"{what}-key", str(caller.api_key_id or asker), getattr(quotas, f"{what}_per_minute_key")),
        (f"{what}-tenant", "", getattr(quotas, f"{what}_per_minute_tenant")),
    )
    return [
        Limit(what=name, key=f"{caller.tenant_id}:{key}", most=most, per_s=_MINUTE_S)
        for name, key, most in wanted
        if most
    ]


def _is_manager(caller: Caller) -> bool:
    return Permission.MANAGE_CHATBOTS in caller.permissions


def _first_refused(found: Sequence[Allowance]) -> Allowance | None:
    refused = [each for each in found if not each.is_granted]
    return max(refused, key=lambda each: each.wait_s) if refused else None


def _too_often(what: str, refused: Allowance) -> str:
    whose = " of your tenant" if refused.what.endswith("-tenant") else ""
    return f"The {refused.limit} {what}{whose} within {refused.per_s:.0f} s are used up. Try again in {max(1, round(refused.wait_s))} s."


# ---- what tenants set


async def read_limits(database: Database, caller: Caller) -> Quotas:
    """What the caller's tenant sets."""
    async with database.transaction(caller.tenant_id) as connection:
        own, _ = await repository.find_limits(connection, tenant_id=caller.tenant_id, chatbot_id=None)
    return Quotas.model_validate(own)


async def set_limits(database: Database, caller: Caller, limits: Quotas) -> Quotas:
    """Set all limits of the caller's tenant; those left out are the installation's from now on."""
    values = limits.model_dump(exclude_none=True)
    async with database.transaction(caller.tenant_id) as connection:
        before, _ = await repository.find_limits(connection, tenant_id=caller.tenant_id, chatbot_id=None)
        await repository.update_limits(connection, tenant_id=caller.tenant_id, limits=values)
        await audit.record(
            connection,
            caller,
            "limits.changed",
            subject_type="tenant",
            subject_id=caller.tenant_id,
            before=before,
            after=values,
        )
    forget_limits(database, caller.tenant_id)
    return limits


def forget_limits(database: Database, tenant_id: UUID) -> None:
    """Let the next request look up what the tenant and its chatbots set: it has changed."""
    _memory_of(database).forget(tenant_id)


_Quotas = tuple[EffectiveQuotas, EffectiveQuotas]  # of the tenant, and of the chatbot


class _LimitMemory:
    """Which limits hold for tenants and chatbots of one database."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[UUID, UUID | None], tuple[float, _Quotas]] = OrderedDict()
        self._flights: SingleFlight[_Quotas] = SingleFlight()
        self._forgotten = 0
        self._refreshing: set[asyncio.Task[None]] = set()

    async def quotas(
        self, database: Database, installation: EffectiveQuotas, tenant_id: UUID, chatbot_id: UUID | None
    ) -> _Quotas:
        known = self._known.get((tenant_id, chatbot_id))
        left_s = 0.0 if known is None else known[0] - time.monotonic()
        if known is None or left_s <= 0:
            return await self._look_up(database, installation, tenant_id, chatbot_id)
        if left_s < _REFRESHED_BEFORE_S and not self._refreshing:
            task = asyncio.create_task(
                self._refresh(database, installation, tenant_id, chatbot_id), name="refresh-limits"
            )
            self._refreshing.add(task)
            task.add_done_callback(self._refreshing.discard)
        return known[1]

    def forget(self, tenant_id: UUID) -> None:
        self._forgotten += 1
        self._flights = SingleFlight()  # a look-up that has begun may still find them as they were
        for key in [key for key in self._known if key[0] == tenant_id]:
            del self._known[key]

    async def _refresh(
        self, database: Database, installation: EffectiveQuotas, tenant_id: UUID, chatbot_id: UUID | None
    ) -> None:
        with suppress(DragomanError):  # the next request that has to look them up tells it
            await self._look_up(database, installation, tenant_id, chatbot_id)

    async def _look_up(
        self, database: Database, installation: EffectiveQuotas, tenant_id: UUID, chatbot_id: UUID | None
    ) -> _Quotas:
        name = cache_key(tenant_id.bytes, chatbot_id.bytes if chatbot_id else b"")
        return await self._flights.run(name, lambda: self._looked_up(database, installation, tenant_id, chatbot_id))

    async def _looked_up(
        self, database: Database, installation: EffectiveQuotas, tenant_id: UUID, chatbot_id: UUID | None
    ) -> _Quotas:
        begun, forgotten = time.monotonic(), self._forgotten
        async with database.reading(tenant_id) as reading:
            own, settings = await repository.find_limits(reading, tenant_id=tenant_id, chatbot_id=chatbot_id)
        of_tenant = installation.lowered_by(Quotas.model_validate(own))
        found = (of_tenant, of_tenant.replaced_by(settings))
        if forgotten == self._forgotten:
            self._known[tenant_id, chatbot_id] = (begun + REMEMBERED_S, found)
            self._known.move_to_end((tenant_id, chatbot_id))
        if len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return found


_memories: WeakKeyDictionary[Database, _LimitMemory] = WeakKeyDictionary()


def _memory_of(database: Database) -> _LimitMemory:
    memory = _memories.get(database)
    if memory is None:
        memory = _memories[database] = _LimitMemory()
    return memory

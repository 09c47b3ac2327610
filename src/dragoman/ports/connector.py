"""Origins of documents that are kept in sync: a folder, a web site, a bucket.

An adapter's `Settings` are what an owner gives for one connector; values of type `SecretStr` are stored encrypted.
What the operator of the installation allows comes separately, as `Premises`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from dragoman.kit.errors import DragomanError, InvalidRequestError, UnavailableError
from dragoman.kit.fetch import FetchPolicy


class ConnectorUnavailableError(UnavailableError):
    """The place that the connector reads does not answer now. Nothing was changed; it is tried again later."""

    code = "connector.unavailable"


class ConnectorRefusedError(InvalidRequestError):
    """The connector cannot work with these settings. The message says which to correct."""

    code = "connector.refused"


class ItemGoneError(DragomanError):
    """This is no longer there."""

    code, status = "connector.item_gone", 404


class ItemRefusedError(DragomanError):
    """This cannot be read where it lies. What was read of it earlier is kept."""

    code, status = "connector.item_refused", 422


class ItemSkippedError(DragomanError):
    """This was left out on purpose."""

    code, status = "connector.item_skipped", 422

    def __init__(
        self, message: str | None = None, *, withdraw: bool = False, memo: Mapping[str, Any] | None = None
    ) -> None:
        """`withdraw`: what was read of it earlier goes too. `memo`: as in `Fetched`."""
        super().__init__(message)
        self.withdraw, self.memo = withdraw, dict(memo or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What the operator allows all connectors.

    Attributes:
        folders: the only folders, with all below them, that may be read on this machine; absolute and resolved.
        fetch: which networks may be reached, and how we introduce ourselves.
        mime_types: types of documents that can be read.
    """

    folders: tuple[Path, ...] = ()
    fetch: FetchPolicy = field(default_factory=FetchPolicy)
    mime_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file, page or object.

    Attributes:
        key: names it for ever within its connector, at most 1,024 bytes of UTF-8.
        version: changes when the content does; None where that is known only after fetching.
        name: for people; ends with the file's extension where it has one.
        size_bytes: None where that is not known.
    """

    key: str
    version: str | None
    name: str
    url: str | None = None
    size_bytes: int | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is known of an item from before.

    Attributes:
        version: of what was fetched last; None after a failure.
        memo: what the connector asked to be reminded of.
        is_fresh: it was fetched in this very sync, which was interrupted: nothing need be asked again.
    """

    version: str | None = None
    memo: dict[str, Any] = field(default_factory=dict)
    is_fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The content is in the target file. `title` None: the document states it, or the file name does."""

    file_name: str
    mime_type: str | None
    version: str
    title: str | None = None
    memo: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """The content is the same as last time; nothing was written."""

    version: str
    memo: dict[str, Any] = field(default_factory=dict)


KnownKeys = Callable[[], Awaitable[Sequence[str]]]


class OpenConnector(Protocol):
    """A connector at work, for one sync. Not used by two tasks at once."""

    async def check(self) -> str:
        """Reach the origin and look at its first item; says what was found in a sentence.

        Raises:
            ConnectorRefusedError, ConnectorUnavailableError.
        """
        ...

    def list_items(self, known_keys: KnownKeys) -> AsyncGenerator[Item, None]:
        """Everything there is, each item once. An item must have been fetched, or passed over, before the next is asked for.

        Items whose listing depends on the content of others (pages found by links) come as they are found.

        Args:
            known_keys: the keys of items that earlier syncs have read, for origins that cannot list all they have.

        Raises:
            ConnectorRefusedError, ConnectorUnavailableError: the list is not whole, so nothing may be taken as vanished.
        """
        ...

    async def fetch(
        self, item: Item, target: Path, *, max_bytes: int, remembered: Remembered | None
    ) -> Fetched | Unchanged:
        """Write the item's content to `target`, unless it is what was fetched last.

        Raises:
            ItemGoneError: it is no longer there.
            ItemSkippedError: it is left out on purpose.
            DragomanError: it cannot be had, now (`retryable`) or at all.
        """
        ...

    @property
    def is_whole(self) -> bool:
        """Once all items are listed: False when a limit cut the list off, so that nothing may be taken as vanished."""
        ...

    @property
    def wants_another_round(self) -> bool:
        """Something was still being written; look again in a few seconds."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What the report of the sync should say, in sentences; at most 20."""
        ...


class Connector(Protocol):
    """An origin of documents, by its settings. Making one reads nothing; `open` may.

    Attributes:
        reads_this_machine: it reads what lies on this installation's own disks, which only administrators may let in.
    """

    reads_this_machine: ClassVar[bool]

    def open(self, premises: Premises) -> AbstractAsyncContextManager[OpenConnector]:
        """Raises ConnectorRefusedError: the operator does not allow this."""
        ...

    def watched_folder(self, premises: Premises) -> Path | None:
        """A folder whose changes call for a sync at once. Raises ConnectorRefusedError."""
        ...

    def describe(self) -> str:
        """Where the documents come from, for people: no secrets."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorKind:
    """A connector adapter by its name, imported already.

    Attributes:
        settings: what an owner gives.
        create: makes a connector from such settings.
    """

    name: str
    settings: type[BaseModel]
    create: Callable[[BaseModel], Connector]

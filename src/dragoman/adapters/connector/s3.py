"""Objects below a prefix of a bucket: Amazon S3, MinIO and others that speak S3 (package `botocore`, extra `s3`).

botocore signs the requests; they are sent by the fetcher of all connectors, so that an endpoint that an owner names
cannot lead into the operator's network. Only the keys that the owner gives are used, never those of this machine.
"""

from __future__ import annotations

import asyncio
import importlib
import mimetypes
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Final
from urllib.parse import quote, unquote_plus, urlencode

from defusedxml import DefusedXmlException, ElementTree
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from dragoman.kit.fetch import (
    Fetcher,
    FetchError,
    FetchTimeoutError,
    InvalidUrlError,
    Response,
    ServerFailedError,
    ServerUnreachableError,
    parse_url,
)
from dragoman.kit.registry import MissingExtraError
from dragoman.ports.connector import (
    ConnectorRefusedError,
    ConnectorUnavailableError,
    Fetched,
    Item,
    ItemGoneError,
    KnownKeys,
    OpenConnector,
    Premises,
    Remembered,
    Unchanged,
)

_PAGE_KEYS: Final = 1000  # the most that S3 gives
_LISTING_BYTES: Final = 16 * 1024 * 1024  # 1,000 keys of at most 1,024 bytes, escaped
_ERROR_BYTES: Final = 64 * 1024
_REMEDIES: Final[Mapping[str, str]] = {
    "NoSuchBucket": "There is no such bucket. Correct its name.",
    "AccessDenied": "The access key needs the rights to list the bucket (s3:ListBucket) and to get its objects (s3:GetObject).",
    "InvalidAccessKeyId": "The store does not know the access key.",
    "SignatureDoesNotMatch": "The secret access key is wrong.",
    "AuthorizationHeaderMalformed": "The region is wrong.",
    "PermanentRedirect": "The bucket is in another region. Correct the region.",
    "RequestTimeTooSkewed": "The clock of this machine is wrong.",
}


class Settings(BaseModel):
    """Settings of the connector `s3`. `*` in a pattern stands for any characters, `/` too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: str = Field(
        min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$", description="The bucket."
    )
    prefix: str = Field(default="", max_length=900, description="Only objects whose keys begin so.")
    endpoint_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^?#]+$",
        max_length=500,
        description="Address of the store, such as `https://minio.example.com`. Empty: Amazon's, by region.",
    )
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="Region of the bucket.")
    access_key_id: str | None = Field(
        default=None, max_length=200, description="Access key. Empty: the bucket is open to everybody."
    )
    secret_access_key: SecretStr | None = Field(default=None, description="Secret that belongs to the access key.")
    include: tuple[str, ...] = Field(
        default=("*",), max_length=50, description="Patterns of keys, or of their last parts, that are read."
    )
    exclude: tuple[str, ...] = Field(default=(), max_length=50, description="Patterns of keys that are left out.")
    max_size_mib: int = Field(default=100, ge=1, le=512, description="Larger objects are left out.")

    @model_validator(mode="after")
    def _both_keys_or_none(self) -> Settings:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("give both access_key_id and secret_access_key, or neither")
        return self


class Adapter:
    """The connector `s3`."""

    reads_this_machine: ClassVar[bool] = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, premises: Premises) -> AbstractAsyncContextManager[OpenConnector]:
        return _opened(self._settings, premises)

    def watched_folder(self, premises: Premises) -> Path | None:
        del premises
        return None

    def describe(self) -> str:
        where = f"{self._settings.endpoint_url}/" if self._settings.endpoint_url else "s3://"
        return f"{where}{self._settings.bucket}/{self._settings.prefix}"


@asynccontextmanager
async def _opened(settings: Settings, premises: Premises) -> AsyncIterator[OpenConnector]:
    fetcher = Fetcher(premises.fetch)
    try:
        yield _OpenBucket(settings, fetcher)
    finally:
        await fetcher.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    items: Sequence[Item]
    next_token: str | None


class _OpenBucket:
    def __init__(self, settings: Settings, fetcher: Fetcher) -> None:
        self._settings, self._fetcher = settings, fetcher
        self._address = _bucket_address(settings)
        self._sign = _signer(settings)

    async def check(self) -> str:
        listing = await self._list_page(None, max_keys=10)
        if not listing.items:
            return f"The bucket {self._settings.bucket} can be listed; nothing is read below the prefix yet."
        return f"The bucket {self._settings.bucket} holds objects that are read, such as {listing.items[0].key}."

    async def list_items(self, known_keys: KnownKeys) -> AsyncGenerator[Item, None]:
        del known_keys  # a bucket lists all it has
        token: str | None = None
        while True:
            listing = await self._list_page(token)
            for item in listing.items:
                yield item
            token = listing.next_token
            if token is None:
                return

    async def _list_page(self, token: str | None, *, max_keys: int | None = None) -> _Listing:
        """Raises ConnectorRefusedError, ConnectorUnavailableError."""
        query = {
            "list-type": "2",
            "encoding-type": "url",
            "max-keys": str(max_keys or _PAGE_KEYS),
            "prefix": self._settings.prefix,
        }
        if token is not None:
            query["continuation-token"] = token
        try:
            async with self._get(f"{self._address}/?{urlencode(sorted(query.items()), quote_via=quote)}") as response:
                await self._require_ok(response)
                content = await response.read(max_bytes=_LISTING_BYTES)
            return await asyncio.to_thread(self._parse_listing, content)
        except (ServerFailedError, ServerUnreachableError, FetchTimeoutError) as error:
            raise ConnectorUnavailableError(error.message) from error
        except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
            raise ConnectorRefusedError("What answers at this endpoint is no S3 store. Correct its address.") from error
        except FetchError as error:
            raise ConnectorRefusedError(error.message) from error

    def _parse_listing(self, content: bytes) -> _Listing:
        root = ElementTree.fromstring(content)
        if not root.tag.endswith("ListBucketResult"):
            raise ValueError(root.tag)
        found = (_fields(element) for element in root if element.tag.endswith("Contents"))
        facts = _fields(root)
        is_cut = facts.get("IsTruncated", "").lower() == "true"
        items = [item for item in map(self._item, found) if item is not None]
        return _Listing(items=items, next_token=facts.get("NextContinuationToken") if is_cut else None)

    def _item(self, facts: Mapping[str, str]) -> Item | None:
        key = unquote_plus(facts["Key"])
        if key.endswith("/") or not _matches(key, self._settings.include) or _matches(key, self._settings.exclude):
            return None
        if "\0" in key or {".", ".."} & set(key.split("/")):  # such a key has no address that survives a proxy
            return None
        return Item(
            key=key,
            version=facts.get("ETag") or facts.get("LastModified"),
            name=PurePosixPath(key).name,
            size_bytes=int(facts.get("Size", "0")),
            modified_at=_moment(facts.get("LastModified")),
        )

    async def fetch(
        self, item: Item, target: Path, *, max_bytes: int, remembered: Remembered | None
    ) -> Fetched | Unchanged:
        limit = min(max_bytes, self._settings.max_size_mib * 1024 * 1024)
        headers = {"If-None-Match": remembered.version} if remembered and remembered.version else {}
        async with self._get(f"{self._address}/{quote(item.key, safe='/~')}", headers) as response:
            if response.status == 304 and remembered is not None and remembered.version is not None:
                return Unchanged(version=remembered.version)
            if response.status == 404:
                raise ItemGoneError
            await self._require_ok(response)
            await response.save(target, max_bytes=limit)
        mime_type = response.mime_type
        if mime_type in ("", "binary/octet-stream", "application/octet-stream"):
            mime_type = mimetypes.guess_type(item.name)[0] or ""
        version = response.headers.get("etag") or item.version or ""
        return Fetched(file_name=item.name, mime_type=mime_type or None, version=version)

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Response]:
        spelled = str(parse_url(url))  # as it will be sent: the signature is over this spelling
        signed = self._sign(spelled) if self._sign is not None else {}
        return self._fetcher.open(spelled, headers={**signed, **(headers or {})}, follow_redirects=False)

    async def _require_ok(self, response: Response) -> None:
        """Raises ServerFailedError, ConnectorRefusedError, ItemRefusedError."""
        if response.status == 200:
            return
        if response.status >= 500 or response.status == 429:
            response.raise_for_status()
        code = _error_code(await response.read_beginning(max_bytes=_ERROR_BYTES))
        reason = _REMEDIES.get(code, f"The store answers with the status {response.status} {code}.".rstrip())
        raise ConnectorRefusedError(reason)

    @property
    def is_whole(self) -> bool:
        return True

    @property
    def wants_another_round(self) -> bool:
        return False

    @property
    def notes(self) -> Sequence[str]:
        return ()


def _bucket_address(settings: Settings) -> str:
    """Path style, which every store understands; a bucket's name with dots would break certificates otherwise.

    Raises:
        ConnectorRefusedError.
    """
    endpoint = settings.endpoint_url or f"https://s3.{settings.region}.amazonaws.com"
    try:
        return f"{str(parse_url(endpoint)).rstrip('/')}/{settings.bucket}"
    except InvalidUrlError as error:
        raise ConnectorRefusedError(error.message) from error


def _signer(settings: Settings) -> Callable[[str], dict[str, str]] | None:
    """What gives the headers that sign a GET of an address; None for a bucket that is open to everybody.

    Raises:
        MissingExtraError: botocore is not installed.
    """
    if settings.access_key_id is None or settings.secret_access_key is None:
        return None
    try:
        auth, requests, credentials = (
            importlib.import_module(f"botocore.{name}") for name in ("auth", "awsrequest", "credentials")
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "Signing in to a bucket needs the package 'botocore', which is not installed. Install the extra `s3`."
        ) from error
    keys = credentials.Credentials(settings.access_key_id, settings.secret_access_key.get_secret_value())
    signer = auth.S3SigV4Auth(keys, "s3", settings.region)

    def sign(url: str) -> dict[str, str]:
        request = requests.AWSRequest(method="GET", url=url)
        signer.add_auth(request)
        return dict(request.headers.items())

    return sign


def _fields(element: Any) -> dict[str, str]:
    return {child.tag.rpartition("}")[2]: child.text or "" for child in element}


def _error_code(content: bytes) -> str:
    try:
        return _fields(ElementTree.fromstring(content)).get("Code", "")
    except (ElementTree.ParseError, DefusedXmlException):
        return ""


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(key, pattern) or fnmatch(PurePosixPath(key).name, pattern) for pattern in patterns)

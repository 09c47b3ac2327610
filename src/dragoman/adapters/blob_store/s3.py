"""Objects in a bucket of Amazon S3, MinIO or another store that speaks S3 (package `botocore`, extra `s3`).

A blob of up to 8 MiB is one request; a larger one is a multipart upload, whose parts are seen by nobody until it is
completed, and are thrown away when it breaks off. Every request is signed together with the SHA-256 of its body, so
that the store refuses bytes that changed on their way.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from dragoman.kit.errors import DragomanError
from dragoman.kit.registry import MissingExtraError
from dragoman.kit.threads import run_to_end
from dragoman.ports.blob_store import (
    BlobNotFoundError,
    BlobStoreFullError,
    BlobStoreUnavailableError,
    InvalidBlobKeyError,
    check_key,
)

T = TypeVar("T")

_PIECE_BYTES = 1024 * 1024
_PART_BYTES = 8 * 1024 * 1024  # S3 wants at least 5 MiB and takes 10,000 parts: blobs of up to 78 GiB
_MAX_CALLS = 16
_ABSENT = {"NoSuchKey", "404", "NotFound"}
_FULL = "XMinioStorageFull"
_REMEDIES = {
    "NoSuchBucket": "There is no such bucket. Make it, or correct its name.",
    "AccessDenied": "The keys need the rights to get, put, delete and list objects, and to abort uploads.",
    "403": "The keys need the rights to get, put, delete and list objects, and to abort uploads.",
    "InvalidAccessKeyId": "The store does not know the access key.",
    "SignatureDoesNotMatch": "The secret access key is wrong, or a proxy changes the request.",
    "AuthorizationHeaderMalformed": "The region is wrong.",
    "PermanentRedirect": "The bucket is in another region.",
    "RequestTimeTooSkewed": "The clock of this machine is wrong.",
    _FULL: "The disks of the store are full. Make space on them.",
    "SlowDown": "The store is overloaded; try again later.",
}


class Settings(BaseModel):
    """Settings of the blob store `s3`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: str = Field(min_length=3, max_length=63, description="Name of the bucket. It is not made if it is absent.")
    prefix: str = Field(default="", description="Put before every key, for a bucket with other things in it.")
    endpoint_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="Address of the store, such as `http://minio:9000`. Empty: Amazon's, by region.",
    )
    region: str = Field(default="us-east-1", description="Region of the bucket. MinIO knows only `us-east-1`.")
    access_key_id: str | None = Field(
        default=None, description="Access key. Empty: what the environment offers (AWS variables, profile, role)."
    )
    secret_access_key: SecretStr | None = Field(default=None, description="Secret of the access key.")
    path_style: bool | None = Field(
        default=None,
        description="Name the bucket in the path, not in the host name. Empty: yes where an endpoint is set.",
    )

    @model_validator(mode="after")
    def _keys_come_together(self) -> Settings:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key must be set both or neither")
        return self

    @field_validator("prefix")
    @classmethod
    def _prefix_is_a_key(cls, prefix: str) -> str:
        prefix = prefix.rstrip("/")
        try:
            if prefix:
                check_key(prefix)
        except InvalidBlobKeyError as error:
            raise ValueError(error.message) from error
        return prefix


class Adapter:
    """The blob store `s3`. The client is made by the first call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prefix = f"{settings.prefix}/" if settings.prefix else ""
        self._client: Any = None
        self._connecting = threading.Lock()
        self._executor = ThreadPoolExecutor(_MAX_CALLS, thread_name_prefix="s3")

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        name = self._name(key)
        async with aclosing(_in_parts(chunks)) as parts:
            first = await anext(parts, bytearray())
            if len(first) == _PART_BYTES:
                return await self._put_in_parts(name, first, parts)
        await self._call("written", "put_object", Key=name, Body=first)
        return len(first)

    async def put_many(self, blobs: Mapping[str, bytes]) -> Mapping[str, DragomanError]:
        """One request a blob, for S3 knows no other; `_MAX_CALLS` at once."""
        names = {key: self._name(key) for key in blobs}
        outcomes = await asyncio.gather(
            *(self._call("written", "put_object", Key=names[key], Body=content) for key, content in blobs.items()),
            return_exceptions=True,  # each is brought to its end: the caller may delete what was stored
        )
        refused = {}
        for key, outcome in zip(blobs, outcomes, strict=True):
            if isinstance(outcome, DragomanError):
                refused[key] = outcome
            elif isinstance(outcome, BaseException):
                raise outcome
        return refused

    async def read(self, key: str) -> AsyncIterator[bytes]:
        name = self._name(key)
        with ExitStack() as held:

            def open_body() -> Any:
                """Opened into `held`, so that the connection is given back also when nobody waits for it any more."""
                answer = self._connect().get_object(Bucket=self._settings.bucket, Key=name)
                return held.enter_context(closing(answer["Body"]))

            body = await self._run("read", open_body)
            while piece := await self._run("read", partial(body.read, _PIECE_BYTES)):
                yield piece

    async def read_many(self, keys: Sequence[str]) -> list[bytes | DragomanError]:
        """One request a blob, `_MAX_CALLS` at once."""
        for key in keys:
            self._name(key)
        return await asyncio.gather(*map(self._read_whole, keys))

    async def _read_whole(self, key: str) -> bytes | DragomanError:
        try:
            return b"".join([piece async for piece in self.read(key)])
        except DragomanError as error:
            return error

    async def exists(self, key: str) -> bool:
        try:
            await self._call("read", "head_object", Key=self._name(key))
        except BlobNotFoundError:
            return False
        return True

    async def delete(self, key: str) -> None:
        await self._call("written", "delete_object", Key=self._name(key))

    async def list_keys(self, prefix: str = "") -> AsyncIterator[str]:
        after: Mapping[str, str] = {}
        while True:
            page = await self._call("read", "list_objects_v2", Prefix=self._prefix + prefix, **after)
            for found in page.get("Contents", ()):
                yield found["Key"].removeprefix(self._prefix)
            if not page.get("IsTruncated"):
                return
            after = {"ContinuationToken": page["NextContinuationToken"]}

    async def sweep_unfinished(self, *, older_than_s: float) -> int:
        """MinIO lists uploads by whole keys only and sweeps by itself after a day: there it is always 0."""
        swept, before = 0, datetime.now(UTC) - timedelta(seconds=older_than_s)
        after: Mapping[str, str] = {}
        while True:
            page = await self._call("read", "list_multipart_uploads", Prefix=self._prefix, **after)
            for upload in page.get("Uploads", ()):
                if upload["Initiated"] <= before:
                    await self._abort(upload["Key"], upload["UploadId"])
                    swept += 1
            if not page.get("IsTruncated"):
                return swept
            after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)
        self._executor.shutdown(wait=False)

    async def _put_in_parts(self, name: str, first: bytearray, rest: AsyncIterator[bytearray]) -> int:
        upload = (await self._call("written", "create_multipart_upload", Key=name))["UploadId"]
        try:
            tags = [await self._put_part(name, upload, 1, first)]
            size = len(first)
            async for part in rest:
                tags.append(await self._put_part(name, upload, len(tags) + 1, part))
                size += len(part)
            done = {"Parts": tags}
            await self._call("written", "complete_multipart_upload", Key=name, UploadId=upload, MultipartUpload=done)
        except BaseException:
            # Also when cancelled, and to its end: parts of an upload that is not aborted are paid for month by month.
            await asyncio.shield(self._abort(name, upload))
            raise
        return size

    async def _put_part(self, name: str, upload: str, number: int, part: bytearray) -> Mapping[str, Any]:
        answer = await self._call("written", "upload_part", Key=name, UploadId=upload, PartNumber=number, Body=part)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    async def _abort(self, name: str, upload: str) -> None:
        try:
            await self._call("written", "abort_multipart_upload", Key=name, UploadId=upload)
        except (BlobNotFoundError, BlobStoreUnavailableError):
            # The store is away, or the upload is: why the upload ended is on its way up and says more. Sweeping and
            # the bucket's lifecycle rule come back to what is left.
            return

    def _name(self, key: str) -> str:
        check_key(key)
        return self._prefix + key

    async def _call(self, what: str, operation: str, **arguments: Any) -> Any:
        """One request. A call to an absent object raises BlobNotFoundError, any other failure BlobStoreUnavailableError."""

        def request() -> Any:
            return getattr(self._connect(), operation)(Bucket=self._settings.bucket, **arguments)

        return await self._run(what, request)

    async def _run(self, what: str, call: Callable[[], T]) -> T:
        def translated() -> T:
            with _translated(what, self._settings.bucket):
                return call()

        return await run_to_end(self._executor, translated)

    def _connect(self) -> Any:
        with self._connecting:
            if self._client is None:
                self._client = _create_client(self._settings)
            return self._client


async def _in_parts(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytearray, None]:
    """The same bytes in pieces of exactly `_PART_BYTES`, the last one shorter; nothing for nothing."""
    held = bytearray()
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            taken = rest[: _PART_BYTES - len(held)]
            held += taken
            rest = rest[len(taken) :]
            if len(held) == _PART_BYTES:
                whole, held = held, bytearray()
                yield whole
                del whole  # or it would live on beside the next one
    if held:
        yield held


def _create_client(settings: Settings) -> Any:
    session, config = _import("botocore.session"), _import("botocore.config")
    path_style = settings.endpoint_url is not None if settings.path_style is None else settings.path_style
    secret = settings.secret_access_key
    return session.Session().create_client(
        "s3",
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=config.Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 3},
            max_pool_connections=_MAX_CALLS,
            s3={"addressing_style": "path" if path_style else "auto", "payload_signing_enabled": True},
            # The newer checksums of Amazon's clients are refused by many other stores; the signature covers the body.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "The blob store `s3` needs the package `botocore`. Install the extra: `pip install 'dragoman[s3]'`."
        ) from error


@contextmanager
def _translated(what: str, bucket: str) -> Iterator[None]:
    """Botocore's errors as those of the port."""
    exceptions = _import("botocore.exceptions")
    transport = _import("urllib3.exceptions")
    try:
        yield
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _ABSENT:
            raise BlobNotFoundError from error
        message = error.response.get("Error", {}).get("Message", "")
        raise _unavailable(what, bucket, f"{code}: {message}".strip(": "), _REMEDIES.get(code)) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise _unavailable(what, bucket, "there are no keys", "Set access_key_id and secret_access_key.") from error
    except (exceptions.BotoCoreError, transport.HTTPError, OSError) as error:
        raise _unavailable(what, bucket, str(error), "Check the endpoint and that the store runs.") from error


def _unavailable(what: str, bucket: str, why: str, remedy: str | None) -> BlobStoreUnavailableError:
    advice = remedy or "Check the settings of the blob store."
    kind = BlobStoreFullError if remedy == _REMEDIES[_FULL] else BlobStoreUnavailableError
    return kind(f"The bucket {bucket} cannot be {what}: {why.rstrip('.')}. {advice}")

"""A store that speaks S3, for tests: moto's server in a thread, on loopback."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import botocore.session
from moto.server import ThreadedMotoServer

_REGION = "us-east-1"
_KEY = "testing"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server; every access key is good."""

    url: str

    def settings(self, bucket: str, **more: Any) -> dict[str, Any]:
        """Settings of the blob store `s3`."""
        keys = {"access_key_id": _KEY, "secret_access_key": _KEY}
        return {"bucket": bucket, "endpoint_url": self.url, "region": _REGION, **keys, **more}

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client beside the adapter, to see what the server really holds."""
        client = botocore.session.Session().create_client(
            "s3",
            region_name=_REGION,
            endpoint_url=self.url,
            aws_access_key_id=_KEY,
            aws_secret_access_key=_KEY,
        )
        try:
            yield client
        finally:
            client.close()

    def new_bucket(self) -> str:
        """The name of an empty bucket of its own."""
        name = f"originals-{uuid4().hex}"
        with self.client() as client:
            client.create_bucket(Bucket=name)
        return name


@cache
def shared_s3_server() -> S3Server:
    """One for the test run, since stopping it takes half a second; it ends with the process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    atexit.register(server.stop)
    host, port = server.get_host_and_port()
    return S3Server(url=f"http://{host}:{port}")

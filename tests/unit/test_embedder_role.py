"""The embedder role and its client, over a real socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from dragoman.adapters.embedder.hashing import Adapter as Hashing
from dragoman.adapters.embedder.hashing import Settings as HashingSettings
from dragoman.adapters.embedder.socket import Adapter as Client
from dragoman.adapters.embedder.socket import Settings as ClientSettings
from dragoman.entrypoints.embedder import EmbedderRoleRunningError, EmbedderSocketPathError, serve
from dragoman.kit.frames import Frame, encode_frame, read_frame
from dragoman.ports.embedder import Embedder, EmbedderRejectedError, EmbedderUnavailableError, Vectors


class Slow(Hashing):
    """Passages wait at a gate; what is asked is noted in order."""

    def __init__(self) -> None:
        super().__init__(HashingSettings())
        self.gate = asyncio.Event()
        self.begun = 0
        self.cancelled = 0
        self.error: Exception | None = None

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        if self.error is not None:
            raise self.error
        return await super().embed_queries(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.begun += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().embed_passages(texts)


@asynccontextmanager
async def running(embedder: Embedder, path: Path) -> AsyncIterator[None]:
    stop = asyncio.Event()
    role = asyncio.create_task(serve(embedder, path, stop=stop))
    await wait_for(lambda: path.exists() or role.done())
    try:
        yield
    finally:
        stop.set()
        await role


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(path: Path, **settings: float) -> AsyncIterator[Client]:
    client = Client(ClientSettings(path=path, **settings))
    yield client
    await client.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "embedder.sock"


async def test_answers_are_those_of_the_embedder_itself(path: Path) -> None:
    embedder = Hashing(HashingSettings())
    texts = [f"text {number} \ud800" for number in range(50)]
    async with running(embedder, path), connected(path) as client:
        assert np.array_equal(await client.embed_passages(texts), await embedder.embed_passages(texts))
        assert await client.count_tokens(texts) == await embedder.count_tokens(texts)
        assert client.profile == embedder.profile


async def test_only_the_same_user_may_connect(path: Path) -> None:
    async with running(Hashing(HashingSettings()), path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_query_overtakes_passages_that_wait(path: Path) -> None:
    embedder = Slow()
    async with running(embedder, path), connected(path) as client, connected(path) as other:
        jobs = [asyncio.create_task(c.embed_passages(["passage"] * 500)) for c in (client, other)]
        await wait_for(lambda: embedder.begun == 2)
        assert len(await asyncio.wait_for(client.embed_queries(["question"]), 2)) == 1
        assert not any(job.done() for job in jobs)
        embedder.gate.set()
        assert [len(vectors) for vectors in await asyncio.gather(*jobs)] == [500, 500]


async def test_a_cancelled_call_is_taken_back_from_the_role(path: Path) -> None:
    embedder = Slow()
    async with running(embedder, path), connected(path) as client:
        job = asyncio.create_task(client.embed_passages(["passage"]))
        await wait_for(lambda: embedder.begun == 1)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        await wait_for(lambda: embedder.cancelled == 1)
        assert len(await client.embed_queries(["question"])) == 1


async def test_a_client_that_goes_away_takes_its_requests_with_it(path: Path) -> None:
    embedder = Slow()
    async with running(embedder, path):
        async with connected(path) as client:
            job = asyncio.create_task(client.embed_passages(["passage"]))
            await wait_for(lambda: embedder.begun == 1)
        await wait_for(lambda: embedder.cancelled == 1)
        with pytest.raises(EmbedderUnavailableError):
            await job_result(job, embedder)


async def job_result(job: asyncio.Task[Vectors], embedder: Slow) -> Vectors:
    """The lost call is asked once more over a new connection, which is cut as well."""
    await wait_for(lambda: embedder.begun == 2 or job.done())
    if not job.done():
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        raise EmbedderUnavailableError
    return job.result()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(500),
        encode_frame(Frame(header={"id": "x"})),
        b"DG\1\0\xff\xff\xff\xff\0\0\0\0",
    ],
)
async def test_a_broken_client_loses_its_connection_and_harms_nobody(path: Path, rubbish: bytes) -> None:
    async with running(Hashing(HashingSettings()), path), connected(path) as client:
        await client.embed_queries(["before"])
        reader, writer = await asyncio.open_unix_connection(path)
        await read_frame(reader)
        writer.write(rubbish)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
        assert len(await client.embed_queries(["after"])) == 1


async def test_a_client_that_reads_nothing_is_slowed_down_and_harms_nobody(path: Path) -> None:
    async with running(Hashing(HashingSettings(dimensions=4000)), path), connected(path) as client:
        _, writer = await asyncio.open_unix_connection(path)
        request = {"method": "embed_queries", "texts": ["x"] * 16}
        sent = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                for sent in range(1, 20_000):
                    writer.write(encode_frame(Frame(header={"id": sent, **request})))
                    await writer.drain()
        assert sent < 20_000 - 1
        assert len(await client.embed_queries(["after"])) == 1
        writer.transport.abort()


async def test_an_unknown_request_is_refused_and_the_connection_lives(path: Path) -> None:
    async with running(Hashing(HashingSettings()), path):
        reader, writer = await asyncio.open_unix_connection(path)
        await read_frame(reader)
        for header in (
            {"method": "sing", "texts": []},
            {"method": "embed_queries", "texts": [1]},
            {"method": "count_tokens"},
        ):
            writer.write(encode_frame(Frame(header={"id": 1, **header})))
            answer = await read_frame(reader)
            assert answer is not None
            assert "error" in answer.header
        writer.close()


async def test_errors_of_the_embedder_keep_their_kind(path: Path) -> None:
    embedder = Slow()
    async with running(embedder, path), connected(path) as client:
        embedder.error = EmbedderRejectedError("wrong key")
        with pytest.raises(EmbedderRejectedError, match="wrong key"):
            await client.embed_queries(["x"])
        embedder.error = EmbedderUnavailableError("busy", retry_after_s=3.0)
        with pytest.raises(EmbedderUnavailableError) as caught:
            await client.embed_queries(["x"])
        assert caught.value.retry_after_s == 3.0
        embedder.error = ZeroDivisionError("a defect")
        with pytest.raises(EmbedderUnavailableError):
            await client.embed_queries(["x"])


async def test_the_client_finds_a_restarted_role_and_says_when_none_is_there(path: Path) -> None:
    async with connected(path) as client:
        with pytest.raises(EmbedderUnavailableError, match="dragoman embedder"):
            await client.embed_queries(["x"])
        with pytest.raises(EmbedderUnavailableError):
            _ = client.profile
        for _ in range(2):
            async with running(Hashing(HashingSettings()), path):
                assert len(await client.embed_queries(["x"])) == 1
        with pytest.raises(EmbedderUnavailableError):
            await client.embed_queries(["x"])


async def test_an_answer_that_does_not_come_in_time_is_unavailable(path: Path) -> None:
    embedder = Slow()
    async with running(embedder, path), connected(path, timeout_s=0.1) as client:
        with pytest.raises(EmbedderUnavailableError):
            await client.embed_passages(["x"])
        await wait_for(lambda: embedder.cancelled == 1)


async def test_a_second_role_on_one_socket_is_refused_and_the_first_lives(path: Path) -> None:
    async with running(Hashing(HashingSettings()), path), connected(path) as client:
        with pytest.raises(EmbedderRoleRunningError):
            await serve(Hashing(HashingSettings()), path)
        assert len(await client.embed_queries(["x"])) == 1


async def test_the_socket_of_a_killed_role_is_replaced(path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from dragoman.entrypoints.embedder import serve; "
        "from dragoman.adapters.embedder.hashing import Adapter, Settings; "
        "asyncio.run(serve(Adapter(Settings()), Path(sys.argv[1])))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], env=environment, stdout=subprocess.DEVNULL)
    async with asyncio.timeout(20):
        while not path.exists():
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()
    async with running(Hashing(HashingSettings()), path), connected(path) as client:
        assert len(await client.embed_queries(["x"])) == 1


async def test_what_is_not_ours_on_the_path_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(EmbedderSocketPathError):
        await serve(Hashing(HashingSettings()), path)
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        with pytest.raises(EmbedderRoleRunningError):
            await serve(Hashing(HashingSettings()), path)


async def test_a_path_too_long_for_a_socket_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EmbedderSocketPathError):
        await serve(Hashing(HashingSettings()), tmp_path / ("x" * 120))

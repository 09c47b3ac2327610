"""The MCP server, asked by the SDK's own client over HTTP and over standard input and output."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

import dragoman

from .conftest import Company, Service
from .serving import serving

QUESTION = "What discount do gold partners receive?"
SOURCE = str(Path(dragoman.__file__).parents[1])


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[str]:
    async with serving(service) as address:
        yield address


class Mcp:
    """A client of one of both transports, with the results as the tests read them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        structured: dict[str, Any] = result.structured_content
        return structured

    async def error(self, tool: str, **arguments: Any) -> str:
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        return str(result.content[0].text)


async def over_http(stack: AsyncExitStack, address: str, secret: str, **options: Any) -> Mcp:
    http = await stack.enter_async_context(httpx2.AsyncClient(headers={"Authorization": f"Bearer {secret}"}))
    transport = streamable_http_client(f"{address}/mcp", http_client=http)
    return Mcp(await stack.enter_async_context(Client(transport, **options)))


async def over_stdio(stack: AsyncExitStack, address: str, secret: str, **options: Any) -> Mcp:
    environment = {
        "DRAGOMAN_URL": address,
        "DRAGOMAN_API_KEY": secret,
        "PYTHONPATH": SOURCE,
        "PATH": os.environ["PATH"],
    }
    command = StdioServerParameters(command=sys.executable, args=["-m", "dragoman", "mcp"], env=environment)
    return Mcp(await stack.enter_async_context(Client(stdio_client(command), **options)))


TRANSPORTS = {"http": over_http, "stdio": over_stdio}


@pytest.mark.parametrize(
    ("transport", "mode"), [("http", "auto"), ("http", "legacy"), ("stdio", "auto"), ("stdio", "legacy")]
)
async def test_a_host_searches_asks_and_lists(company: Company, address: str, transport: str, mode: str) -> None:
    document = await company.know()
    async with AsyncExitStack() as stack:
        mcp = await TRANSPORTS[transport](stack, address, company.secrets["member"], mode=mode)
        tools = {tool.name: tool for tool in (await mcp.client.list_tools()).tools}
        assert set(tools) == {"search", "ask", "list_documents"}
        found = await mcp.call("search", query=QUESTION, max_results=2)
        assert "17 percent" in found["passages"][0]["content"]
        assert found["passages"][0]["document_id"] == document["id"]
        answer = await mcp.call("ask", question=QUESTION)
        assert answer["answered"]
        assert "17 percent" in answer["sources"][0]["quote"]
        again = await mcp.call("ask", question="And silver partners?", session_id=answer["session_id"])
        assert again["session_id"] == answer["session_id"]
        listed = await mcp.call("list_documents")
    assert [(each["id"], each["state"]) for each in listed["documents"]] == [(document["id"], "ready")]
    assert listed["total"] == 1
    messages = await company.api("member").get(f"/api/chatbot/sessions/{answer['session_id']}/messages/")
    assert len(messages.json()["messages"]) == 4


async def test_tools_are_typed_and_described(company: Company, address: str) -> None:
    async with AsyncExitStack() as stack:
        mcp = await over_http(stack, address, company.secrets["member"])
        tools = (await mcp.client.list_tools()).tools
    for tool in tools:
        assert tool.description
        assert tool.output_schema is not None
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name}: {name}"
    ask, listing, search = sorted(tools, key=lambda tool: tool.name)
    assert search.annotations.read_only_hint
    assert listing.annotations.read_only_hint
    assert not ask.annotations.read_only_hint
    assert search.input_schema["required"] == ["query"]


async def test_what_goes_wrong_is_told_to_the_model(company: Company, other_company: Company, address: str) -> None:
    foreign = await other_company.open_session()
    async with AsyncExitStack() as stack:
        mcp = await over_http(stack, address, company.secrets["member"])
        assert "There is no session with this id" in await mcp.error("ask", question="x", session_id=foreign)
        assert "No chatbot is named 'Nobody'. There are: 'Knowledge'" in await mcp.error(
            "search", query="x", chatbot="Nobody"
        )
        assert "filter" in await mcp.error("search", query="x", filter="language:")
        assert "max_results" in await mcp.error("search", query="x", max_results=1000)


async def test_a_chatbot_is_named_by_name_or_id(company: Company, address: str) -> None:
    made = await company.api().post("/api/chatbots/", json={"name": "Support"})
    await company.know()
    async with AsyncExitStack() as stack:
        mcp = await over_http(stack, address, company.secrets["member"])
        for name in ("Support", made.json()["id"]):
            assert (await mcp.call("list_documents", chatbot=name))["total"] == 0
        assert (await mcp.call("list_documents", chatbot="Knowledge"))["total"] == 1
        assert (await mcp.call("list_documents", search="nothing of this kind"))["documents"] == []


async def test_each_call_is_made_by_the_holder_of_its_own_key(
    company: Company, other_company: Company, address: str
) -> None:
    await company.know()
    async with AsyncExitStack() as stack:
        mine = await over_http(stack, address, company.secrets["member"])
        theirs = await over_http(stack, address, other_company.secrets["member"])
        assert (await mine.call("list_documents"))["total"] == 1
        assert (await theirs.call("list_documents"))["total"] == 0
        assert (await theirs.call("search", query=QUESTION))["passages"] == []
        answer = await mine.call("ask", question=QUESTION)
    sessions = await company.api("member").get("/api/chatbot/sessions/")
    assert [session["id"] for session in sessions.json()["sessions"]] == [answer["session_id"]]
    assert (await company.api("second_member").get("/api/chatbot/sessions/")).json()["total"] == 0


HANDSHAKE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}
ACCEPTED = {"Accept": "application/json, text/event-stream"}


async def test_nobody_comes_in_without_a_key(company: Company, address: str) -> None:
    async with httpx.AsyncClient(base_url=address, headers=ACCEPTED) as client:
        refused = await client.post("/mcp", json=HANDSHAKE)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json()["code"] == "tenancy.missing_key"
        key = {"X-API-Key": company.secrets["member"]}
        assert (await client.post("/mcp/", json=HANDSHAKE, headers=key)).status_code == 200
        assert (await client.get("/mcp", headers=key)).status_code == 405


async def test_web_pages_of_other_hosts_are_refused(company: Company, address: str) -> None:
    headers = {**ACCEPTED, "X-API-Key": company.secrets["member"]}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        for origin, status in (("https://evil.example", 403), (address, 200)):
            answered = await client.post("/mcp", json=HANDSHAKE, headers={"Origin": origin})
            assert answered.status_code == status


def test_the_sdk_is_not_loaded_before_it_is_needed() -> None:
    """Neither by the API nor by any command but `mcp`."""
    code = (
        "import sys\nfrom dragoman.entrypoints import cli\nfrom dragoman.entrypoints.api import create_app\n"
        "from dragoman.entrypoints.settings import Settings\ncreate_app(Settings.model_construct())\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('mcp', 'mcp_types')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )
    assert run.stdout.strip() == "[]"


def test_a_host_without_a_server_is_told_so(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": SOURCE, "PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-m", "dragoman", "mcp", "--home", str(tmp_path)],
        capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (run.returncode, run.stdout) != (0, "")
    assert "dragoman up" in run.stderr


async def test_without_an_answer_the_tools_say_where_none_came_from(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        mcp = await over_stdio(stack, "http://127.0.0.1:9", "dgm_x")
        assert "No answer from http://127.0.0.1:9" in await mcp.error("search", query="x")

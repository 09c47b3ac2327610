"""Every operation that changes something leaves an audit event: gone through from the OpenAPI document.

A new operation is asked with the body that it has in `test_access.BODIES`. Where that does not succeed, it needs an entry in
`ARRANGED`; where it changes nothing that an auditor asks for, one in `NOT_AUDITED`, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.test_access import (  # fixtures, too: pytest finds them by their names here
    BODIES,
    EXPECTED,
    Foreign,
    _feedback,
    files_to_sync,
    foreign,
    service,
)

from dragoman.tenancy import audit

__all__ = ["files_to_sync", "foreign", "service"]

_TURN = "the turn record tells of questions and answers"
_SEARCH = "the search log tells of searches and what became of them"
_FEEDBACK = "feedback keeps its own history, beside the turn record"
_NOTHING = "changes nothing"
_SIGN_IN = "nobody here has a password or a link; the tests of sign-in look into the audit log"
NOT_AUDITED = {
    "POST /api/chatbot/sessions/": _TURN,
    "POST /api/chatbot/sessions/{session_id}/messages/": _TURN,
    "POST /api/chatbot/sessions/{session_id}/messages/stream/": _TURN,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/select/": _TURN,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/regenerate/": _TURN,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/regenerate/stream/": _TURN,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/cancel/": _TURN,
    "POST /api/chatbot/messages/{message_id}/feedback/": _FEEDBACK,
    "PATCH /api/chatbot/messages/{message_id}/feedback/": _FEEDBACK,
    "DELETE /api/chatbot/messages/{message_id}/feedback/": _FEEDBACK,
    "POST /api/alerts/channels/{channel_id}/test/": _NOTHING,
    "POST /api/search": _SEARCH,
    "POST /api/search/batch": _SEARCH,
    "POST /api/search/{search_id}/click": _SEARCH,
    "POST /api/search/{search_id}/rating": _SEARCH,
    "POST /v1/chat/completions": _TURN,
    "POST /v1/embeddings": _NOTHING,
    "POST /api/widget/tokens/": _NOTHING,
    "POST /api/auth/sign-in/": _SIGN_IN,
    "POST /api/auth/refresh/": _SIGN_IN,
    "POST /api/auth/sign-out/": _SIGN_IN,
    "POST /api/auth/set-password/": _SIGN_IN,
    "POST /api/auth/password-reset/": _SIGN_IN,
    "POST /api/auth/password/": _SIGN_IN,
    "POST /api/chatbots/{chatbot_id}/prompts/preview/": _NOTHING,
}

Send = Callable[..., Awaitable[httpx.Response]]
Arranged = Callable[[Any, Send, Foreign, Path], Awaitable[httpx.Response]]


async def _queued(company: Any, name: str) -> tuple[str, str]:
    """A document that waits for its reader, and its job."""
    made = (await company.upload(f"# {name}\n\nA note of its own.\n", f"{name}.md")).json()
    status = (await company.api().get(f"/api/chatbot/documents/{made['id']}/status/")).json()
    return made["id"], status["job_id"]


async def _connector(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    body = {"kind": "folder", "name": "Archive", "settings": {"path": str(folder)}}
    return await send("/api/chatbot/connectors/", json=body)


async def _cancel(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    document_id, _ = await _queued(company, "cancelled")
    return await send(f"/api/chatbot/documents/{document_id}/cancel/")


async def _retry(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    document_id, _ = await _queued(company, "retried")
    await company.api().post(f"/api/chatbot/documents/{document_id}/cancel/")
    return await send(f"/api/chatbot/documents/{document_id}/retry/")


async def _cancel_job(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    _, job_id = await _queued(company, "job-cancelled")
    return await send(f"/api/jobs/{job_id}/cancel/")


async def _retry_job(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    _, job_id = await _queued(company, "job-retried")
    await company.api().post(f"/api/jobs/{job_id}/cancel/")
    return await send(f"/api/jobs/{job_id}/retry/")


async def _pending(company: Any, name: str) -> str:
    made = (
        await company.api().post("/api/chatbots/", json={"name": name, "settings": {"moderation": "review"}})
    ).json()
    uploaded = await company.upload(f"# {name}\n\nA note that waits.\n", f"{name}.md", chatbot_id=made["id"])
    await company.service.run_jobs()
    document_id: str = uploaded.json()["id"]
    return document_id


async def _approve(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    return await send(f"/api/chatbot/documents/{await _pending(company, 'approved')}/approve/")


async def _reject(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    document_id = await _pending(company, "rejected")
    return await send(f"/api/chatbot/documents/{document_id}/reject/", json={"reason": "No."})


async def _prompt(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    text = 'Answer like a librarian. Where the sources do not answer, reply "{{ unknown }}".'
    return await send(f"/api/chatbots/{ids.chatbot_id}/prompts/", json={"text": text})


async def _delete_chatbot(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    made = (await company.api().post("/api/chatbots/", json={"name": "Short-lived"})).json()
    return await send(f"/api/chatbots/{made['id']}/")


async def _resume_import(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    await company.api().post(f"/api/chatbot/imports/{ids.import_id}/pause/")
    return await send(f"/api/chatbot/imports/{ids.import_id}/resume/")


async def _reject_correction(company: Any, send: Send, ids: Foreign, folder: Path) -> httpx.Response:
    answer = await company.ask("What discount do gold partners receive?")
    feedback_id = await _feedback(company, answer["id"])
    return await send(f"/api/chatbot/feedback/{feedback_id}/reject-correction/", json={"note": "No."})


ARRANGED: dict[str, Arranged] = {
    "POST /api/chatbot/connectors/": _connector,
    "POST /api/chatbot/documents/{document_id}/cancel/": _cancel,
    "POST /api/chatbot/documents/{document_id}/retry/": _retry,
    "POST /api/chatbot/documents/{document_id}/approve/": _approve,
    "POST /api/chatbot/documents/{document_id}/reject/": _reject,
    "POST /api/chatbot/feedback/{feedback_id}/reject-correction/": _reject_correction,
    "POST /api/jobs/{job_id}/cancel/": _cancel_job,
    "POST /api/jobs/{job_id}/retry/": _retry_job,
    "POST /api/chatbots/{chatbot_id}/prompts/": _prompt,
    "POST /api/chatbot/imports/{import_id}/resume/": _resume_import,
    "DELETE /api/chatbots/{chatbot_id}/": _delete_chatbot,
}


def _changing() -> list[str]:
    """What changes something: deletions last and the deepest first, so that things are there for the others."""
    names = [name for name in EXPECTED if not name.startswith("GET ") and name not in NOT_AUDITED]
    return sorted(names, key=lambda name: (name.startswith("DELETE"), -name.count("/")))


def test_what_is_not_audited_exists() -> None:
    assert set(NOT_AUDITED) <= set(EXPECTED)
    assert set(ARRANGED) <= set(EXPECTED)


@pytest.mark.usefixtures("service")
async def test_each_change_leaves_an_event_of_its_request(company: Any, foreign: Foreign, files_to_sync: Path) -> None:
    silent: list[str] = []
    for number, name in enumerate(_changing()):
        await company.service.run_jobs()
        request_id = f"operation-{number}"
        answer = await _ask(company, name, request_id, foreign, files_to_sync)
        assert answer.is_success, f"{name}: {answer.status_code} {answer.text}. Give it an entry in ARRANGED."
        await audit.flush(company.service.deps.database)
        found = await company.api().get("/api/audit/", params={"request_id": request_id})
        if not found.json()["events"]:
            silent.append(name)
    assert not silent, f"These change something and leave no audit event: {silent}"
    assert len(_changing()) >= 35


async def _ask(company: Any, name: str, request_id: str, ids: Foreign, folder: Path) -> httpx.Response:
    method, _, path = name.partition(" ")
    client = company.service.client(company.secrets["owner"], **{"X-Request-ID": request_id})

    async def send(address: str, **body: Any) -> httpx.Response:
        answer: httpx.Response = await client.request(method, address, **body)
        return answer

    if name in ARRANGED:
        return await ARRANGED[name](company, send, ids, folder)
    values = {parameter: getattr(ids, parameter) for parameter in re.findall(r"{(\w+)}", path)}
    return await send(path.format(**values), **BODIES.get(name, {}))

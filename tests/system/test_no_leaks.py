"""Secrets and personal data go through a whole instance, by every way in; none is in its logs, spans and metrics."""

from __future__ import annotations

import base64
import json
import signal
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from benchmarks.instance import Instance, free_port, free_ports, running
from tests.otlp_receiver import Received, otlp_receiver

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `otlp` is not installed")

_PERSONAL = {
    "name": "Zbigniew Quorthon",
    "e-mail": "zbigniew.quorthon@personal.example",
    "card": "4111 1111 1111 1111",
    "card without spaces": "4111111111111111",
    "phone": "+49 151 23456789",
    "street": "Vexillum Street 17",
}
_SECRETS = {
    "provider key": "sk-provider-Qm7aXw93LkPz",
    "password in an address": "hunter2-Vq8rTz",
    "token": "eyJhbGciOiJub25lIn0.c2VjcmV0LXRva2Vu.x",
    "session secret": "cookie-secret-Jd83mQ",
    "wrong key": "dgm_wrong-Key-83jfQmXw2",
    "mail server's password": "smtp-Kd92LmQwXz",
    "webhook's path": "T0-hook-Wm38sKqPz",
    "client secret": "oidc-Rb47TnVcYd",
    "code of an identity provider": "code-Gh61PsLwQe",
    "guessed password": "guess-Nf05BjXcMa",
    "new password": "violet-Uy73RkTzHo anchors drift",
    "connector's password": "site-Pl28DvSgKi",
    "signature": "c2lnbmF0dXJlLU9lNTRXcQ",
}
_HOOK = "webhook's path"
_ABOUT = " ".join(_PERSONAL.values())


@pytest.fixture(scope="module")
def used() -> Iterator[tuple[Instance, Received, list[str]]]:
    """An instance that has been told all of it, what it sent to the collector, and its metrics."""
    with (
        tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as folder,
        otlp_receiver() as sink,
    ):
        first = free_ports(4)
        environment = {
            "DRAGOMAN_EMBEDDER": "hashing",
            "DRAGOMAN_LLM": "openai_compatible",
            "DRAGOMAN_LLM_OPENAI_COMPATIBLE_BASE_URL": f"http://user:{_SECRETS['password in an address']}@127.0.0.1:{free_port()}/v1",
            "DRAGOMAN_LLM_OPENAI_COMPATIBLE_API_KEY": _SECRETS["provider key"],
            "DRAGOMAN_LLM_OPENAI_COMPATIBLE_MODEL": "absent",
            "DRAGOMAN_OTLP_ENDPOINT": sink.url,
            "DRAGOMAN_LOG_LEVEL": "DEBUG",
            "DRAGOMAN_LOG_STYLE": "json",
            "DRAGOMAN_METRICS_PORT": str(first),
            "DRAGOMAN_PRIVATE_NETWORKS": "127.0.0.0/8",
            "DRAGOMAN_MAILER": "smtp",
            "DRAGOMAN_MAILER_SMTP_HOST": "127.0.0.1",
            "DRAGOMAN_MAILER_SMTP_PORT": str(free_port()),  # nobody listens there
            "DRAGOMAN_MAILER_SMTP_SECURITY": "none",
            "DRAGOMAN_MAILER_SMTP_SENDER": "dragoman@example.com",
            "DRAGOMAN_MAILER_SMTP_USERNAME": "dragoman",
            "DRAGOMAN_MAILER_SMTP_PASSWORD": _SECRETS["mail server's password"],
            "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds
        }
        with running(Path(folder) / "home", "--no-sample", **environment) as instance:
            _use(instance, sink.url)
            metrics = [httpx.get(f"http://127.0.0.1:{first + number}/metrics").text for number in range(4)]
            _crash(instance)
            time.sleep(2)
            yield instance, sink, metrics


def _use(instance: Instance, sink_url: str) -> None:
    with instance.http() as http:
        document = http.post(
            "/api/chatbot/documents/",
            files={"file": ("note.md", f"# Note\n\n{_ABOUT}\n\nThe lamp of {_ABOUT} costs 42 euros.".encode())},
        ).json()["id"]
        deadline = time.monotonic() + 60
        while http.get(f"/api/chatbot/documents/{document}/").json()["state"] == "processing":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        session = http.post("/api/chatbot/sessions/", json={"title": _ABOUT}).json()["id"]
        messages = f"/api/chatbot/sessions/{session}/messages/"
        answered = http.post(messages, json={"message": f"What does the lamp of {_ABOUT} cost?"})
        assert answered.status_code == 200  # the language model is not there: quotation takes over
        streamed = http.post(f"{messages}stream/", json={"message": f"Who is {_PERSONAL['e-mail']}?"})
        assert "complete" in streamed.text
        http.post("/api/search", json={"query": _ABOUT, "user_id": _PERSONAL["e-mail"]})
        http.get(
            f"/api/search/hybrid/{instance.chatbot_id}", params={"q": _ABOUT, "filter": f"tag = '{_PERSONAL['name']}'"}
        )
        http.post("/v1/chat/completions", json={"model": "dragoman", "messages": [{"role": "user", "content": _ABOUT}]})
        http.post("/v1/embeddings", json={"model": _SECRETS["token"], "input": [_ABOUT]})
        _mistake(http, messages)
        _fail_to_sign_in(http, instance)
        _fail_elsewhere(http, sink_url)


def _mistake(http: httpx.Client, messages: str) -> None:
    """Requests that are refused, or that fail, each with something that must not be told."""
    http.post(messages, content=f'{{"message": "{_ABOUT}'.encode(), headers={"Content-Type": "application/json"})
    http.post(messages, json={"message": {"about": _ABOUT}})
    http.post("/api/search", json={"query": _ABOUT, "limit": _PERSONAL["card"]})
    http.post("/api/search", json={"query": f"{_ABOUT}\x00"})
    http.post("/api/search", json={"query": "x", "filter": f"{_ABOUT} = = '"})
    http.get(f"/{_PERSONAL['e-mail']}/{_SECRETS['token']}")
    http.get("/api/chatbots/", params={"token": _SECRETS["token"], "q": _ABOUT})
    http.get(f"/api/chatbot/documents/{urllib.parse.quote(_PERSONAL['name'])}/")
    http.get("/api/chatbots/", headers={"X-API-Key": _SECRETS["wrong key"]})
    http.get("/api/chatbots/", headers={"X-API-Key": "", "Authorization": f"Bearer {_SECRETS['token']}"})
    http.get("/api/chatbots/", headers={"Cookie": f"session={_SECRETS['session secret']}"})
    http.get(
        "/api/chatbots/",
        headers={"User-Agent": _PERSONAL["e-mail"], "Referer": f"https://x.example/?{_SECRETS['token']}"},
    )
    http.post(
        "/api/chatbot/documents/urls/",
        json={"urls": [f"https://user:{_SECRETS['password in an address']}@absent.invalid/{_SECRETS['token']}"]},
    )
    http.post("/api/chatbot/documents/", files={"file": (f"{_PERSONAL['name']}.pdf", b"%PDF-1.7 " + _ABOUT.encode())})
    http.post("/api/chatbot/documents/", files={"file": (f"{_PERSONAL['e-mail']}.exe", b"MZ" + _ABOUT.encode())})
    http.post("/api/keys/", json={"name": _PERSONAL["name"], "role": "member", "user_email": _PERSONAL["e-mail"]})


def _fail_to_sign_in(http: httpx.Client, instance: Instance) -> None:
    """Passwords, links, tokens and an identity provider, each of which is wrong; mails that nobody takes."""
    person, password = _PERSONAL["e-mail"], _SECRETS["guessed password"]
    invited = http.post("/api/users/invitations/", json={"email": person})
    assert (invited.status_code, invited.json()["is_mailed"]) == (201, False)
    link = urllib.parse.parse_qs(urllib.parse.urlsplit(invited.json()["url"]).query)["token"][0]
    weak = http.post("/api/auth/set-password/", json={"token": link, "password": person})
    assert weak.status_code == 422
    accepted = http.post(
        "/api/auth/set-password/", json={"token": link, "password": _SECRETS["new password"], "display_name": person}
    )
    assert accepted.status_code == 200, accepted.text
    assert http.post("/api/auth/set-password/", json={"token": link, "password": password}).status_code == 410
    assert http.post("/api/auth/sign-in/", json={"email": person, "password": password}).status_code == 401
    assert http.post("/api/auth/password-reset/", json={"email": person}).status_code == 202
    assert http.post("/api/auth/refresh/", json={"refresh_token": _SECRETS["token"]}).status_code == 401
    head, claims, _ = accepted.json()["access_token"].split(".")
    said = base64.urlsafe_b64encode(json.dumps({"email": person, "sub": _PERSONAL["name"]}).encode()).decode()
    for token in (f"{head}.{claims}.{_SECRETS['signature']}", f"{head}.{said}.{_SECRETS['signature']}"):
        bad = httpx.get(f"{http.base_url}/api/auth/me/", headers={"Authorization": f"Bearer {token}"})
        assert bad.status_code == 401
    provider = {
        "issuer": f"http://localhost:{free_port()}/",
        "client_id": "dragoman",
        "client_secret": _SECRETS["client secret"],
    }
    assert http.put("/api/single-sign-on/", json=provider).status_code in (200, 422)
    tenant = http.get("/api/auth/me/").json()["tenant_id"]
    assert http.get(f"/api/auth/single-sign-on/{tenant}/start/").status_code >= 400
    answer = {
        "error": "access_denied",
        "error_description": _ABOUT,
        "state": _SECRETS["session secret"],
        "code": _SECRETS["code of an identity provider"],
    }
    refused = http.get("/api/auth/single-sign-on/callback/", params=answer)
    assert refused.status_code in (403, 422)


def _fail_elsewhere(http: httpx.Client, sink_url: str) -> None:
    """A webhook and a connector, with secrets in their addresses, that do not get what they ask for."""
    hook = f"{sink_url.removesuffix('/v1/traces')}/{_SECRETS[_HOOK]}?token={_SECRETS['token']}"
    made = http.post("/api/alerts/channels/", json={"url": hook})
    assert made.status_code == 201, made.text
    assert http.post(f"/api/alerts/channels/{made.json()['id']}/test/").status_code == 202
    secret = _SECRETS["connector's password"]
    for settings in (
        {"start_urls": [f"http://user:{secret}@127.0.0.1:{free_port()}/{_PERSONAL['name']}"]},
        {"start_urls": [f"http://127.0.0.1:{free_port()}/"], "username": _PERSONAL["e-mail"], "password": secret},
        {"start_urls": ["http://127.0.0.1/"], "password": {"of": secret}},
    ):
        body = {"kind": "website", "name": "Site", "settings": settings}
        assert http.post("/api/chatbot/connectors/", json=body).status_code >= 400
    deadline = time.monotonic() + 60
    while not _was_tried(http):
        assert time.monotonic() < deadline, "the webhook was not tried"
        time.sleep(0.2)


def _was_tried(http: httpx.Client) -> bool:
    [channel] = http.get("/api/alerts/channels/").json()["channels"]
    return bool(channel["last_error"] or channel["last_delivered_at"])


def _crash(instance: Instance) -> None:
    """PostgreSQL dies while questions are asked."""
    with instance.http() as http, suppress(httpx.HTTPError):
        for process in instance.processes():
            if "postgres" in process.name():
                process.send_signal(signal.SIGKILL)
                break
        for _ in range(5):
            http.post("/api/search", json={"query": _ABOUT})
            http.post("/api/chatbot/documents/", files={"file": ("note.md", _ABOUT.encode())})


def _secrets(instance: Instance) -> dict[str, str]:
    """Those of this test and those of the instance itself."""
    own = json.loads((instance.home / "secrets.json").read_text())
    found = {f"secrets.json: {name}": str(value) for name, value in own.items() if len(str(value)) >= 8}
    return {**_SECRETS, **found, "API key": instance.api_key}


def _leaks(instance: Instance, text: str) -> list[str]:
    """The names of what is in the text, with its surroundings. Names of people are found in any case."""
    found = []
    for name, value in {**_PERSONAL, **_secrets(instance)}.items():
        for written in {value, urllib.parse.quote(value), json.dumps(value)[1:-1]}:
            at = text.lower().find(written.lower())
            if at >= 0:
                found.append(f"{name}: …{text[max(0, at - 200) : at + 80]}…")
    return found


def test_logs_hold_none_of_it(used: tuple[Instance, Received, list[str]]) -> None:
    instance, _, _ = used
    logs = {file.name: file.read_text() for file in (instance.home / "logs").iterdir() if file.is_file()}
    assert {"api.log", "worker.log", "scheduler.log", "embedder.log", "postgres.log"} <= set(logs)
    assert "api.request" in logs["api.log"]
    assert "jobs.attempt_ended" in logs["worker.log"]
    assert {name: leaks for name, text in logs.items() if (leaks := _leaks(instance, text))} == {}


def test_spans_hold_none_of_it(used: tuple[Instance, Received, list[str]]) -> None:
    instance, sink, _ = used
    assert {span.role for span in sink.spans} >= {"api", "worker", "embedder"}
    assert any(span.is_error for span in sink.spans)
    assert _leaks(instance, b"\n".join(sink.raw).decode("utf-8", "replace")) == []


def test_metrics_hold_none_of_it(used: tuple[Instance, Received, list[str]]) -> None:
    instance, _, metrics = used
    assert all("dragoman_build_info" in text for text in metrics)
    assert _leaks(instance, "\n".join(metrics)) == []


def test_a_leak_would_be_seen(used: tuple[Instance, Received, list[str]]) -> None:
    instance, _, _ = used
    assert len(_leaks(instance, f"path=/{urllib.parse.quote(_PERSONAL['name'])} key={instance.api_key}")) == 2

"""What makes this installation easier to attack than it needs to be, for `dragoman doctor --security`. Changes nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from dragoman.entrypoints import doctor, tenant_review
from dragoman.entrypoints.doctor import Finding, State
from dragoman.entrypoints.settings import Settings, load_settings
from dragoman.kit.addresses import is_local
from dragoman.kit.errors import DragomanError

_SHORTEST_SECRET: Final = 24  # characters
_GUESSED: Final = frozenset(
    {
        "",
        "admin",
        "changeme",
        "default",
        "dragoman",
        "letmein",
        "password",
        "postgres",
        "redis",
        "secret",
        "test",
        "valkey",
    }
)
_WIDEST_PROXIES: Final = {4: 8, 6: 32}  # a prefix shorter than this trusts strangers
_AUDIT_LIMIT_S: Final = 120.0

_Review = Callable[["doctor._Patient"], Awaitable[Finding]]


async def review(home: Path | None, tell: Callable[[Finding], None]) -> list[Finding]:
    """Look at each boundary; each finding is told as it is made."""
    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        tell(finding)

    try:
        settings = load_settings(home=home)
    except DragomanError as error:
        note(doctor._failed("settings", error))
        return findings
    async with AsyncExitStack() as held:
        patient = await doctor._admit(settings, held, note)
        for name, check in _REVIEWS.items():
            note(await doctor._tried(name, check, patient))
    return findings


def _ok(check: str, message: str) -> Finding:
    return Finding(check=check, state=State.OK, message=message)


# ---- files and secrets


async def _files(patient: doctor._Patient) -> Finding:
    path = patient.settings.home
    if not path.exists():
        return Finding(check="files", state=State.SKIP, message=f"{path} is not there yet; the first start makes it.")
    found = sorted({*_open_files(path), *_open_env_file()})
    if found:
        shown = ", ".join(str(each) for each in found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        remedy = f"chmod go-rwx {' '.join(str(each) for each in found[:5])}"
        return Finding(check="files", state=State.FAIL, message=f"Others may read {shown}.", remedy=remedy)
    return _ok("files", "secrets, logs and originals are ours alone")


def _open_files(home: Path) -> Iterator[Path]:
    """What others may read. As root, PostgreSQL passes through folders as another user: passing is no reading."""
    for secret in (*home.glob("*.json"), *home.glob("*.key*"), *home.glob("*.pem")):
        if secret.is_file() and secret.stat().st_mode & 0o077:
            yield secret
    for name in ("", "logs", "run", "blobs", "uploads", "postgres", "valkey"):
        folder = home / name
        if folder.is_dir() and folder.stat().st_mode & 0o066:
            yield folder


def _open_env_file() -> Iterator[Path]:
    file = Path(".env")
    if file.is_file() and file.stat().st_mode & 0o007 and "DRAGOMAN_" in file.read_text(errors="replace"):
        yield file.resolve()


async def _secrets(patient: doctor._Patient) -> Finding:
    weak = list(_weak_secrets(load_settings(home=patient.settings.home)))
    if weak:
        remedy = "Take long random ones: python -c 'import secrets; print(secrets.token_urlsafe(32))'."
        message = f"Easy to guess, or too short: {', '.join(weak)}."
        return Finding(check="secrets", state=State.FAIL, message=message, remedy=remedy)
    return _ok("secrets", "none is a default one or short")


def _weak_secrets(settings: Settings) -> Iterator[str]:
    for name in ("database_url", "database_app_url", "database_system_url", "cache_url", "broker_url"):
        url = getattr(settings, name)
        if url is not None and not _is_on_this_machine(url) and unquote(urlsplit(url).password or "") in _GUESSED:
            yield f"the password in DRAGOMAN_{name.upper()}"
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) and 0 < len(value.get_secret_value()) < _SHORTEST_SECRET:
            yield f"DRAGOMAN_{name.upper()}"


def _is_on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return not host or host == "localhost" or is_local(host) or host.startswith("%2f")


# ---- the network


async def _https(patient: doctor._Patient) -> Finding:
    settings = patient.settings
    public = settings.public_url or ""
    if public.startswith("http://") and not _is_on_this_machine(public):
        remedy = "Put a reverse proxy with a certificate before it, and give its https address."
        message = "DRAGOMAN_PUBLIC_URL is http: keys and questions pass in the open."
        return Finding(check="https", state=State.FAIL, message=message, remedy=remedy)
    if not is_local(settings.host) and not public.startswith("https://"):
        remedy = "Put a reverse proxy with a certificate before it, and set DRAGOMAN_PUBLIC_URL to its https address."
        message = f"It listens on {settings.host}, and no https address is set."
        return Finding(check="https", state=State.WARN, message=message, remedy=remedy)
    return _ok("https", public or "reached from this machine only")


async def _proxies(patient: doctor._Patient) -> Finding:
    settings = patient.settings
    networks = [ip_network(each, strict=False) for each in settings.trusted_proxies]
    wide = [str(each) for each in networks if each.prefixlen < _WIDEST_PROXIES[each.version]]
    if wide:
        message = f"{', '.join(wide)} holds strangers, who could claim any address."
        remedy = "Name the proxies in DRAGOMAN_TRUSTED_PROXIES, or the network that only they are in."
        return Finding(check="trusted proxies", state=State.FAIL, message=message, remedy=remedy)
    if settings.public_url and not networks and not _is_on_this_machine(settings.public_url):
        message = "No proxy is trusted, so all requests seem to come from the one that stands before it."
        remedy = "Set DRAGOMAN_TRUSTED_PROXIES to its address; limits and the audit need that of the client."
        return Finding(check="trusted proxies", state=State.WARN, message=message, remedy=remedy)
    return _ok("trusted proxies", ", ".join(settings.trusted_proxies) or "none, and none needed")


async def _cors(patient: doctor._Patient) -> Finding:
    origins = patient.settings.cors_origins
    if "*" in origins:
        message, remedy = "Every page of the web may call the API.", "Name your origins in DRAGOMAN_CORS_ORIGINS."
        return Finding(check="CORS", state=State.FAIL, message=message, remedy=remedy)
    plain = [each for each in origins if each.startswith("http://") and not _is_on_this_machine(each)]
    if plain:
        message = f"{', '.join(plain)}: whoever is on the way can change pages that are not https."
        return Finding(check="CORS", state=State.WARN, message=message, remedy="Serve them by https.")
    return _ok("CORS", ", ".join(origins) or "no page of another origin may call the API")


async def _pages(patient: doctor._Patient) -> Finding:
    settings = patient.settings
    is_reachable = not is_local(settings.host) or bool(settings.public_url)
    if settings.metrics_access == "open" and is_reachable:
        message = "Everybody may read /metrics, which tells how many and what kind of requests there are."
        remedy = "Set DRAGOMAN_METRICS_ACCESS to `private`, and DRAGOMAN_METRICS_TOKEN for those outside."
        return Finding(check="metrics and docs", state=State.FAIL, message=message, remedy=remedy)
    return _ok("metrics and docs", f"/metrics {settings.metrics_access}, /docs {settings.docs_access}")


async def _limits(patient: doctor._Patient) -> Finding:
    names = (
        "limit_messages_per_minute",
        "limit_searches_per_minute",
        "limit_documents_per_day",
        "limit_requests_per_minute_address",
    )
    off = [f"DRAGOMAN_{name.upper()}" for name in names if getattr(patient.settings, name) == 0]
    if off:
        message = f"Without limit: {', '.join(off)}."
        return Finding(check="limits", state=State.WARN, message=message, remedy="Set them to more than 0.")
    return _ok("limits", "askers and addresses are limited, and attempts to sign in are in any case")


async def _debugging(patient: doctor._Patient) -> Finding:
    if patient.settings.log_level == "DEBUG":
        message, remedy = "The log tells more than strangers should read.", "Set DRAGOMAN_LOG_LEVEL to INFO."
        return Finding(check="debugging", state=State.WARN, message=message, remedy=remedy)
    if os.environ.get("PYTHONASYNCIODEBUG") or sys.flags.dev_mode:
        return Finding(check="debugging", state=State.WARN, message="Python's debug mode is on.", remedy="Turn it off.")
    return _ok("debugging", "off")


def _is_public(settings: Settings) -> bool:
    """Whether others than those on this machine reach it."""
    public = settings.public_url
    return bool(settings.trusted_proxies or not is_local(settings.host) or (public and not _is_on_this_machine(public)))


async def _cookies(patient: doctor._Patient) -> Finding:
    settings = patient.settings
    if settings.url.startswith("https://"):
        return _ok("cookies", "sent over https only")
    remedy = "Set DRAGOMAN_PUBLIC_URL to the https address in people's browsers."
    if settings.trusted_proxies:
        message = "Behind a proxy, yet cookies are not `Secure`: no https address is set, so a plain connection gets them too."
        return Finding(check="cookies", state=State.FAIL, message=message, remedy=remedy)
    if _is_public(settings):
        message = "Cookies are not `Secure`: whoever is on the way can take over a sign-in."
        return Finding(check="cookies", state=State.WARN, message=message, remedy=remedy)
    return _ok("cookies", "stay on this machine")


async def _mailer(patient: doctor._Patient) -> Finding:
    settings = patient.settings
    if settings.mailer == "log" and _is_public(settings):
        message = "Mails are written to the log, with links by which whoever reads it sets passwords."
        remedy = "Set DRAGOMAN_MAILER=smtp and the mail server."
        return Finding(check="mailer", state=State.WARN, message=message, remedy=remedy)
    return _ok("mailer", settings.mailer)


async def _traces(patient: doctor._Patient) -> Finding:
    settings = patient.settings
    if settings.trace_text:
        message = "Traces hold what people ask and what they are answered, for all who read them."
        remedy = "Set DRAGOMAN_TRACE_TEXT to false, unless all of them may read conversations."
        return Finding(check="traces", state=State.WARN, message=message, remedy=remedy)
    return _ok("traces", "without text")


# ---- packages


async def _packages(_: doctor._Patient) -> Finding:
    """Known vulnerabilities of what is installed, where pip-audit is there and its service can be asked."""
    name = "known vulnerabilities"
    if importlib.util.find_spec("pip_audit") is None:
        message = "Not looked for: pip-audit is not installed here."
        return Finding(
            check=name, state=State.SKIP, message=message, remedy="`pip install pip-audit`, or `make check`."
        )
    command = (sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "10")
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, _said = await asyncio.wait_for(process.communicate(), _AUDIT_LIMIT_S)
        report = json.loads(output)["dependencies"]
    except (TimeoutError, ValueError, KeyError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        return Finding(check=name, state=State.SKIP, message="Not looked for: the advisory service cannot be asked.")
    asked = [package for package in report if "skip_reason" not in package]
    found = [f"{each['name']} {each['version']}: {flaw['id']}" for each in asked for flaw in each.get("vulns", ())]
    if found:
        remedy = "Upgrade Dragoman, or these packages."
        return Finding(check=name, state=State.FAIL, message=f"{'; '.join(found[:5])}.", remedy=remedy)
    if not asked:
        return Finding(check=name, state=State.SKIP, message="Not looked for: the advisory service knows no package.")
    return _ok(name, f"none in {len(asked)} packages")


_REVIEWS: Final[dict[str, _Review]] = {
    "files": _files,
    "secrets": _secrets,
    "https": _https,
    "trusted proxies": _proxies,
    "CORS": _cors,
    "metrics and docs": _pages,
    "limits": _limits,
    "debugging": _debugging,
    "cookies": _cookies,
    "mailer": _mailer,
    "traces": _traces,
    "database roles": doctor._if_database(doctor._roles, "database roles"),
    "row-level security": doctor._if_database(doctor._row_level_security, "row-level security"),
    "audit": doctor._if_database(doctor._append_only, "audit"),
    "audit anchors": doctor._if_database(tenant_review.anchors, "audit anchors"),
    "API keys": doctor._if_database(doctor._keys, "API keys"),
    "open sign-up": doctor._if_database(tenant_review.open_sign_up, "open sign-up"),
    "single sign-on": doctor._if_database(tenant_review.domains, "single sign-on"),
    "widget keys": doctor._if_database(tenant_review.widget_keys, "widget keys"),
    "known vulnerabilities": _packages,
}

"""A real `dragoman up` with the built web application, and Debian's Chromium looking at it.

What each test sees: no page may break the Content-Security-Policy, throw an error that nobody caught, or ask another host.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from benchmarks.instance import Instance, running

from dragoman.entrypoints.web import FOLDER

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PASSWORD = "seven blue quokkas sing"
_WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

_CONFIGS = Path(__file__).parents[2] / "configs"
_MODELS = """
models:
  - name: paid
    adapter: scripted
    model: paid-model
    settings: { replies: ["Gold partners receive 12 percent [1]."] }
    price: { input: 1000, output: 1000 }
    quality: 3
routing: {}
prices: []
"""


def _missing() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "needs the package playwright"
    if CHROMIUM is None:
        return "needs Debian's package chromium"
    return None if (FOLDER / "index.html").is_file() else "needs the built web application: make web"


@pytest.fixture(scope="session")
def dragoman() -> Iterator[Instance]:
    """A running instance with an owner and no documents. Tests make what they need: a chatbot, documents, people."""
    if reason := _missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as folder:
        variables = {
            "DRAGOMAN_LIMIT_REQUESTS_PER_MINUTE_ADDRESS": "0",
            "DRAGOMAN_SIGN_IN_ATTEMPTS": "10000",  # each window signs in anew, from the same address
            "DRAGOMAN_SIGN_IN_ATTEMPTS_PER_ADDRESS": "10000",
            "DRAGOMAN_PRIVATE_NETWORKS": "127.0.0.0/8",  # where tests have web sites fetched from
        }
        with running(Path(folder) / "home", "--no-sample", **variables) as instance:
            yield instance


@pytest.fixture(scope="session")
def paying() -> Iterator[Instance]:
    """An instance of its own, with a language model that costs money. Files of tests take it as their `dragoman`."""
    if reason := _missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as folder:
        configs = Path(folder) / "configs"
        shutil.copytree(_CONFIGS, configs)
        (configs / "models.yaml").write_text(_MODELS)
        limits = {"DRAGOMAN_LIMIT_REQUESTS_PER_MINUTE_ADDRESS": "0", "DRAGOMAN_CONFIG_DIRECTORY": str(configs)}
        limits |= {"DRAGOMAN_ALERT_INTERVAL_S": "5"}
        limits |= {"DRAGOMAN_SIGN_IN_ATTEMPTS": "10000", "DRAGOMAN_SIGN_IN_ATTEMPTS_PER_ADDRESS": "10000"}
        with running(Path(folder) / "home", "--no-sample", **limits) as instance:
            yield instance


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, for one file of tests: its event loop must be gone before tests of other files start theirs."""
    if reason := _missing():
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Desk:
    """Opens pages as somebody, and gathers what went wrong in them."""

    dragoman: Instance
    browser: Browser
    wrong: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    """Besides Dragoman's own, those that a test leads its browser to."""

    def open(self, role: str | None = "owner", path: str = "/account", **options: Any) -> Page:
        """A page of a new browser window; `role` None: nobody is signed in. `options` are those of `new_context`."""
        context = self.browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("request", self._asked)
        if role is not None:
            self._sign_in(context, role)
        page.goto(self.dragoman.url + path)
        return page

    def _heard(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:  # refusals are tested on purpose
            self.wrong.append(message.text)

    def _asked(self, request: Any) -> None:
        parts, ours = urlsplit(request.url), urlsplit(self.dragoman.url).netloc
        if parts.scheme not in ("http", "https") or parts.netloc in {ours, *self.hosts}:
            return
        if not self.hosts or urlsplit(request.frame.url).netloc not in self.hosts:  # whose pages ask whom they like
            self.wrong.append(f"asked another host: {request.url}")

    def _sign_in(self, context: BrowserContext, role: str) -> None:
        url = self.dragoman.url
        email = f"{role}@example.com"
        with self.dragoman.http() as http:
            made = http.post("/api/users/invitations/", json={"email": email, "role": role})
        headers = {"Origin": url}
        if made.status_code == 201:
            token = made.json()["url"].partition("token=")[2]
            proof = {"token": token, "password": PASSWORD, "display_name": role.title(), "cookie": True}
            answer = context.request.post(f"{url}/api/auth/set-password/", data=proof, headers=headers)
        else:
            proof = {"email": email, "password": PASSWORD, "cookie": True}
            answer = context.request.post(f"{url}/api/auth/sign-in/", data=proof, headers=headers)
        assert answer.ok, answer.text()


@pytest.fixture
def desk(dragoman: Instance, chromium: Browser) -> Iterator[Desk]:
    desk = Desk(dragoman, chromium)
    yield desk
    for context in desk.contexts:
        context.close()
    assert desk.wrong == []


@pytest.fixture
def open_page(desk: Desk) -> Callable[..., Page]:
    """`open_page("member", "/chat")`: a page in a window of its own, signed in as somebody with this role."""
    return desk.open


@pytest.fixture
def page(desk: Desk) -> Page:
    """A page, signed in as an owner."""
    return desk.open()


@pytest.fixture
def http(dragoman: Instance) -> Iterator[httpx.Client]:
    """The API with the owner's key, to make what a test needs and to look at what it did."""
    with dragoman.http() as client:
        yield client


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """The violations that axe-core finds on a page as it is now, each with the elements that have it."""
    if not AXE.is_file():
        pytest.skip("needs axe-core: make web")

    def look(page: Page) -> list[str]:
        page.evaluate(AXE.read_text())  # through the debugger: the policy lets no page do so
        found = page.evaluate("tags => axe.run(document, { runOnly: tags })", _WCAG)
        return [
            f"{violation['id']} ({violation['help']}): {node['target']} {node.get('failureSummary', '')}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    return look

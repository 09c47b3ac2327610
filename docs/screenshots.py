"""Takes the screenshots of the documentation: `make web && .venv/bin/python docs/screenshots.py`.

Starts a Dragoman of its own with the sample knowledge, asks it questions as people would, and looks at each page with Debian's
Chromium: light, dark and Arabic. Needs the packages `playwright` and Debian's `chromium` and fonts (`fonts-inter`,
`fonts-noto-cjk`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.instance import Instance, running

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

IMAGES = Path(__file__).resolve().parent / "images" / "web"
PAGES = {
    "chat": "/chat",
    "documents": "/documents",
    "search-lab": "/search?q=How+long+is+the+warranty+of+a+switch%3F",
    "insights": "/insights",
    "admin": "/admin",
    "account": "/account",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "locale": "en-GB"},
    "dark": {"color_scheme": "dark", "locale": "en-GB"},
    "arabic": {"color_scheme": "light", "locale": "ar"},
}
_PASSWORD = "seven blue quokkas sing"
_ANSWERED = (
    ("Within how many days of the invoice can partners return unopened stock?", "up"),
    ("Wie lange gilt die Garantie auf Switches?", "up"),
    ("¿Cuánto dura la garantía de los conmutadores?", "up"),
    ("How do I become a gold partner?", "down"),
    ("スイッチの保証期間はどれくらいですか？", "up"),
    ("Who won the football match yesterday?", None),
    ("How are market development funds claimed?", "up"),
    ("What is the price of a licence for 500 users?", "down"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=IMAGES, help="folder for the pictures")
    given = parser.parse_args(arguments)
    given.into.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- of the developers' tools

    with tempfile.TemporaryDirectory(prefix="dragoman-shots-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        with running(Path(name) / "home") as instance:
            session_id = _use(instance)
            entrance = browser.new_context(viewport={"width": 1280, "height": 800}, **LOOKS["light"])
            _take(entrance, instance, "/sign-in", given.into / "sign-in-light.png")
            for look, options in LOOKS.items():
                context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
                _sign_in(context, instance)
                for page_name, path in PAGES.items():
                    target = f"/chat/{session_id}" if page_name == "chat" else path
                    _take(context, instance, target, given.into / f"{page_name}-{look}.png")
            phone = browser.new_context(viewport={"width": 390, "height": 844}, **LOOKS["dark"])
            _sign_in(phone, instance)
            _take(phone, instance, f"/chat/{session_id}", given.into / "chat-phone.png")


def _use(instance: Instance) -> str:
    """Ask, and rate, so that the pages have something to show; the conversation to look at."""
    with instance.http() as http:
        invited = http.post("/api/users/invitations/", json={"email": "ada@example.com", "role": "owner"}).json()
        token = invited["url"].partition("token=")[2]
        proof = {"token": token, "password": _PASSWORD, "display_name": "Ada Lovelace"}
        access = http.post("/api/auth/set-password/", json=proof).json()["access_token"]
    with httpx.Client(base_url=instance.url, headers={"Authorization": f"Bearer {access}"}, timeout=60) as ada:
        for question, rating in reversed(_ANSWERED):
            session = ada.post("/api/chatbot/sessions/", json={"chatbot_id": instance.chatbot_id}).json()
            answer = ada.post(f"/api/chatbot/sessions/{session['id']}/messages/", json={"message": question})
            answer.raise_for_status()
            if rating is not None:
                ada.post(f"/api/chatbot/messages/{answer.json()['id']}/feedback/", json={"rating": rating})
        return str(session["id"])


def _sign_in(context: BrowserContext, instance: Instance) -> None:
    proof = {"email": "ada@example.com", "password": _PASSWORD, "cookie": True}
    context.request.post(f"{instance.url}/api/auth/sign-in/", data=proof, headers={"Origin": instance.url})


def _take(context: BrowserContext, instance: Instance, path: str, file: Path) -> None:
    page: Page = context.new_page()
    page.goto(instance.url + path)
    page.locator("h1, h2").first.wait_for()
    page.wait_for_timeout(1500)  # some pages keep a stream open, so that the network is never idle; charts move in
    if path.startswith("/chat/") and page.viewport_size and page.viewport_size["width"] > 1000:
        page.locator("main button", has_text="1").first.click()  # the first citation
        page.wait_for_timeout(1500)
    page.screenshot(path=file)
    page.close()
    Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        file, optimize=True
    )  # a third of the size
    print(file.name)


if __name__ == "__main__":
    main()

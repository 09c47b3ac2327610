"""A web site of somebody else: on another port, with a strict policy, and with styles that reach for everything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

STYLES = """
* { color: red !important; background: yellow !important; font: 30px/3 serif !important; border: 5px solid lime !important;
  margin: 11px !important; padding: 9px !important; direction: rtl !important; text-transform: uppercase !important;
  letter-spacing: 5px !important; transform: rotate(2deg) !important; opacity: .5 !important; position: static !important;
  float: left !important; box-sizing: content-box !important; z-index: 0 !important; width: 300px !important;
  height: 40px !important; overflow: hidden !important; pointer-events: none !important; filter: blur(1px) !important;
  display: inline !important; cursor: wait !important; visibility: visible !important; }
:root { --surface: red !important; --text: red !important; --fill: red !important; --ink: red !important; }
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """`url(...)`: a page that includes the widget, its tag with these data attributes."""

    origin: str

    def url(self, key: str, *, path: str = "/", **options: str) -> str:
        """Options beside the tag's: `lang` of the page, and `styles="none"`, `policy="none"`."""
        query = "&".join(f"{name}={value.replace('#', '%23')}" for name, value in {"key": key, **options}.items())
        return f"{self.origin}{path}?{query}"


@contextmanager
def site_of(dragoman: str) -> Iterator[Site]:
    """Served until the block ends. Its policy allows what the documentation says that the widget needs, and no more."""
    policy = f"default-src 'none'; style-src 'self'; script-src {dragoman}; connect-src {dragoman}"
    policy += "; require-trusted-types-for 'script'"

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            options = dict(parse_qsl(parts.query, keep_blank_values=True))
            is_style = parts.path == "/style.css"
            content = STYLES if is_style else _page(dragoman, options)
            self.send_response(200)
            self.send_header("Content-Type", "text/css" if is_style else "text/html; charset=utf-8")
            if options.get("policy") != "none":
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Site(origin=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _page(dragoman: str, options: dict[str, str]) -> str:
    own = ("lang", "styles", "policy")
    data = " ".join(f'data-{name}="{escape(value)}"' for name, value in options.items() if name not in own)
    tag = f'<script src="{dragoman}/widget.js" {data} async></script>'
    style = "" if options.get("styles") == "none" else '<link rel="stylesheet" href="/style.css">'
    return (
        f'<!doctype html><html lang="{escape(options.get("lang", "en"))}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Lamps</title>{style}{tag}{tag}</head>'
        "<body><main><h1>Lamps</h1><p>Lamps and projectors.</p><button>Buy</button></main></body></html>"
    )

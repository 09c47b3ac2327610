"""Markdown of machines: what a renderer makes of it, and that streaming it in any pieces changes nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dragoman.kit.text.safe_markdown import KnownAddresses, SafeMarkdown, sanitise

KNOWN = KnownAddresses(lambda: ["See https://known.org/a?b=1 and www.other.org."], ["allowed.example"])
_RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")
_HARMLESS = frozenset(
    {"p", "code", "pre", "em", "strong", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "hr", "br"}
    | {"table", "thead", "tbody", "tr", "td", "th", "a"}
)


class _Dangers(HTMLParser):
    """What a browser would run, fetch or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag in ("code", "pre", "a")
        for name, value in attrs:
            is_known = (
                tag == "a"
                and name == "href"
                and re.match(r"https?://(?:www\.|sub\.)?(?:known\.org|allowed\.example|other\.org)(?:/|$)", value or "")
            )
            if not is_known and (tag, name) not in (
                ("code", "class"),
                ("ol", "start"),
                ("td", "style"),
                ("th", "style"),
            ):
                self.found.append(f"{tag} {name}={value}")
        if tag not in _HARMLESS:
            self.found.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in ("code", "pre", "a")

    def handle_data(self, data: str) -> None:
        if not self._code:
            bare = re.findall(r"(?<![\w/.@-])(?:https?://|ftp://|www\.)\S{2,}", data, re.IGNORECASE)
            self.found += [address for address in bare if not re.search(r"known\.org|allowed|other", address)]


def dangers(markdown: str) -> list[str]:
    parser = _Dangers()
    parser.feed(_RENDERER.render(markdown))
    parser.close()
    return parser.found


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Plain text, 3 < 4 and a <- b.", "Plain text, 3 < 4 and a <- b."),
        ("A <script>alert(1)</script> tag", "A &lt;script>alert(1)&lt;/script> tag"),
        ("![secret](https://evil.org/?q=1) here", "secret here"),
        ("[Click](https://evil.org/a)", "Click"),
        ("[Click](javascript:alert(1))", "Click"),
        ("[Click](&#106;avascript:alert(1))", "Click"),
        ("[Click](data:text/html;base64,AAAA)", "Click"),
        ("[Docs](https://known.org/b)", "[Docs](https://known.org/b)"),
        ("[Docs](https://known.org/a?b=1)", "[Docs](https://known.org/a?b=1)"),
        ("[Docs](https://known.org/a?b=secret)", "Docs"),
        ("[Docs](https://known.org@evil.org/)", "Docs"),
        ("[Docs](https://sub.allowed.example/x?y=1)", "[Docs](https://sub.allowed.example/x?y=1)"),
        ("[Docs](https://notallowed.example/)", "Docs"),
        ("See https://evil.org/x.", "See hxxps://evil.org/x."),
        ("See www.evil.org.", "See hxxp://www.evil.org."),
        ("See https://known.org/b.", "See https://known.org/b."),
        ("[x]: https://evil.org", "[x] : hxxps://evil.org"),
        ("Costs 5 EUR [1], see [2, 3].", "Costs 5 EUR [1], see [2, 3]."),
        ("Write `<a href>` in code", "Write `<a href>` in code"),
        ("```html\n<b>x</b>\n```\n<b>", "```html\n<b>x</b>\n```\n&lt;b>"),
        ("~~~\n```\n~~~\n<b>", "~~~\n```\n~~~\n&lt;b>"),
        ("| `a | <img src=x> | ` |", "| `a | &lt;img src=x> | ` |"),
        ("`stray\n`<img src=x>`", "`stray\n`&lt;img src=x>`"),
    ],
)
def test_what_is_shown_of_what_was_written(written: str, shown: str) -> None:
    assert sanitise(written, KNOWN) == shown
    assert dangers(shown) == []


@pytest.mark.parametrize(
    "written",
    [
        "![s](https://evil.org/?q=1) and [Docs](https://known.org/b), `<b>` <b> https://evil.org/x. [1] www.evil.org\n",
        "```\n<b>\n```\n\n[x]: https://evil.org\n<script>",
    ],
)
def test_a_stream_split_anywhere_says_the_same(written: str) -> None:
    whole = sanitise(written, KNOWN)
    for first in range(len(written) + 1):
        for second in range(first, len(written) + 1):
            safe = SafeMarkdown(KNOWN)
            said = safe.feed(written[:first]) + safe.feed(written[first:second]) + safe.feed(written[second:])
            assert said + safe.finish() == whole


@pytest.mark.parametrize(
    "written",
    [
        "1. Do\n   ```sh\n   curl <host>\n   ```\n2. So\n   ```\n   <b>\n\n   <i>\n   ```\n",
        "Text\n\n- a\n\n  - b\n    ~~~\n    <b>\n    ~~~\n  ```\n  <b>\n  ```\nEnd",
    ],
)
def test_code_in_the_items_of_lists_is_left_as_it_is(written: str) -> None:
    assert sanitise(written, KNOWN) == written
    safe = SafeMarkdown(KNOWN)
    assert "".join(map(safe.feed, written)) + safe.finish() == written


@pytest.mark.parametrize(
    "written",
    [
        "- a\n  ```\n  <b>\n<script>",
        "- a\nlazy\n  ```\n  x\n<script>",
        "text\n14. a\n    ```\n<script>",
        "- ```\n  ```\n  <script>",
        "- a\n  ```\n\u00a0\n<script>\n",
        " ```\na\n```\n<script>",
        "- - a\n     ```\n   <script>",
        "- a\n  ```\n\tx\n  ```\n  <script>\n",
    ],
)
def test_what_only_looks_like_code_in_an_item_is_made_safe(written: str) -> None:
    assert "<script>" not in sanitise(written, KNOWN)


def test_ordinary_words_are_not_held_back() -> None:
    safe = SafeMarkdown(KNOWN)
    for piece in ("Gold ", "partners ", "get ", "17 ", "percent ", "off."):
        assert safe.feed(piece) == piece


def test_what_was_removed_is_counted() -> None:
    safe = SafeMarkdown(KNOWN)
    safe.feed("![a](https://evil.org/) <b> [x](https://evil.org/) \n")
    assert dict(safe.removed) == {"image": 1, "html": 1, "link": 1}


_NASTY = st.lists(
    st.sampled_from(
        [
            "`",
            "``",
            "```",
            "~~~",
            "\n",
            "\n\n",
            " ",
            "    ",
            "\r",
            "> ",
            "- ",
            "1. ",
            "# ",
            "- a\n",
            "1. a\n",
            "  ```sh\n",
            "   ```\n",
            "  ",
            "   <b>\n",
            "\u00a0\n",
            "\t",
            "*",
            "|",
            "| a | b |\n| --- | --- |\n",
            "[",
            "](",
            ")",
            "]",
            "![",
            "[x]: ",
            "[a][b]",
            "\\",
            "<",
            ">",
            "!",
            "(",
            "a",
            "<!--",
            "<script>",
            "`a",
            "`<b>`",
            "<img src=x onerror=alert(1)>",
            "https://evil.com/",
            "https://known.org/",
            "https://known.org/?x=evil",
            "HTTPS://EVIL.COM",
            "javascript:alert(1)",
            "&#106;avascript:x",
            "data:text/html,x",
            "www.evil.com",
            "ftp://evil.com",
            "<https://evil.com>",
        ]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(_NASTY, st.integers(min_value=1, max_value=7))
def test_nothing_dangerous_is_left_however_it_is_put_together(written: str, length: int) -> None:
    whole = sanitise(written, KNOWN)
    assert dangers(whole) == []
    safe = SafeMarkdown(KNOWN)
    pieces = [written[at : at + length] for at in range(0, len(written), length)]
    assert "".join(map(safe.feed, pieces)) + safe.finish() == whole

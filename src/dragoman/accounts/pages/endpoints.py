"""`/set-password`: a plain form, without scripts, for links of invitations and resets. To open it uses nothing up."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse

from dragoman.accounts import links
from dragoman.accounts.http import PartsDep, require_own_page, set_device_cookie, set_sign_in_cookies
from dragoman.accounts.password_rules import MAX_CHARACTERS, MIN_CHARACTERS
from dragoman.kit.errors import DragomanError

router = APIRouter()

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a2230; --soft: #5b6678; --page: #f3f5f8; --card: #fff; --line: #8a94a3;
  --deed: #1f5fbf; --on-deed: #fff; --wrong: #a3181f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #a7b1c0; --page: #12161d; --card: #1b212b;
  --line: #6f7a8a; --deed: #8db8f5; --on-deed: #0d1420; --wrong: #ff9a9a; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card); border-radius: 0.75rem;
  box-shadow: 0 1px 3px #0003; }
h1 { margin: 0 0 1.25rem; font-size: 1.4rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
label { font-weight: 600; }
input { width: 100%; margin-top: 0.25rem; padding: 0.6rem 0.7rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: 0.4rem; }
button { width: 100%; padding: 0.7rem; font: inherit; font-weight: 600; color: var(--on-deed); background: var(--deed);
  border: 0; border-radius: 0.4rem; cursor: pointer; }
:focus-visible { outline: 3px solid var(--deed); outline-offset: 2px; }
.hint { color: var(--soft); font-size: 0.9rem; }
[role="alert"] { color: var(--wrong); font-weight: 600; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # no other site learns the link; our own form still proves where it comes from
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
}


@router.get("/set-password", response_class=HTMLResponse, include_in_schema=False)
async def show_form(token: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """The form, whatever the token: whether it is good is told when it is used."""
    return _page(_form(token))


@router.post("/set-password", response_class=HTMLResponse, include_in_schema=False)
async def use_form(
    parts: PartsDep,
    request: Request,
    token: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=4 * MAX_CHARACTERS)],
    again: Annotated[str, Form(max_length=4 * MAX_CHARACTERS)],
) -> HTMLResponse:
    """Set the password and sign in by cookies; what is wrong is told above the form."""
    require_own_page(request)
    if password != again:  # architecture: the same person typed both just now
        return _page(_form(token, "You typed two different passwords."), status=422)
    try:
        signed_in = await links.set_password(parts, token=token, password=password, is_cookie=True)
    except DragomanError as error:
        if error.status >= 500:
            raise
        return _page(_form(token, error.message), status=error.status)
    response = _page("<p>Your password is set, and you are signed in.</p>")
    set_sign_in_cookies(request, response, signed_in)
    set_device_cookie(request, response, signed_in.device)
    return response


def _form(token: str, problem: str = "") -> str:
    told = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    field = f'type="password" required minlength="{MIN_CHARACTERS}" maxlength="{MAX_CHARACTERS}" autocomplete="new-password"'
    return (
        f'{told}<form method="post" action="/set-password">'
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        f'<p><label>New password<br><input name="password" {field}></label></p>'
        f'<p><label>Once more<br><input name="again" {field}></label></p>'
        f'<p class="hint">At least {MIN_CHARACTERS} characters. Several words that do not belong together are best.</p>'
        f"<p><button>Set password</button></p></form>"
    )


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    content = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Dragoman: set your password</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>"
        f"<body><main><h1>Set your password</h1>{body}</main></body></html>"
    )
    return HTMLResponse(content, status_code=status, headers=_HEADERS)

"""The two requests of OpenID Connect's code flow with PKCE, and the checks of what comes back.

Discovery (OpenID Connect Discovery 1.0) tells the provider's addresses. The ID token counts only if a key of the provider
signed it with an algorithm of public keys, issuer, audience, nonce and times fit (OpenID Connect Core 1.0, 3.1.3.7). All
requests go through the guard against private networks (`kit.fetch`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from dragoman.accounts.errors import ProviderError, SingleSignOnRefusedError
from dragoman.accounts.single_sign_on.entities import Identity
from dragoman.kit.errors import InvalidRequestError
from dragoman.kit.fetch import FetchPolicy, guarded_client

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Of public keys only: `none` and those with a shared secret are never among them (RFC 8725, 3.1)."""

_SCOPES: Final = "openid email profile"
_TIMEOUT_S: Final = 10.0
_LEEWAY_S: Final = 60
_REMEMBERED_S: Final = 600.0
_MAX_BYTES: Final = 512 * 1024
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What we are to the provider. `secret` is None for a public client."""

    issuer: str
    client_id: str
    secret: str | None
    redirect_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What one sign-in is bound to, known to the browser that began it alone."""

    state: str
    nonce: str
    verifier: str


def require_issuer(issuer: str) -> str:
    """Raises InvalidRequestError: it is no https address (http only on this machine)."""
    parts = urlsplit(issuer)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS)
    if not is_safe or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise InvalidRequestError("The issuer is an address that begins with https://, without `?` and `#`.")
    return issuer


async def authorization_url(policy: FetchPolicy, client: Client, challenge: Challenge) -> str:
    """Where the browser goes to sign in. Raises ProviderError, FetchError."""
    found = await _discovered(policy, client.issuer)
    url: str = prepare_grant_uri(
        found["authorization_endpoint"],
        client.client_id,
        "code",
        redirect_uri=client.redirect_url,
        scope=_SCOPES,
        state=challenge.state,
        nonce=challenge.nonce,
        code_challenge=create_s256_code_challenge(challenge.verifier),
        code_challenge_method="S256",
    )
    return url


async def identify(policy: FetchPolicy, client: Client, challenge: Challenge, code: str) -> Identity:
    """Who has signed in, for the code that the provider gave the browser.

    Raises:
        SingleSignOnRefusedError: the provider refuses the code, or what it says cannot be trusted.
        ProviderError, FetchError: it does not answer as it should.
    """
    found = await _discovered(policy, client.issuer)
    async with _http(policy) as http:
        tokens = await _exchanged(http, client, found["token_endpoint"], code, challenge.verifier)
        claims = await _verified(policy, client, found, tokens.id_token, nonce=challenge.nonce)
        if "email" not in claims and isinstance(found.get("userinfo_endpoint"), str):
            claims = {**await _user_info(http, found["userinfo_endpoint"], tokens, claims["sub"]), **claims}
    return _identity(client.issuer, claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    id_token: str
    access_token: str


async def _exchanged(http: httpx.AsyncClient, client: Client, url: str, code: str, verifier: str) -> _Tokens:
    """The tokens for a code (RFC 6749, 4.1.3; RFC 7636, 4.5). Raises SingleSignOnRefusedError, ProviderError, FetchError."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_url,
        "code_verifier": verifier,
    }
    credentials: httpx.Auth = httpx.Auth()  # sends nothing
    if client.secret is None:
        form["client_id"] = client.client_id
    else:  # each is encoded as in a form (RFC 6749, 2.3.1)
        credentials = httpx.BasicAuth(quote_plus(client.client_id), quote_plus(client.secret))
    try:
        answer = await http.post(url, data=form, auth=credentials, headers={"Accept": "application/json"})
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ProviderError from error
    if answer.status_code >= 500 or not isinstance(told, dict):
        raise ProviderError
    if answer.status_code != 200:
        raise SingleSignOnRefusedError("The identity provider refused the code. Begin again.")
    id_token, access_token = told.get("id_token"), told.get("access_token")
    if not isinstance(id_token, str) or not isinstance(access_token, str):
        raise SingleSignOnRefusedError("The identity provider gave no ID token. Ask it for the scope `openid`.")
    return _Tokens(id_token=id_token, access_token=access_token)


def _identity(issuer: str, claims: Mapping[str, Any]) -> Identity:
    email, name = claims.get("email"), claims.get("name")
    vouched = claims.get("email_verified") in (True, "true")  # some providers write it as a text
    return Identity(
        issuer=issuer,
        subject=str(claims["sub"]),
        email=email if isinstance(email, str) and vouched else None,
        name=name[:200] if isinstance(name, str) else "",
    )


# ---- the ID token

_UNREADABLE = (JoseError, ValueError, TypeError)  # TypeError: a header or claim of another kind than its name says


async def _verified(
    policy: FetchPolicy, client: Client, found: Mapping[str, Any], token: str, *, nonce: str
) -> dict[str, Any]:
    """Raises SingleSignOnRefusedError, ProviderError, FetchError."""
    try:
        decoded = jwt.decode(token, await _keys(policy, found, fresh=False), algorithms=list(ALGORITHMS))
    except _UNREADABLE:  # it may be signed by a key that is new
        try:
            decoded = jwt.decode(token, await _keys(policy, found, fresh=True), algorithms=list(ALGORITHMS))
        except _UNREADABLE as error:
            raise SingleSignOnRefusedError("The ID token is not signed by the identity provider.") from error
    claims = dict(decoded.claims)
    registry = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY_S,
        iss={"essential": True, "value": client.issuer},
        aud={"essential": True, "value": client.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
    )
    try:
        registry.validate(claims)
    except _UNREADABLE as error:
        claim = getattr(error, "claim", None) or "claims"
        raise SingleSignOnRefusedError(f"The ID token is not for this sign-in: its {claim!r} does not fit.") from error
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client.client_id:
        raise SingleSignOnRefusedError("The ID token is not for this sign-in: it was given to another client.")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise SingleSignOnRefusedError("The ID token names nobody.")
    return claims


async def _user_info(http: httpx.AsyncClient, url: str, tokens: _Tokens, subject: str) -> dict[str, Any]:
    """What the provider tells beside the ID token, if it is of the same person (OpenID Connect Core 1.0, 5.3.2)."""
    try:
        told = (await http.get(url, headers={"Authorization": f"Bearer {tokens.access_token}"})).json()
    except (httpx.HTTPError, ValueError) as error:
        raise ProviderError from error
    return told if isinstance(told, dict) and told.get("sub") == subject else {}


# ---- what the provider publishes

_documents: dict[str, tuple[float, dict[str, Any]]] = {}


async def _discovered(policy: FetchPolicy, issuer: str) -> Mapping[str, Any]:
    """Raises ProviderError, FetchError."""
    found = await _document(policy, f"{issuer.rstrip('/')}/.well-known/openid-configuration", fresh=False)
    if found.get("issuer") != issuer:
        raise ProviderError(f"The identity provider calls itself {found.get('issuer')!r}, not {issuer!r}.")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        try:
            require_issuer(str(found.get(name, "")).partition("?")[0])
        except InvalidRequestError as error:
            raise ProviderError(f"The identity provider names no usable {name!r}.") from error
    return found


async def _keys(policy: FetchPolicy, found: Mapping[str, Any], *, fresh: bool) -> KeySet:
    """Raises ProviderError, FetchError."""
    document = await _document(policy, found["jwks_uri"], fresh=fresh)
    try:
        return KeySet.import_key_set(document)  # type: ignore[arg-type]  # its form is checked here
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ProviderError("The keys of the identity provider cannot be read.") from error


async def _document(policy: FetchPolicy, url: str, *, fresh: bool) -> dict[str, Any]:
    """A JSON object of the provider, remembered for ten minutes."""
    known = _documents.get(url)
    if known is not None and not fresh and time.monotonic() - known[0] < _REMEMBERED_S:
        return known[1]
    try:
        async with _http(policy) as http, http.stream("GET", url) as response:
            if response.status_code != 200:
                raise ProviderError(f"The identity provider answers {url} with the status {response.status_code}.")
            content = b""
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > _MAX_BYTES:
                    raise ProviderError("The identity provider publishes more than can be read.")
        document = httpx.Response(200, content=content).json()
    except (httpx.HTTPError, ValueError) as error:
        raise ProviderError from error
    if not isinstance(document, dict):
        raise ProviderError
    _documents[url] = (time.monotonic(), document)
    return document


def _http(policy: FetchPolicy) -> httpx.AsyncClient:
    return guarded_client(policy, timeout_s=_TIMEOUT_S)

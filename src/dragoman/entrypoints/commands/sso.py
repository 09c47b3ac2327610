"""`dragoman sso`: the identity provider with which users of the tenant sign in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.key import KeyRole
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, print_pairs

if TYPE_CHECKING:
    from dragoman.client import Dragoman
    from dragoman.client.models import IdentityProvider

app = typer.Typer(help="Let the users of your tenant sign in with an identity provider (OpenID Connect).")


@app.command("show")
def show_provider(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """Show the identity provider; never its secret."""

    async def body(client: Dragoman) -> IdentityProvider:
        return await client.single_sign_on.get()

    _print(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)
    return ExitCode.OK


@app.command("set")
def set_provider(
    issuer: Annotated[str, typer.Argument(metavar="ISSUER", help="Its https address, exactly as its tokens name it.")],
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID", help="What the provider calls this installation.")],
    secret_stdin: Annotated[
        bool,
        typer.Option(
            "--secret-stdin", help="Read the client's secret from standard input; without, the present stays."
        ),
    ] = False,
    name: Annotated[str, typer.Option(help="What people read on the button.")] = "Single sign-on",
    create_users: Annotated[
        bool, typer.Option("--create-users", help="Whoever the provider knows becomes a user.")
    ] = False,
    default_role: Annotated[
        KeyRole, typer.Option(help="Role of those who become users so; at most your own.")
    ] = KeyRole.MEMBER,
    allow_domain: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-domain", metavar="DOMAIN", help="Only addresses of this domain become users; repeatable."
        ),
    ] = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Set the identity provider, in place of the one before. What is not given gets its usual value."""
    secret = sys.stdin.readline().rstrip("\r\n") or None if secret_stdin else None

    async def body(client: Dragoman) -> IdentityProvider:
        return await client.single_sign_on.set(
            issuer=issuer,
            client_id=client_id,
            client_secret=secret,
            name=name,
            creates_users=create_users,
            default_role=default_role.value,
            allowed_domains=allow_domain or (),
        )

    provider = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    _print(provider, as_json=as_json)
    if not as_json and provider.creates_users and not provider.allowed_domains:
        warning = (
            "Whoever this provider knows becomes a user: name your domains by --allow-domain, unless it is yours alone."
        )
        err().print(warning, style="yellow")
    return ExitCode.OK


@app.command("remove")
def remove_provider(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """Remove the identity provider: users sign in with their passwords."""

    async def body(client: Dragoman) -> None:
        await client.single_sign_on.remove()

    connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"removed": True})
    else:
        print_line("Users sign in with their passwords.")
    return ExitCode.OK


def _print(provider: IdentityProvider, *, as_json: bool) -> None:
    if as_json:
        print_json(provider.model_dump(mode="json"))
        return
    of = f" of {', '.join(provider.allowed_domains)}" if provider.allowed_domains else ""
    new = f"become users{of}, as {provider.default_role}" if provider.creates_users else "are not let in"
    print_pairs(
        [
            ("Name", provider.name),
            ("Issuer", provider.issuer),
            ("Client", provider.client_id),
            ("Secret", "stored" if provider.has_client_secret else "none"),
            ("Strangers", new),
            ("Redirect", provider.redirect_url),
            ("Start", provider.start_url),
        ]
    )

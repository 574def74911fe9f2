"""`packeton packagist:user:manager`: the reference's command, with its options, for the scripts that call it."""

import secrets
import sys
from typing import Any

import click

from packeton.assembly.accounts import Accounts, web_tokens_of
from packeton.assembly.pages import directories_of
from packeton.cli.accounts import print_table, with_accounts
from packeton.cli.console import ConsoleCommand
from packeton.cli.options import read_settings, settings_options
from packeton.config.settings import Settings
from packeton.core.access.accounts import Account, User
from packeton.errors import Invalid
from packeton.features.access.chain import UserChain
from packeton.features.access.people import fallback_email
from packeton.features.access.web_tokens import JwtAuthenticator

__all__ = ["user_manager"]

PASSWORD_BYTES = 15
CHANGES = (
    "email", "password", "enabled", "admin", "add_role", "remove_role", "delete", "show_token", "regenerate_token",
    "only_if_not_exists",
)  # fmt: skip
"""Options that ask for something; without any of them a new user is only made after a question."""


@click.command(name="packagist:user:manager", cls=ConsoleCommand)
@settings_options
@click.argument("username", required=False)
@click.option("--email")
@click.option("--password")
@click.option("--enabled", type=click.Choice(["0", "1"]))
@click.option("--admin", is_flag=True)
@click.option("--add-role", multiple=True)
@click.option("--remove-role", multiple=True)
@click.option("--delete", is_flag=True)
@click.option("--show-token", is_flag=True)
@click.option("--token-format", type=click.Choice(["api", "jwt"]), default="api")
@click.option("--regenerate-token", is_flag=True)
@click.option("--only-if-not-exists", is_flag=True)
def user_manager(paths: tuple[str, ...], data: str | None, username: str | None, **options: Any) -> None:
    """List users; with USERNAME (or an address), create, change or delete one.

    As in the reference, but tokens are kept as digests: --show-token shows web tokens only, an API token is shown when
    it is made (--regenerate-token).
    """
    settings = read_settings(paths, data).settings
    if username is None:
        users = with_accounts(paths, data, _all)
        rows = ((one.id, one.name, one.email, one.enabled, one.roles) for one in users)
        print_table(("ID", "Username", "Email", "Enabled", "Roles"), rows)
        return

    async def work(accounts: Accounts) -> list[str]:
        account = await accounts.users.find(username)
        web_tokens = web_tokens_of(settings, accounts.users, accounts.now)
        if account is not None:
            return await _change(accounts, account, options, web_tokens)
        if options["show_token"] or sys.stdin.isatty():
            external = await _external(settings, accounts, username)
            if external is not None and options["show_token"]:
                return [_shown_token(external, options["token_format"], web_tokens)]
            if external is not None and not click.confirm(f"LDAP knows {username}. Make a user of our own?"):
                raise click.Abort
        return [await _create(accounts, username, options)]

    for line in with_accounts(paths, data, work):
        click.echo(line)


async def _all(accounts: Accounts) -> list[User]:
    return list(await accounts.users.listing(1_000_000))


async def _external(settings: Settings, accounts: Accounts, name: str) -> Account | None:
    """Return a user of a directory. Raises DirectoryFailed: none of those that could be asked knows the name."""
    if not settings.ldap.providers:
        return None
    directories = directories_of(settings, accounts.reactor)
    return await UserChain(accounts.users, directories, settings.ldap.first).find(name)


def _confirm(username: str, options: dict[str, Any]) -> None:
    """Ask before making a user about whom nothing else was said."""
    asked = any(options[name] not in {None, False, ()} for name in CHANGES)
    if not asked and sys.stdin.isatty() and not click.confirm(f"Create the user {username}?"):
        raise click.Abort


def _asked_password() -> str:
    """Return what is typed; a random password where nobody types, or nothing."""
    typed = ""
    if sys.stdin.isatty():
        typed = click.prompt("Password", hide_input=True, default="", show_default=False)
    return typed or secrets.token_urlsafe(PASSWORD_BYTES)


def _roles(held: frozenset[str], options: dict[str, Any]) -> frozenset[str]:
    added = {*options["add_role"], *(["ROLE_ADMIN"] if options["admin"] else [])}
    return (held | added) - set(options["remove_role"])


async def _create(accounts: Accounts, name: str, options: dict[str, Any]) -> str:
    if options["delete"] or options["show_token"]:
        raise Invalid(f"there is no user {name[:100]}")
    _confirm(name, options)
    _, issued = await accounts.people.create(
        name,
        password=options["password"] or _asked_password(),
        email=options["email"] or fallback_email(name),
        enabled=options["enabled"] != "0",
        roles=_roles(frozenset(), options),
    )
    return f"User {name} was created, API token: {issued.secret}"


async def _change(
    accounts: Accounts, account: Account, options: dict[str, Any], web_tokens: JwtAuthenticator | None
) -> list[str]:
    user = account.user
    assert user is not None, "our own users have one"
    if options["only_if_not_exists"]:
        return [f"User {user.name} exists already"]
    if options["delete"]:
        await accounts.people.remove(user.id)
        return [f"User {user.name} was deleted"]
    changes: dict[str, Any] = {}
    if options["email"] is not None:
        changes["email"] = options["email"]
    if options["enabled"] is not None:
        changes["enabled"] = options["enabled"] == "1"
    lines = []
    if changes or options["password"] or _roles(user.roles, options) != user.roles:
        user = await accounts.people.change(
            user.id, changes, password=options["password"], roles=lambda held: _roles(held, options)
        )
        lines.append(f"User {user.name} was updated")
    if options["regenerate_token"]:
        issued = await accounts.issuing.api_token(user.id)
        lines.append(f"API token: {issued.secret}")
    if options["show_token"]:
        lines.append(_shown_token(Account.of(user, account.groups), options["token_format"], web_tokens))
    return lines


def _shown_token(account: Account, form: str, web_tokens: JwtAuthenticator | None) -> str:
    if form == "api" and account.user is None:
        raise Invalid(f"{account.name} is a user of LDAP, who has no API token: --token-format=jwt, or a personal one")
    if form == "api":
        raise Invalid("an API token is shown only when it is made; --regenerate-token makes a new one")
    if web_tokens is None:
        raise Invalid("packeton.jwt_authentication has no key")
    return web_tokens.token_of(account)

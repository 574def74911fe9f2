"""`packeton token`: create, list, revoke; those of users, and those of hooks."""

from typing import Any

import click

from packeton.assembly.accounts import Accounts
from packeton.cli.accounts import as_json, print_json, print_table, with_accounts
from packeton.cli.options import settings_options
from packeton.core.access.accounts import Account, Token
from packeton.core.access.days import parse_end
from packeton.core.access.identities import Scope

__all__ = ["token"]


@click.group()
def token() -> None:
    """Tokens of users and of hooks: create, list, revoke."""


@token.command()
@settings_options
@click.argument("user")
@click.option("--name", required=True, help="What it is for.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help=f"{', '.join(Scope)}; may be repeated.")
@click.option("--all-scopes", is_flag=True, help="Whatever the user may do, now and later.")
@click.option("--expires", metavar="YYYY-MM-DD|30d", help="When it ends; default: never.")
@click.option("--secret", help="One that was made elsewhere, with or without pat_.")
@click.option("--external", is_flag=True, help="USER is a user of another system (LDAP), with ROLE_USER.")
@as_json
def create(paths: tuple[str, ...], data: str | None, user: str, **options: Any) -> None:
    """Create a token of USER and print it; it is shown only now."""
    if bool(options["scopes"]) == options["all_scopes"]:
        raise click.UsageError("name at least one --scope, or give --all-scopes")

    async def work(accounts: Accounts) -> dict[str, Any]:
        external = Account(name=user, roles=frozenset())
        account = external if options["external"] else await accounts.people.named(user)
        ends = None if options["expires"] is None else parse_end(options["expires"], accounts.now())
        scopes = None if options["all_scopes"] else options["scopes"]
        issued = await accounts.issuing.personal(account, options["name"], scopes, ends, options["secret"])
        return _document(issued.token, account.name) | {"secret": issued.secret}

    made = with_accounts(paths, data, work)
    if options["as_json"]:
        print_json(made)
    else:
        click.echo(made["secret"])


@token.command(name="create-hook")
@settings_options
@click.option("--name", required=True, help="Which forge it is for.")
@click.option("--expires", metavar="YYYY-MM-DD|30d", help="When it ends; default: never.")
@click.option("--secret", help="One that was made elsewhere, with or without whk_.")
@as_json
def create_hook(paths: tuple[str, ...], data: str | None, **options: Any) -> None:
    """Create a token for the hooks of a forge and print it; it belongs to no user, and opens nothing else."""

    async def work(accounts: Accounts) -> dict[str, Any]:
        ends = None if options["expires"] is None else parse_end(options["expires"], accounts.now())
        issued = await accounts.issuing.hook(options["name"], ends, options["secret"])
        return _document(issued.token, None) | {"secret": issued.secret}

    made = with_accounts(paths, data, work)
    if options["as_json"]:
        print_json(made)
    else:
        click.echo(made["secret"])


@token.command(name="list-hooks")
@settings_options
@as_json
def list_hooks(paths: tuple[str, ...], data: str | None, *, as_json: bool) -> None:
    """List the tokens of hooks."""

    async def work(accounts: Accounts) -> list[Token]:
        return list(await accounts.tokens.of_hooks())

    _print(with_accounts(paths, data, work), None, as_json=as_json)


@token.command(name="list")
@settings_options
@click.argument("user")
@click.option("--external", is_flag=True, help="USER is a user of another system (LDAP).")
@as_json
def list_tokens(paths: tuple[str, ...], data: str | None, user: str, *, external: bool, as_json: bool) -> None:
    """List the tokens of USER, the API token too."""

    async def work(accounts: Accounts) -> list[Token]:
        if external:
            return list(await accounts.tokens.of_owner(None, user))
        account = await accounts.people.named(user)
        return list(await accounts.tokens.of_owner(None if account.user is None else account.user.id))

    _print(with_accounts(paths, data, work), user, as_json=as_json)


def _print(tokens: list[Token], user: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json([_document(one, user) for one in tokens])
        return
    head = ("ID", "Name", "Begins", "Scopes", "Expires", "Uses", "Last use")
    print_table(
        head,
        (
            (one.id, one.name, one.shown, "all" if one.scopes is None else one.scopes, one.expires_at, one.used_count,
             one.used_at)
            for one in tokens
        ),
    )  # fmt: skip


@token.command()
@settings_options
@click.argument("token_id", type=int)
@as_json
def revoke(paths: tuple[str, ...], data: str | None, token_id: int, *, as_json: bool) -> None:
    """Revoke the token with this ID, as `token list` shows it."""
    with_accounts(paths, data, lambda accounts: accounts.issuing.revoke(token_id))
    if as_json:
        print_json({"id": token_id})
    else:
        click.echo(f"token {token_id} revoked")


def _document(token: Token, user: str | None) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": user,
        "kind": token.kind.value,
        "name": token.name,
        "begins": token.shown,
        "scopes": token.scopes,
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "usageCount": token.used_count,
        "lastUsedAt": token.used_at,
        "lastUsedFrom": token.used_from,
        "lastUsedBy": token.used_agent,
    }

"""`packeton user`: create, list, update, delete."""

from typing import Any

import click

from packeton.assembly.accounts import Accounts
from packeton.cli.accounts import DAY, as_json, day_or_none, print_json, print_table, with_accounts
from packeton.cli.options import settings_options
from packeton.core.access.accounts import User
from packeton.core.access.identities import Role
from packeton.errors import NotFound

__all__ = ["user"]


@click.group()
def user() -> None:
    """Users: create, list, update, delete. Works beside a running server, which notices within a second."""


def _shared(command: Any) -> Any:
    """Give a command the options of create and update."""
    for option in reversed(
        (
            click.option("--email", help="Default: NAME@example.com."),
            click.option("--password", help="In clear. Default: none, so that no password opens the account."),
            click.option("--admin", is_flag=True, help="Same as --role ROLE_ADMIN."),
            click.option("--role", "roles", multiple=True, metavar="ROLE", help="ROLE_MAINTAINER …; may be repeated."),
            click.option("--group", "groups", multiple=True, metavar="GROUP", help="By name; may be repeated."),
            click.option("--subrepository", "subrepos", multiple=True, metavar="SLUG",
                         help="One that may be used, `root` for the root; may be repeated, the first is the default."),
            click.option("--expires", type=DAY, help="First day without access; `none` for no end."),
            click.option("--updates-until", type=DAY, help="No versions released after it; `none` for no such day."),
            click.option("--api-token", help="An API token that was made elsewhere."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@user.command()
@settings_options
@click.argument("name")
@_shared
@click.option("--disabled", is_flag=True, help="It cannot sign in or use tokens.")
@click.option("--only-if-not-exists", is_flag=True, help="Do nothing if there is one of this name.")
@as_json
def create(paths: tuple[str, ...], data: str | None, name: str, **options: Any) -> None:
    """Create the user NAME and print its API token, which is shown only now."""

    async def work(accounts: Accounts) -> dict[str, Any] | None:
        if options["only_if_not_exists"] and await accounts.users.find(name) is not None:
            return None
        values = await _values(accounts, options)
        values["enabled"] = not options["disabled"]
        made, issued = await accounts.people.create(
            name, password=options["password"], api_token=options["api_token"], **values
        )
        return _document(made) | {"apiToken": issued.secret}

    made = with_accounts(paths, data, work)
    if options["as_json"]:
        print_json(made)
    elif made is None:
        click.echo(f"{name} is there already")
    else:
        click.echo(f"{name} created; API token: {made['apiToken']}")


@user.command(name="list")
@settings_options
@click.option("--search", metavar="TEXT", help="In names and addresses.")
@as_json
def list_users(paths: tuple[str, ...], data: str | None, search: str | None, *, as_json: bool) -> None:
    """List users."""

    async def work(accounts: Accounts) -> list[User]:
        return list(await accounts.users.listing(1_000_000, search=search))

    users = with_accounts(paths, data, work)
    if as_json:
        print_json([_document(one) for one in users])
        return
    head = ("ID", "Username", "Email", "Enabled", "Roles", "Expires", "Updates until")
    print_table(
        head,
        ((one.id, one.name, one.email, one.enabled, one.roles, one.expires_at, one.updates_until) for one in users),
    )


@user.command()
@settings_options
@click.argument("name")
@_shared
@click.option("--enable/--disable", "enabled", default=None, help="Whether it can sign in and use tokens.")
@click.option("--add-role", "added", multiple=True, metavar="ROLE")
@click.option("--remove-role", "removed", multiple=True, metavar="ROLE")
@click.option("--no-groups", is_flag=True, help="Take it out of all groups.")
@click.option("--regenerate-token", is_flag=True, help="Give it a new API token and print it.")
@as_json
def update(paths: tuple[str, ...], data: str | None, name: str, **options: Any) -> None:
    """Change the user NAME (or e-mail address); what is not given stays. --role, --group replace what it had."""

    async def work(accounts: Accounts) -> dict[str, Any]:
        account = await accounts.people.named(name)
        assert account.user is not None, "our own users have one"
        changes = await _values(accounts, options)
        if options["enabled"] is not None:
            changes["enabled"] = options["enabled"]
        if options["no_groups"]:
            changes["groups"] = ()
        changed = await accounts.people.change(
            account.user.id,
            changes,
            password=options["password"],
            roles=lambda held: (held | set(options["added"])) - set(options["removed"]),
        )
        if options["regenerate_token"] or options["api_token"]:
            issued = await accounts.issuing.api_token(changed.id, options["api_token"])
            return _document(changed) | {"apiToken": issued.secret}
        return _document(changed)

    changed = with_accounts(paths, data, work)
    if options["as_json"]:
        print_json(changed)
        return
    token = changed.get("apiToken")
    click.echo(f"{changed['username']} updated" + (f"; API token: {token}" if token else ""))


@user.command()
@settings_options
@click.argument("name")
@as_json
def delete(paths: tuple[str, ...], data: str | None, name: str, *, as_json: bool) -> None:
    """Delete the user NAME with all its tokens."""

    async def work(accounts: Accounts) -> int:
        account = await accounts.people.named(name)
        assert account.user is not None, "our own users have one"
        await accounts.people.remove(account.user.id)
        return account.user.id

    deleted = with_accounts(paths, data, work)
    if as_json:
        print_json({"id": deleted})
    else:
        click.echo(f"{name} deleted")


async def _values(accounts: Accounts, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a user that the options of create and update set. Raises NotFound."""
    values: dict[str, Any] = {}
    if options["email"] is not None:
        values["email"] = options["email"]
    if options["admin"] or options["roles"]:
        values["roles"] = frozenset(options["roles"]) | (frozenset({str(Role.ADMIN)}) if options["admin"] else set())
    if options["groups"]:
        values["groups"] = tuple([(await accounts.audiences.named(name)).id for name in options["groups"]])
    if options["subrepos"]:
        values["subrepos"] = tuple([await _subrepo(accounts, slug) for slug in options["subrepos"]])
    for option, field in (("expires", "expires_at"), ("updates_until", "updates_until")):
        if options[option] is not None:
            values[field] = day_or_none(options[option])
    return values


async def _subrepo(accounts: Accounts, slug: str) -> int:
    if slug == "root":
        return 0
    found = await accounts.subrepos.find(slug)
    if found is None:
        raise NotFound(f"there is no sub-repository {slug[:64]}")
    return found.id


def _document(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.name,
        "email": user.email,
        "enabled": user.enabled,
        "roles": user.roles,
        "groups": user.groups,
        "subReposView": user.subrepos,
        "expiresAt": user.expires_at,
        "expiredUpdatesAt": user.updates_until,
        "createdAt": user.created_at,
        "lastLogin": user.last_login_at,
    }

"""TokenRecords: API tokens, personal access tokens and tokens of hooks."""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import asdict, define, evolve
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.accounts import read_account
from packeton.adapters.database.connection import Database
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.tables.accounts import tokens, users
from packeton.core.access.accounts import Token, TokenKind
from packeton.errors import Conflict, NotFound
from packeton.interfaces.accounts import ITokenRecords, TokenOwner, TokenUse
from packeton.interfaces.revisions import Subject

__all__ = ["TokenRecords"]

COLUMNS = tuple(column for column in tokens.c if column.name != "digest")


@implementer(ITokenRecords)
@define
class TokenRecords:
    """API tokens, personal access tokens and tokens of hooks."""

    _database: Database
    _revisions: Revisions

    async def by_digest(self, digest: bytes) -> TokenOwner | None:
        """Return the token with its owner, or None."""

        def work(connection: Connection) -> TokenOwner | None:
            row = connection.execute(select(*COLUMNS).where(tokens.c.digest == digest.hex())).one_or_none()
            if row is None:
                return None
            account = None if row.owner is None else read_account(connection, users.c.id == row.owner)
            return TokenOwner(token=_token(row), account=account)

        return await self._database.read(work)

    async def get(self, token_id: int) -> Token | None:
        """Return one, or None."""

        def work(connection: Connection) -> Token | None:
            row = connection.execute(select(*COLUMNS).where(tokens.c.id == token_id)).one_or_none()
            return None if row is None else _token(row)

        return await self._database.read(work)

    async def of_owner(self, owner: int | None, user_identifier: str | None = None) -> Sequence[Token]:
        """Return the tokens of a user."""
        whose = tokens.c.owner == owner if owner is not None else tokens.c.user_identifier == user_identifier

        return await self._listed(whose)

    async def of_hooks(self) -> Sequence[Token]:
        """Return the tokens of hooks."""
        return await self._listed(tokens.c.kind == TokenKind.HOOK.value)

    async def create(self, token: Token, digest: bytes) -> Token:
        """Insert; an API token takes the place of the former one."""

        def work(connection: Connection) -> Token:
            _refuse(connection, token, digest)
            if token.kind is TokenKind.API:
                former = (tokens.c.owner == token.owner) & (tokens.c.kind == token.kind.value)
                connection.execute(delete(tokens).where(former))
            values = asdict(token) | {"kind": token.kind.value, "digest": digest.hex()}
            values["scopes"] = None if token.scopes is None else sorted(token.scopes)
            del values["id"]
            new = connection.execute(insert(tokens).values(**values)).inserted_primary_key
            assert new is not None, "an insert of one row has a key"
            return evolve(token, id=new[0])

        return await self._revisions.changing(Subject.ACCESS, work)

    async def remove(self, token_id: int) -> bool:
        """Revoke one."""

        def work(connection: Connection) -> bool:
            return connection.execute(delete(tokens).where(tokens.c.id == token_id)).rowcount > 0

        return await self._revisions.changing(Subject.ACCESS, work)

    async def _listed(self, which: ColumnElement[bool]) -> Sequence[Token]:
        def work(connection: Connection) -> Sequence[Token]:
            return [_token(row) for row in connection.execute(select(*COLUMNS).where(which).order_by(tokens.c.id))]

        return await self._database.read(work)

    async def remove_all(self, owner: int, kind: TokenKind | None = None) -> int:
        """Revoke all of a user, or those of a kind."""
        whose = tokens.c.owner == owner
        if kind is not None:
            whose &= tokens.c.kind == kind.value

        def work(connection: Connection) -> int:
            return connection.execute(delete(tokens).where(whose)).rowcount

        return await self._revisions.changing(Subject.ACCESS, work)

    async def used(self, uses: Iterable[TokenUse]) -> None:
        """Add up what was used."""
        told = list(uses)

        def work(connection: Connection) -> None:
            for use in told:
                here = tokens.c.id == use.token_id
                values = {"used_at": use.at, "used_from": use.address[:64], "used_agent": use.agent[:512]}
                counted = tokens.c.used_count + use.count
                connection.execute(update(tokens).where(here).values(**values, used_count=counted))

        await self._database.run(work)


def _token(row: Row[Any]) -> Token:
    fields = row._asdict()
    scopes = fields["scopes"]
    fields |= {"kind": TokenKind(fields["kind"]), "scopes": None if scopes is None else frozenset(scopes)}
    return Token(**fields)


def _refuse(connection: Connection, token: Token, digest: bytes) -> None:
    holder = connection.execute(select(tokens.c.owner, tokens.c.kind).where(tokens.c.digest == digest.hex())).first()
    if holder is not None and not (token.kind is TokenKind.API and tuple(holder) == (token.owner, token.kind.value)):
        raise Conflict("this token is in use already")
    if token.owner is not None:
        owner = connection.execute(select(users.c.id).where(users.c.id == token.owner)).first()
        if owner is None:
            raise NotFound("no such user")

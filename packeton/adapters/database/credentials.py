"""CredentialRecords: ssh keys and auth.json contents, sealed at rest."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from attrs import define, evolve
from sqlalchemy import Connection, Row, delete, insert, select, update
from zope.interface import implementer

from packeton.adapters.database.connection import Database
from packeton.adapters.database.tables.packages import credentials, packages
from packeton.config.settings import Secret
from packeton.core.access.sealing import Sealer, context_of
from packeton.errors import NotFound
from packeton.interfaces.credentials import Credential, ICredentialRecords

__all__ = ["CredentialRecords"]


@implementer(ICredentialRecords)
@define
class CredentialRecords:
    """Credentials by id. *sealer* is asked for in the database's thread, since it may read a file."""

    _database: Database
    _sealer: Callable[[], Sealer]

    async def get(self, credential_id: int) -> Credential | None:
        """Return one with its secrets."""

        def work(connection: Connection) -> Credential | None:
            row = connection.execute(select(credentials).where(credentials.c.id == credential_id)).one_or_none()
            return None if row is None else _opened(row, self._sealer())

        return await self._database.read(work)

    async def listed(self, owner_id: int | None = None) -> Sequence[Credential]:
        """Return all, or those of a user, without their secrets."""
        chosen = select(credentials).order_by(credentials.c.name, credentials.c.id)
        if owner_id is not None:
            chosen = chosen.where(credentials.c.owner_id == owner_id)

        def work(connection: Connection) -> Sequence[Credential]:
            return [_closed(row) for row in connection.execute(chosen)]

        return await self._database.read(work)

    async def create(self, credential: Credential) -> Credential:
        """Insert."""

        def work(connection: Connection) -> Credential:
            key = connection.execute(insert(credentials).values(**_values(credential))).inserted_primary_key
            assert key is not None, "an insert of one row has a key"
            made = evolve(credential, id=key[0])
            self._write(connection, made)
            return made

        return await self._database.run(work)

    async def change(self, credential_id: int, change: Callable[[Credential], Credential]) -> Credential:
        """Replace one by what *change* makes of it, in one transaction."""

        def work(connection: Connection) -> Credential:
            chosen = select(credentials).where(credentials.c.id == credential_id).with_for_update()
            row = connection.execute(chosen).one_or_none()
            if row is None:
                raise NotFound("no such credential")
            changed = change(_opened(row, self._sealer()))
            self._write(connection, changed)
            return changed

        return await self._database.run(work)

    def _write(self, connection: Connection, credential: Credential) -> None:
        values = _values(credential) | _sealed(credential, self._sealer())
        connection.execute(update(credentials).where(credentials.c.id == credential.id).values(**values))

    async def used_by(self, credential_id: int) -> Sequence[str]:
        """Return the names of its packages."""
        chosen = select(packages.c.name).where(packages.c.credential_id == credential_id).order_by(packages.c.name)

        def work(connection: Connection) -> Sequence[str]:
            return list(connection.execute(chosen).scalars())

        return await self._database.read(work)

    async def remove(self, credential_id: int) -> bool:
        """Remove one."""

        def work(connection: Connection) -> bool:
            return connection.execute(delete(credentials).where(credentials.c.id == credential_id)).rowcount > 0

        return await self._database.run(work)


def _values(credential: Credential) -> dict[str, Any]:
    return {
        "name": credential.name,
        "owner_id": credential.owner_id,
        "shared": credential.shared,
        "fingerprint": credential.fingerprint,
        "created_at": credential.created_at,
    }


def _sealed(credential: Credential, sealer: Sealer) -> dict[str, str | None]:
    """Return the columns that hold secrets; each opens in its own row only."""
    key, auth = credential.ssh_key, credential.composer_auth
    texts = {
        "ssh_key": None if key is None else key.reveal(),
        "composer_auth": orjson.dumps(dict(auth)).decode() if auth else None,
    }
    return {
        name: None if text is None else sealer.seal(text, context_of("credentials", name, credential.id))
        for name, text in texts.items()
    }


def _closed(row: Row[Any]) -> Credential:
    return Credential(
        id=row.id,
        name=row.name,
        owner_id=row.owner_id,
        shared=row.shared,
        fingerprint=row.fingerprint,
        created_at=row.created_at,
    )


def _opened(row: Row[Any], sealer: Sealer) -> Credential:
    key = auth = None
    if row.ssh_key is not None:
        key = Secret(sealer.open(row.ssh_key, context_of("credentials", "ssh_key", row.id)))
    if row.composer_auth is not None:
        auth = orjson.loads(sealer.open(row.composer_auth, context_of("credentials", "composer_auth", row.id)))
    return evolve(_closed(row), ssh_key=key, composer_auth=auth or {})

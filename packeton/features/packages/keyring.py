"""
Credentials of private repositories: who may make, see, change and choose them.

A credential is its owner's, who alone changes it; its secrets are shown to nobody. Administrators see the names of all
and may delete any, but not use or change those of others. A package may have one that is the caller's own or that its
owner *shared*: otherwise a maintainer could use somebody else's key by naming its id.
Source: contract 03 section 12; weakness S12 of contract 11.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, frozen

from packeton.config.settings import Secret
from packeton.core.access.identities import Identity, Role
from packeton.core.access.ssh_keys import read_ssh_key
from packeton.core.composer.configs import read_config
from packeton.errors import Conflict, Invalid, InvalidFields, NotFound
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.credentials import Credential, ICredentialRecords

__all__ = ["KEEP", "KEPT", "CredentialChange", "Keyring"]

MAX_NAME: Final = 191
LISTED: Final = 5
KEEP: Final = "\0"
"""Stands for a field that was not sent."""
KEPT: Final = Secret(KEEP)


@frozen(kw_only=True)
class CredentialChange:
    """What somebody says of a credential. None or nothing clears a secret, KEEP leaves it."""

    name: str = KEEP
    ssh_key: Secret | None = KEPT
    composer_config: Secret | None = KEPT
    shared: bool | None = None


@define
class Keyring:
    """All credentials. For whom is always said: None is the operator at the console, who may do everything."""

    _records: ICredentialRecords
    _in_thread: InThread
    _now: Now

    async def listed(self, identity: Identity | None) -> Sequence[Credential]:
        """Return those that the caller owns or may choose, by name, without secrets; to an administrator all."""
        found = await self._records.listed()
        if identity is None or identity.has(Role.ADMIN):
            return found
        return [one for one in found if one.may_be_chosen_by(identity.user_id)]

    async def chosen(self, credential_id: int, identity: Identity | None) -> Credential:
        """Return what the caller wants to give to a package. Raises NotFound: it is not there, or not for them."""
        found = await self._records.get(credential_id)
        if found is None or not (identity is None or found.may_be_chosen_by(identity.user_id)):
            raise NotFound("there is no such credential, or it is somebody else's and not shared")
        return found

    async def create(self, change: CredentialChange, identity: Identity | None) -> Credential:
        """Make one. Raises InvalidFields."""
        owner = None if identity is None else identity.user_id
        if identity is not None and owner is None:
            raise Invalid("only users with an account here can own a credential")
        change = evolve(
            change,
            ssh_key=None if _is_kept(change.ssh_key) else change.ssh_key,
            composer_config=None if _is_kept(change.composer_config) else change.composer_config,
        )
        fresh = Credential(name="", owner_id=owner, shared=identity is None, created_at=self._now())
        return await self._records.create(await self._in_thread(_changed, fresh, change))

    async def change(self, credential_id: int, change: CredentialChange, identity: Identity | None) -> Credential:
        """Change one of the caller's own. Raises InvalidFields, NotFound."""

        def changed(held: Credential) -> Credential:
            if not _is_owner(held, identity):
                raise NotFound("no such credential")
            return _changed(held, change)

        return await self._records.change(credential_id, changed)

    async def remove(self, credential_id: int, identity: Identity | None) -> None:
        """
        Delete one of the caller's own; an administrator any.

        Raises:
            NotFound: There is none, or none that the caller may delete.
            Conflict: Packages have it; the text names some.
        """
        held = next((one for one in await self._records.listed() if one.id == credential_id), None)
        may = identity is None or identity.has(Role.ADMIN)
        if held is None or not (may or _is_owner(held, identity)):
            raise NotFound("no such credential")
        users = await self._records.used_by(credential_id)
        if users:
            more = f" and {len(users) - LISTED} more" if len(users) > LISTED else ""
            raise Conflict(f"{', '.join(users[:LISTED])}{more} use it; give them another one first")
        await self._records.remove(credential_id)


def _is_owner(held: Credential, identity: Identity | None) -> bool:
    return identity is None or (identity.user_id is not None and held.owner_id == identity.user_id)


def _is_kept(secret: Secret | None) -> bool:
    return secret is not None and secret.reveal() == KEEP


def _changed(held: Credential, change: CredentialChange) -> Credential:
    """Return *held* with what was said. Parses keys: not for the reactor's thread. Raises InvalidFields."""
    wrong: dict[str, str] = {}
    fields: dict[str, Any] = {}
    if change.name != KEEP or not held.name:
        name = "" if change.name == KEEP else change.name.strip()
        fields["name"] = name
        if not name or len(name) > MAX_NAME or not name.isprintable():
            wrong["name"] = f"is needed, in one line of up to {MAX_NAME} characters"
    if change.shared is not None:
        fields["shared"] = change.shared
    if not _is_kept(change.ssh_key):
        _take(fields, wrong, "key", change.ssh_key, _key_fields)
    if not _is_kept(change.composer_config):
        _take(fields, wrong, "composerConfig", change.composer_config, _config_fields)
    changed = evolve(held, **fields)
    if not wrong and changed.ssh_key is None and not changed.composer_auth:
        wrong["key"] = "an ssh key or a Composer configuration is needed"
    if wrong:
        raise InvalidFields(wrong)
    return changed


def _take(
    fields: dict[str, Any],
    wrong: dict[str, str],
    name: str,
    secret: Secret | None,
    read: Callable[[str], Mapping[str, Any]],
) -> None:
    try:
        fields.update(read("" if secret is None else secret.reveal()))
    except Invalid as error:
        wrong[name] = str(error)


def _key_fields(text: str) -> Mapping[str, Any]:
    if not text.strip():
        return {"ssh_key": None, "fingerprint": None}
    key = read_ssh_key(text)
    return {"ssh_key": Secret(key.text), "fingerprint": key.fingerprint}


def _config_fields(text: str) -> Mapping[str, Any]:
    return {"composer_auth": read_config(text) if text.strip() else {}}

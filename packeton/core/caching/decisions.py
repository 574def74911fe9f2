"""What people decided about a mirror, and how far its synchronisation has come: values without behaviour."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen

__all__ = ["Choices", "Listed", "MirrorCounts", "MirrorPackage", "MirrorPatch", "Phase", "SyncState", "Wish"]


@frozen(kw_only=True)
class Choices:
    """What is chosen while the server runs, over the configuration."""

    strict: bool = False
    """Only approved packages are served."""
    sync: bool = True
    """False: the metadata is a frozen snapshot."""
    disable_v2: bool = False
    """The root offers no metadata-url."""


@frozen(kw_only=True)
class MirrorPackage:
    """One package of a mirror that somebody used, approved, or asked for in vain."""

    name: str
    enabled_at: datetime | None = None
    """Since when clients use it, so that it is kept fresh."""
    approved_at: datetime | None = None
    first_requested: datetime | None = None
    """When it was first refused for want of an approval."""
    last_requested: datetime | None = None
    requests: int = 0


@frozen(kw_only=True)
class MirrorCounts:
    """How many packages of a mirror there are of each kind."""

    enabled: int = 0
    approved: int = 0
    waiting: int = 0
    """Asked for, and not approved."""


@frozen(kw_only=True)
class MirrorPatch:
    """What is put over upstream's metadata of one version."""

    name: str
    version: str
    """Normalised."""
    strategy: str
    """`merge`, `merge_recursive` or `replace`."""
    patch: Mapping[str, Any]
    changed_at: datetime


class Phase(StrEnum):
    """Where a synchronisation is."""

    IDLE = "idle"
    FORGETTING = "forgetting"
    """What is stored is deleted."""
    REFRESHING = "refreshing"
    """What clients use is asked for anew."""
    LISTING = "listing"
    """Upstream's names are written down."""
    FETCHING = "fetching"
    """All of upstream's names are fetched."""


class Wish(StrEnum):
    """A synchronisation that somebody asked for; a later one is the stronger."""

    NONE = ""
    UPDATE = "update"
    """Look at everything, also where upstream's root did not change."""
    RESET = "reset"
    """Forget what is stored, and begin anew."""


@frozen(kw_only=True)
class SyncState:
    """How far a mirror's synchronisation has come; kept, so that another process goes on where one was killed."""

    run: int = 0
    """Counts synchronisations; names fetched in one are marked with it."""
    phase: Phase = Phase.IDLE
    wish: Wish = Wish.NONE
    """What this run is; kept for its continuation."""
    cursor: str = ""
    """All names up to this one are done in this phase."""
    changes_since: int = 0
    """Upstream's timestamp of its feed of changes."""
    root: str = ""
    """SHA-256 of the root that the last whole run saw."""
    listing: str = ""
    """SHA-256 of the root whose names are written down."""
    total: int = 0
    done: int = 0
    changed: int = 0
    failed: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None
    """When the last run ended, well or not."""
    synced_at: datetime | None = None
    """When the last run ended well."""
    error: str | None = None
    """Why the last run did not; without secrets."""


@frozen(kw_only=True)
class Listed:
    """One name that upstream lists."""

    name: str
    digest: str = field(default="")
    """Upstream's digest of its metadata; "" where it gives none."""

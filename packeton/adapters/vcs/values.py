"""What a piece of work gets besides its own arguments: where to keep things, how far to go, how to reach servers."""

from datetime import timedelta
from pathlib import Path

from attrs import field, frozen

from packeton.config.settings import Secret
from packeton.core.composer.addresses import VcsAddress
from packeton.interfaces.vcs import VcsAccess

__all__ = ["Job", "Network", "VcsBounds"]


@frozen(kw_only=True)
class Network:
    """How servers are reached."""

    ca_file: Path | None = None
    proxy: str | None = None
    """`http://host:port` of the HTTP proxy for this repository."""
    proxy_authorization: Secret | None = None
    user_agent: str = "git/2.39 packeton"
    connect_timeout: timedelta = timedelta(seconds=10)
    idle_timeout: timedelta = timedelta(seconds=60)
    max_redirects: int = 5


@frozen(kw_only=True)
class VcsBounds:
    """How large a repository, and what is made of it, may be."""

    max_refs: int = 200_000
    max_pack_bytes: int = 8 * 2**30
    """What one fetch may bring."""
    max_manifest_bytes: int = 2**20
    max_readme_bytes: int = 2**20
    max_lock_bytes: int = 16 * 2**20
    max_blob_bytes: int = 512 * 2**20
    """Of one file that git has: files are held in memory. git itself treats larger ones apart
    (`core.bigFileThreshold`)."""
    max_files: int = 500_000
    max_archive_bytes: int = 2 * 2**30
    """Of an archive, before compression."""
    batch_refs: int = 25
    """What the server takes at once: milliseconds in which it answers nobody."""
    batch_readings: int = 25
    batch_bytes: int = 4 * 2**20


@frozen(kw_only=True)
class Job:
    """One repository, the login for it, and the surroundings of the work."""

    access: VcsAccess = field(repr=False)
    address: VcsAddress
    folder: Path
    """Where checkouts and pinned host keys live."""
    local_paths: tuple[str, ...] = ()
    network: Network = field(factory=Network)
    bounds: VcsBounds = field(factory=VcsBounds)

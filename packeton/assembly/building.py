"""Mirrors build dists that cannot be had out of their source."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

from packeton.adapters.upstream.sources import SourceGuard
from packeton.assembly.mirroring import Mirroring
from packeton.assembly.mirrors import archive_bounds
from packeton.assembly.upstream import configured_hosts
from packeton.features.mirroring.building import Builder
from packeton.interfaces.clocks import now_of
from packeton.interfaces.vcs import ICheckouts

__all__ = ["let_mirrors_build"]


def let_mirrors_build(mirroring: Mirroring, checkouts: ICheckouts) -> None:
    """Give every mirror what builds dists."""
    store = mirroring.store
    for alias, site in mirroring.sites.items():
        mirror = store.settings.mirrors[alias]
        keys = {part: Path(path) for part, path in mirror.git_ssh_keys.items()}
        named = {_host(part) for part in keys if part}
        site.dists.builder = Builder(
            checkouts,
            keys,
            SourceGuard(store.reactor, configured_hosts(store.settings) | named).check,
            store.settings.data / "building",
            store.storage,
            store.in_thread,
            now_of(store.reactor),
            lambda: secrets.token_hex(16),
            archive_bounds(store.settings),
        )


def _host(part: str) -> str:
    """Return the host that a part of an address names: `ssh://git@host:22/x`, `git@host:x`, `host/x` or `host`."""
    return urlsplit(part).hostname or part.partition("/")[0].rpartition("@")[2].partition(":")[0]

"""The way to version control: a pool of child processes, and what is read in them."""

import os
from collections.abc import Mapping
from typing import Any

from packeton.adapters.processes import PoolLimits, ProcessPool
from packeton.adapters.upstream.proxies import Proxies
from packeton.adapters.vcs.checkouts import Checkouts, VcsRules
from packeton.adapters.vcs.values import Network, VcsBounds
from packeton.config.settings import Settings
from packeton.interfaces.clocks import InThread

__all__ = ["open_checkouts", "open_children"]

KEPT = ("PATH", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What children get of our environment: how to find programs and certificates; no secrets are in these."""


def open_children(settings: Settings, reactor: Any, environment: Mapping[str, str]) -> ProcessPool:
    """Return the pool, a service; no child runs before it starts and there is work."""
    kept = {name: value for name in KEPT if (value := environment.get(name) or os.environ.get(name))}
    limits = PoolLimits(processes=settings.vcs.processes, max_memory_bytes=settings.vcs.max_memory_bytes)
    return ProcessPool(reactor, kept, limits)


def open_checkouts(
    settings: Settings, pool: ProcessPool, in_thread: InThread, environment: Mapping[str, str]
) -> Checkouts:
    """Return what reads repositories in the children of *pool*. Raises ConfigurationInvalid for an unusable proxy."""
    vcs, upstream = settings.vcs, settings.upstream
    proxies = Proxies.choose(
        http=None if upstream.http_proxy is None else upstream.http_proxy.reveal(),
        https=None if upstream.https_proxy is None else upstream.https_proxy.reveal(),
        no_proxy=upstream.no_proxy,
        environment=environment,
    )
    rules = VcsRules(
        folder=settings.data.absolute() / "vcs",
        local_paths=vcs.local_paths,
        crawls=max(1, vcs.processes - 1),
        per_host=vcs.per_host,
        within=vcs.timeout,
        network=Network(
            ca_file=None if upstream.ca_file is None else upstream.ca_file.absolute(),
            connect_timeout=upstream.connect_timeout,
            max_redirects=upstream.max_redirects,
        ),
        proxies=proxies,
        bounds=VcsBounds(max_pack_bytes=vcs.max_repository_bytes, max_archive_bytes=vcs.max_archive_bytes),
    )
    return Checkouts(pool, in_thread, rules)

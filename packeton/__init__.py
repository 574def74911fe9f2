"""
A private repository and streaming caching proxy for PHP Composer.

This is the public API, complete; importing it installs no reactor and imports nothing heavy.

    packeton = build(load_settings("etc/packeton.yaml"), reactor)   # nothing runs, nothing listens
    root.putChild(b"composer", packeton.resource)                    # twisted.web; or as a Klein branch
    packeton.services.setServiceParent(application)                  # background work
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packeton.assembly.server import Packeton, build
    from packeton.config.loader import load_settings
    from packeton.config.settings import Settings
    from packeton.errors import ConfigurationInvalid, PacketonError

__all__ = ["ConfigurationInvalid", "Packeton", "PacketonError", "Settings", "__version__", "build", "load_settings"]

try:
    __version__ = version("packeton")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0"

_HOMES = {
    "ConfigurationInvalid": "packeton.errors",
    "Packeton": "packeton.assembly.server",
    "PacketonError": "packeton.errors",
    "Settings": "packeton.config.settings",
    "build": "packeton.assembly.server",
    "load_settings": "packeton.config.loader",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'packeton' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

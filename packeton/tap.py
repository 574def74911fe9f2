"""`twistd packeton`: Options, makeService."""

import gc
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from twisted.application.service import Application, IServiceCollection, MultiService, Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger, globalLogPublisher
from twisted.python import usage
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from packeton import logs
from packeton.assembly.server import Packeton, build
from packeton.config.loader import Loaded, load
from packeton.errors import ConfigurationInvalid
from packeton.web.server import PacketonSite

__all__ = ["Options", "application", "makeService"]

log = Logger()

SWITCH_SECONDS = 0.0005
"""How long a thread that computes may keep the reactor waiting. Python's own 5 ms are many requests long, several times
in each request."""


class Options(usage.Options):
    """Command line of the plugin."""

    synopsis = "[options]"
    longdesc = "A private repository and streaming caching proxy for PHP Composer."

    def __init__(self) -> None:
        super().__init__()
        self["config"], self["listen"], self["data"] = [], [], None

    def opt_config(self, path: str) -> None:
        """YAML file, or directory of such files; may be given several times, later ones win."""
        self["config"].append(path)

    def opt_data(self, path: str) -> None:
        """Directory for everything that is kept (default: var)."""
        self["data"] = path

    def opt_listen(self, endpoint: str) -> None:
        """Twisted endpoint string (default: tcp:8080:interface=127.0.0.1); may be given several times."""
        self["listen"].append(endpoint)

    opt_c = opt_config
    opt_d = opt_data


class _Listening(Service):
    """Listens on one endpoint; a port that is taken ends the program with one line."""

    def __init__(self, reactor: Any, endpoint: str, resource: IResource) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._site = PacketonSite(resource)
        self._port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Open the port, while there are still the rights to."""
        super().privilegedStartService()
        listening = serverFromString(self._reactor, self._endpoint).listen(self._site)
        failures: list[Failure] = []
        listening.addCallbacks(self._opened, failures.append)
        for failure in failures:
            reason = getattr(failure.value, "socketError", None) or failure.value
            why = getattr(reason, "strerror", None) or reason
            fail(ConfigurationInvalid(f"packeton.listen: {self._endpoint}: {why}"))

    def stopService(self) -> Deferred[None] | None:
        """Take no more connections; those under way go on."""
        super().stopService()
        port, self._port = self._port, None
        return None if port is None else port.stopListening()

    def _opened(self, port: IListeningPort) -> None:
        self._port = port

    @property
    def address(self) -> str | None:
        """Return `http://host:port` for a TCP port, None for another kind of endpoint."""
        host: object = None if self._port is None else self._port.getHost()
        if not isinstance(host, IPv4Address | IPv6Address):
            return None
        name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.host, host.host)  # noqa: S104  # shown, not listened on
        return f"http://[{name}]:{host.port}" if ":" in name else f"http://{name}:{host.port}"


class _Greeting(Service):
    """Says at start where we are and what to paste."""

    def __init__(self, packeton: Packeton, ports: list[_Listening]) -> None:
        self._packeton = packeton
        self._ports = ports

    def startService(self) -> None:
        """Write it to the log."""
        super().startService()
        settings = self._packeton.settings
        addresses = [settings.public_url] if settings.public_url else [port.address for port in self._ports]
        for address in filter(None, addresses):
            log.info("Packeton is at {address}/", address=address.rstrip("/"))
            for alias, mirror in settings.mirrors.items():
                if mirror.public_access:
                    for line in snippet(f"{address.rstrip('/')}/mirror/{alias}", alias, mirror.url.reveal()):
                        log.info("    {line}", line=line)
                else:
                    log.info("Mirror {alias} is for users whose groups allow it", alias=alias)


def snippet(url: str, alias: str, upstream: str) -> list[str]:
    """Return the commands that make a project use the mirror at *url*."""
    packagist = urlsplit(upstream).hostname in {"packagist.org", "repo.packagist.org"}
    lines = [f"composer config repo.{'packagist' if packagist else alias} composer {url}"]
    if url.startswith("http://"):
        lines.append("composer config secure-http false")
    return lines


def fail(error: Exception) -> None:
    """End the program with one line and status 1."""
    sys.__stderr__.write(f"packeton: {error}\n")  # type: ignore[union-attr]  # always there in a server
    sys.__stderr__.flush()  # type: ignore[union-attr]
    raise SystemExit(1)


def makeService(options: Mapping[str, Any]) -> MultiService:
    """Read the settings and put the service together; a setting that cannot be used ends the program with one line."""
    from twisted.internet import reactor

    try:
        loaded = load(options["config"], environment=os.environ, data=options["data"], listen=options["listen"])
        return service_of(loaded, reactor)
    except ConfigurationInvalid as error:
        fail(error)
        raise


class _Server(MultiService):
    """All services; what cannot be used at the start ends the program with one line, SIGTERM with status 0."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor

    def startService(self) -> None:
        """Start all, and take SIGTERM over once the reactor has set its own handlers, which end with the signal."""
        super().startService()
        self._reactor.callWhenRunning(signal.signal, signal.SIGTERM, self._terminated)
        self._reactor.callWhenRunning(_stay_responsive)

    def _terminated(self, *_: object) -> None:
        self._reactor.callFromThread(self._stop_reactor)

    def _stop_reactor(self) -> None:
        if self._reactor.running:
            self._reactor.stop()

    def privilegedStartService(self) -> None:
        """Claim the data directory and the ports."""
        try:
            super().privilegedStartService()
        except ConfigurationInvalid as error:
            fail(error)


def _stay_responsive() -> None:
    """Let requests wait neither for threads that compute, nor for looks through all that is there since the start."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


def service_of(loaded: Loaded, reactor: Any) -> MultiService:
    """Return the services of a server that also listens."""
    packeton = build(loaded.settings, reactor, environment=loaded.environment)
    service = _Server(reactor)
    _Logging(loaded).setServiceParent(service)
    packeton.services.setServiceParent(service)
    ports = [_Listening(reactor, endpoint, packeton.resource) for endpoint in loaded.settings.listen]
    for port in ports:
        port.setServiceParent(service)
    _Greeting(packeton, ports).setServiceParent(service)
    return service


class _Logging(Service):
    """Takes over the log, which twistd has begun by now."""

    def __init__(self, loaded: Loaded) -> None:
        self._settings = loaded.settings.log

    def privilegedStartService(self) -> None:
        """Write in our own form from here on, to where twistd writes."""
        super().privilegedStartService()
        logs.install(globalLogPublisher, form=self._settings.format, level=self._settings.level)


def application() -> Any:
    """Return the application of packeton.tac, configured by PACKETON_CONFIG, PACKETON_DATA and PACKETON_LISTEN."""
    app = Application("packeton")
    makeService(Options()).setServiceParent(IServiceCollection(app))
    return app

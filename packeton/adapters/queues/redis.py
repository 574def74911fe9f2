"""
Signals between several nodes, by way of Redis. Nothing is kept there: jobs and locks are in the database.

Theory: two connections, one that asks and one that listens; both come back by themselves. txredisapi lets a call wait
for ever while there is no connection, so that every call has a time limit, and after one that ran out the next ones
fail at once for a moment. A signal that is lost costs who would have heard it a second of waiting. txredisapi is
imported when the link is made, since its import picks the reactor.
"""

from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.adapters.queues.local import LocalSignals
from packeton.config.redis import RedisAddress
from packeton.errors import StorageFailed
from packeton.interfaces.queues import ISignals

__all__ = ["RedisLink", "RedisSignals"]

log = Logger()

PREFIX: Final = "packeton:"
CALL_SECONDS: Final = 2.0
"""Requests wait for this, while Redis stands still."""
REST_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 5
STOP_SECONDS: Final = 3.0


class RedisLink(Service):
    """Both connections; `heard` is called with channel and text of what other processes published."""

    def __init__(self, reactor: Any, address: RedisAddress) -> None:
        self._reactor = reactor
        self._address = address
        self._asking: Any = None
        self._listening: Any = None
        self._rests_until = 0.0
        self.heard: Callable[[str, str], None] = lambda _channel, _text: None

    def startService(self) -> None:
        """Begin to connect."""
        super().startService()
        if self._asking is None:
            self._connect()

    def stopService(self) -> Deferred[None]:
        """Close both connections; fires once they are."""
        super().stopService()
        factories, self._asking, self._listening = [self._asking, self._listening], None, None
        closing = gatherResults([factory.disconnect() for factory in factories if factory is not None])
        closing.addTimeout(STOP_SECONDS, self._reactor)
        closing.addErrback(lambda failure: failure.trap(DeferredTimeout, CancelledError))
        return closing.addCallback(lambda _: None)

    async def call(self, command: str, *arguments: Any) -> Any:
        """
        Ask Redis.

        Raises:
            StorageFailed: it does not answer, or refuses.
        """
        if self._asking is None or self._reactor.seconds() < self._rests_until:
            raise StorageFailed("Redis is not connected")
        asked: Deferred[Any] = getattr(self._asking.handler, command)(*arguments)
        asked.addTimeout(CALL_SECONDS, self._reactor)
        try:
            return await asked
        except (DeferredTimeout, CancelledError) as error:
            self._rests_until = self._reactor.seconds() + REST_SECONDS
            raise StorageFailed("Redis does not answer") from error
        except self._refusals as error:
            raise StorageFailed(f"Redis failed: {type(error).__name__}") from error

    def _connect(self) -> None:
        import txredisapi

        self._refusals: type[Exception] = txredisapi.RedisError
        secret = None if self._address.password is None else self._address.password.reveal()
        link = self

        class Listener(txredisapi.SubscriberProtocol):  # type: ignore[misc]  # not typed
            """Listens to all channels of ours, whenever it is connected."""

            def connectionMade(self) -> Any:
                self.whenConnected().addCallback(lambda _: self.psubscribe(f"{PREFIX}*"))
                return super().connectionMade()

            def messageReceived(self, _pattern: Any, channel: str, message: str) -> None:
                link.heard(channel.removeprefix(PREFIX), message)

        for listens in (False, True):
            factory = txredisapi.RedisFactory(
                str(self._address), self._address.database or None, 1, isLazy=True,
                password=secret, convertNumbers=False, username=self._address.user,
            )  # fmt: skip
            factory.deferred.addErrback(self._refused)
            if listens:
                factory.protocol = Listener
                self._listening = factory
            else:
                self._asking = factory
            factory.startConnecting(self._endpoint())

    def _endpoint(self) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(self._reactor, self._address.host, self._address.port, timeout=CONNECT_SECONDS)
        if not self._address.tls:
            return endpoint
        wrapped: IStreamClientEndpoint = wrapClientTLS(optionsForClientTLS(self._address.host), endpoint)
        return wrapped

    def _refused(self, failure: Failure) -> None:
        if not self.running:  # we hung up on it
            return
        log.error("Redis at {address} refused us: {why}", address=str(self._address), why=failure.getErrorMessage())


@implementer(ISignals)
@define
class RedisSignals:
    """Tells this process at once, and others by way of Redis. *name* is a text that no other process has."""

    _link: RedisLink
    _name: str
    _local: LocalSignals = field(factory=LocalSignals, init=False)
    _trouble: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._link.heard = self._heard

    def publish(self, channel: str, text: str = "") -> None:
        """Tell everybody who listens."""
        self._local.publish(channel, text)
        Deferred.fromCoroutine(self._tell(channel, text)).addErrback(
            lambda failure: log.failure("A signal could not be sent", failure)
        )

    def listen(self, channel: str, receive: Callable[[str], object]) -> Callable[[], None]:
        """Have *receive* called with each text."""
        return self._local.listen(channel, receive)

    async def _tell(self, channel: str, text: str) -> None:
        try:
            await self._link.call("publish", f"{PREFIX}{channel}", f"{self._name} {text}")
            self._trouble = False
        except StorageFailed as error:
            if not self._trouble:  # once, not for each signal
                self._trouble = True
                log.warn("Other nodes learn of changes a second later: {why}", why=str(error))

    def _heard(self, channel: str, message: str) -> None:
        name, _, text = message.partition(" ")
        if name != self._name:
            self._local.publish(channel, text)

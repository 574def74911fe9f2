"""Signals within one process."""

from collections import defaultdict
from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger
from zope.interface import implementer

from packeton.interfaces.queues import ISignals

__all__ = ["LocalSignals"]

log = Logger()


@implementer(ISignals)
@define
class LocalSignals:
    """Calls who listens, at once."""

    _listening: dict[str, list[Callable[[str], object]]] = field(factory=lambda: defaultdict(list), init=False)

    def publish(self, channel: str, text: str = "") -> None:
        """Tell everybody who listens."""
        for receive in tuple(self._listening[channel]):
            try:
                receive(text)
            except Exception:  # one listener's mistake is not the others'
                log.failure("A listener of {channel} failed", channel=channel)

    def listen(self, channel: str, receive: Callable[[str], object]) -> Callable[[], None]:
        """Have *receive* called with each text."""
        self._listening[channel].append(receive)

        def end() -> None:
            if receive in self._listening[channel]:
                self._listening[channel].remove(receive)

        return end

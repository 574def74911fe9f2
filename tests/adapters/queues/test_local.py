"""Signals within one process."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from packeton.adapters.queues.local import LocalSignals
from packeton.interfaces.queues import ISignals


class LocalSignalsTests(SynchronousTestCase):
    """LocalSignals."""

    def test_round(self) -> None:
        """All who listen hear it at once, one's mistake is not the others', and who ended hears no more."""
        signals = LocalSignals()
        verifyObject(ISignals, signals)
        heard: list[str] = []

        def broken(_text: str) -> None:
            raise KeyError("mine")

        signals.listen("a", broken)
        end = signals.listen("a", heard.append)
        signals.listen("b", lambda text: heard.append(f"b {text}"))
        signals.publish("a", "one")
        self.assertEqual(["one"], heard)
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))
        end()
        end()
        signals.publish("a", "two")
        signals.publish("b")
        self.assertEqual(["one", "b "], heard)
        self.flushLoggedErrors(KeyError)

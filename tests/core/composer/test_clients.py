"""Generations of Composer, by what they say of themselves."""

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.clients import generation_of

AGENTS = {
    "Composer/1.10.28 (Linux; 6.18.44-fc-v657; PHP 8.2.36)": 1,
    "Composer/1.10.2 (Windows NT; 10.0; PHP 8.1.0)": 1,
    "Composer/2.2.29 (Linux; 6.18.44-fc-v657; PHP 8.2.36; cURL 7.88.1)": 2,
    "Composer/2.5.5 (Linux; 6.18.44-fc-v657; PHP 8.2.36; cURL 7.88.1)": 2,
    "Composer/2.10.2 (Linux; 6.18.44; PHP 8.2.36; cURL 7.88.1; Platform-PHP 7.4; CI; cmd:update)": 2,
    "composer/2.0-dev (Darwin; 19; php 7.4; streams)": 2,
    "Composer/1.0-dev (; Windows; HHVM 3.1)": None,
    "Composer/source (Linux; 5; PHP 8.2.1)": 1,
    "Composer/d0b8d2a0a2c0f5b6b4a4a3b5d7f8a9c0d1e2f3a4 (Linux; 5; PHP 8.2.1)": 1,
    "Composer/@package_version@ (Linux; 5; PHP 8.2.1)": None,
    "Composer/2.5.5": None,
    "curl/7.88.1": None,
    "": None,
}


class GenerationTests(SynchronousTestCase):
    """`generation_of`."""

    def test_agents(self) -> None:
        """What the real clients send, and what is like it."""
        self.assertEqual(AGENTS, {agent: generation_of(agent) for agent in AGENTS})
        self.assertIsNone(generation_of(None))

    def test_asked(self) -> None:
        """`?ua=` wins when it is a number other than nought; anything else is as if it were not there."""
        agent = "Composer/2.5.5 (Linux; 6; PHP 8.2.36)"
        table = {"1": 1, "2": 2, "3": 3, "1x": 1, "0": 2, "": 2, "x": 2, "-1": 2}
        self.assertEqual(table, {asked: generation_of(agent, asked) for asked in table})

    @given(text(), text())
    def test_any(self, agent: str, asked: str) -> None:
        """No text is too odd."""
        self.assertIn(type(generation_of(agent, asked)), {int, type(None)})

"""REDIS_URL."""

from unittest import TestCase

from packeton.config.loader import load
from packeton.config.redis import redis_address
from packeton.errors import ConfigurationInvalid


class RedisAddressTests(TestCase):
    """redis_address."""

    def test_usable(self) -> None:
        """Host, port, database, TLS; a word before the @ is the password."""
        for url, expected in (
            ("redis://localhost", ("localhost", 6379, None, None, 0, False)),
            ("redis://p%40ss@h:1/2", ("h", 1, None, "p@ss", 2, False)),
            ("redis://:p@h/", ("h", 6379, None, "p", 0, False)),
            ("rediss://u:p@h", ("h", 6379, "u", "p", 0, True)),
        ):
            one = redis_address(url)
            password = None if one.password is None else one.password.reveal()
            self.assertEqual(expected, (one.host, one.port, one.user, password, one.database, one.tls))
        self.assertEqual("rediss://h:6379/0", str(redis_address("rediss://u:p@h")))

    def test_unusable(self) -> None:
        """One line that repeats nothing of the address."""
        for url in ("", "http://u:tellnobody@h", "redis://", "redis://u:tellnobody@h:x", "redis://u:tellnobody@h/x", "redis://u:tellnobody@h/1?a=b", "redis://u:tellnobody@h/99999"):
            with self.assertRaises(ValueError, msg=url) as caught:
                redis_address(url)
            self.assertNotIn("tellnobody", str(caught.exception))
        with self.assertRaises(ConfigurationInvalid) as invalid:
            load(environment={"REDIS_URL": "http://u:tellnobody@h"})
        self.assertEqual("packeton.redis.url: must begin with redis:// or rediss:// (environment REDIS_URL)", str(invalid.exception))

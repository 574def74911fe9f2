"""Password hashes: ours, and those of the reference, made by PHP."""

import re
from unittest import TestCase

from packeton.core.access.passwords import Passwords
from packeton.errors import Invalid

BCRYPT = "$2y$04$FnVpua0WuAJNH/R23Gm.y.jbLexRvsHittjvlb2tsqT6PvLixYjJa"
BCRYPT_LONG = "$2y$04$74gJdy8O/tM5AUjZffYWHe4RWsXXC6JPi9K0FWZRDjCPzAlelKd0W"
LEGACY = "7ab3917bd4b212e36e252e10dc0c987550d4ef20efec83da2a55c78578a4cbffe7a68d69ee7b49fcf8324cd7440857c0e438b82a20c1f08046babbfcc5449e63"
ARGON2 = "$argon2id$v=19$m=65536,t=4,p=1$cVQuY0tVck1YOUFISldGTA$6RkZ02xd6z0/DWlUKcDF9tDi4RBkD3L6uDkETl8n+WU"

cheap = Passwords(time_cost=1, memory_kib=64)


class PasswordTests(TestCase):
    """Made and checked."""

    def test_ours(self) -> None:
        """A new hash is argon2id, opens with its password only, and is different each time."""
        made = cheap.hash("geheim-1")
        self.assertTrue(made.startswith("$argon2id$v=19$m=64,t=1,p=1$"))
        self.assertNotEqual(made, cheap.hash("geheim-1"))
        self.assertTrue(cheap.verify(made, "geheim-1"))
        self.assertFalse(cheap.verify(made, "geheim-2"))
        self.assertFalse(cheap.needs_rehash(made))
        self.assertTrue(Passwords().needs_rehash(made))

    def test_reference(self) -> None:
        """PHP's hashes open, and want to be made anew."""
        for stored, password, salt in (
            (BCRYPT, "geheim-1", None), (BCRYPT_LONG, "x" * 100, None), (LEGACY, "alt-geheim", "salz"), (LEGACY.upper(), "alt-geheim", "salz"), (ARGON2, "geheim-1", None),
        ):  # fmt: skip
            with self.subTest(stored):
                self.assertTrue(cheap.verify(stored, password, salt))
                self.assertFalse(cheap.verify(stored, password + "x", salt))
                self.assertTrue(cheap.needs_rehash(stored))
        self.assertFalse(cheap.verify(LEGACY, "alt-geheim", "pfeffer"))
        self.assertFalse(cheap.verify(BCRYPT_LONG, "x" * 99))

    def test_nothing_opens(self) -> None:
        """No hash, an odd one, an empty one, an endless password, odd characters."""
        for stored in (None, "", "x", "$2y$04$short", "$argon2id$broken", "!", BCRYPT.replace("$04$", "$99$")):
            self.assertFalse(cheap.verify(stored, "geheim-1"), stored)
        self.assertFalse(cheap.verify(BCRYPT, "x" * 5000))
        self.assertFalse(cheap.verify(BCRYPT, "geheim-1\0"))
        self.assertFalse(cheap.verify(ARGON2, "\ud800"))

    def test_no_user_costs_as_much(self) -> None:
        """Without a hash the same work is done: a hash with the same costs is read."""
        costs = re.compile(r"\$m=\d+,t=\d+,p=\d+\$")
        self.assertEqual(costs.findall(cheap.hash("geheim-1")), costs.findall(cheap._dummy))
        self.assertTrue(cheap._hasher.check_needs_rehash(cheap._dummy) is False)

    def test_choice(self) -> None:
        """Too short and too long ones cannot be chosen."""
        for password in ("12345", "x" * 4097):
            with self.assertRaises(Invalid):
                cheap.hash(password)
        self.assertTrue(cheap.verify(cheap.rehash("12345"), "12345"))

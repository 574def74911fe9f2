"""Public and private addresses."""

from unittest import TestCase

from packeton.adapters.upstream.addresses import is_public, is_public_literal

PUBLIC = ("8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1")
PRIVATE = (
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "100.127.255.255", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.2.1",
    "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "100::1",
)  # fmt: skip


class AddressTests(TestCase):
    """Tables."""

    def test_public(self) -> None:
        """The public internet, also inside an IPv6 address."""
        for address in PUBLIC:
            self.assertTrue(is_public(address), address)
            self.assertTrue(is_public_literal(address), address)

    def test_private(self) -> None:
        """Everything that is special: private, loopback, link-local, shared, multicast, unspecified, documentation."""
        for address in PRIVATE:
            self.assertFalse(is_public(address), address)

    def test_literals(self) -> None:
        """Odd ways to write an address, and localhost, are seen through; other names are not ours to judge."""
        for host in ("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "[::1]", "localhost", "LOCALHOST.", "x.localhost"):
            self.assertFalse(is_public_literal(host), host)
        for host in ("repo.packagist.org", "134744072", "localhost.example"):
            self.assertTrue(is_public_literal(host), host)

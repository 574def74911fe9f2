"""Roots that we send, and the lists that hang on them."""

import json
from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis.strategies import dictionaries, text
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.listings import Listing, listing_file, read_listing
from packeton.core.composer.offers import Offer, offered
from packeton.core.composer.roots import Root, listed_in
from packeton.errors import BadContent

UP = "https://repo.example/sub/dir/packages.json"
ONE, TWO = "1" * 64, "2" * 40
HASHES = text("0123456789abcdef", min_size=64, max_size=64)


def root(**document: Any) -> Root:
    return Root.read(json.dumps({"packages": [], **document}).encode(), UP)


class IncludedTests(SynchronousTestCase):
    """Files that a root names."""

    def test_addresses(self) -> None:
        """Always below the root's own directory, with the hash put in; other hosts where they are written out."""
        found = root(
            **{
                "provider-includes": {"p/all$%hash%.json": {"sha256": ONE}, "/p/x$%hash%.json": {"sha256": ONE.upper()}},
                "includes": {
                    f"include/all${TWO}.json": {"sha1": TWO},
                    "https://cdn.example/all.json": {},
                    "no-hash$%hash%.json": {"sha256": "short"},
                    "odd.json": None,
                },
            }
        )
        self.assertEqual(
            [
                ("p/all", f"https://repo.example/sub/dir/p/all${ONE}.json", f"sha256:{ONE}"),
                ("p/x", f"https://repo.example/sub/dir/p/x${ONE}.json", f"sha256:{ONE}"),
            ],
            [(one.path, one.url, one.digest) for one in found.provider_includes()],
        )
        self.assertEqual(
            [
                ("include/all", f"https://repo.example/sub/dir/include/all${TWO}.json", f"sha1:{TWO}"),
                ("cdn-example/all", "https://cdn.example/all.json", None),
                ("odd", "https://repo.example/sub/dir/odd.json", None),
            ],
            [(one.path, one.url, one.digest) for one in found.includes()],
        )

    def test_empty(self) -> None:
        """PHP's empty maps."""
        for value in ([], {}, None):
            found = root(**{"provider-includes": value, "includes": value, "providers": value, "providers-url": "/p"})
            self.assertEqual(([], [], False), (found.provider_includes(), found.includes(), found.has_listing))
            self.assertEqual([], list(listed_in(found.document)))

    def test_no_maps(self) -> None:
        """Upstream tells nonsense: nothing is taken from it."""
        for key in ("provider-includes", "includes", "providers"):
            for value in (3, "x", ["a"]):
                with self.assertRaisesRegex(BadContent, f"{key} are no map"):
                    root(**{key: value})

    def test_available(self) -> None:
        """In lower case; PHP's list with gaps is a list."""
        self.assertEqual(["a/b", "c/d"], root(**{"available-packages": ["A/b", "c/D", 3]}).available)
        self.assertEqual(["a/b"], root(**{"available-packages": {"3": "a/b"}}).available)
        self.assertIsNone(root().available)


class OfferTests(SynchronousTestCase):
    """What a root of ours says."""

    def test_ways(self) -> None:
        """Only what is offered, whatever upstream has."""
        theirs = root(**{"metadata-url": "/p2/%package%.json", "providers-lazy-url": "/p/%package%.json", "includes": {"x": {}}})
        ours = offered(theirs, Offer(mirror_url="https://p", metadata=False, includes={"all$1.json": TWO}, names=["a/b"]))
        self.assertEqual({"packages": [], "includes": {"all$1.json": {"sha1": TWO}}, "available-packages": ["a/b"]}, ours)
        ours = offered(theirs, Offer(mirror_url="https://p", lazy=True, providers={"p/a$%hash%.json": ONE}, patterns=["a/*"]))
        self.assertEqual("https://p/pkg/%package%$%hash%.json", ours["providers-url"])
        self.assertEqual("https://p/pkg/%package%.json", ours["providers-lazy-url"])
        self.assertEqual({"p/a$%hash%.json": {"sha256": ONE}}, ours["provider-includes"])
        self.assertEqual(["a/*"], ours["available-package-patterns"])

    def test_messages(self) -> None:
        """Ours comes beside upstream's, for the versions that upstream meant."""
        theirs = root(info="hello", **{"info-versions": "<2.2", "warning": "old", "infos": [{"message": "x", "versions": "*"}]})
        ours = offered(theirs, Offer(mirror_url="https://p", info="ours"))
        self.assertEqual("ours", ours["info"])
        self.assertEqual([{"message": "hello", "versions": "<2.2"}, {"message": "x", "versions": "*"}], ours["infos"])
        self.assertNotIn("info-versions", ours)
        self.assertEqual("old", ours["warning"])
        plain = offered(theirs, Offer(mirror_url="https://p"))
        self.assertEqual(("hello", "<2.2"), (plain["info"], plain["info-versions"]))


class ListingTests(SynchronousTestCase):
    """Names with hashes, in small."""

    @given(dictionaries(text("abc/-", max_size=6), HASHES, max_size=20))
    def test_finds(self, listed: dict[str, str]) -> None:
        """Every name has its hash, and no other name has one."""
        listing = Listing.of(listed.items())
        self.assertEqual(listed, {name: listing.find(name) for name in listed})
        self.assertIsNone(listing.find("zzz/zzz"))
        self.assertEqual(len(listed), len(listing))

    def test_file(self) -> None:
        """What is written is read."""
        pairs = [("a/b", ONE), ("c/d", sha256(b"").hexdigest())]
        self.assertEqual(pairs, list(listed_in(read_listing(listing_file(pairs)))))

"""Roots: what they offer, and every address on us."""

import json

from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.offers import Offer, offered
from packeton.core.composer.roots import Resource, Root, root_url
from packeton.errors import BadContent, NotFound

UP = "https://repo.example/sub/packages.json"
PACKAGIST = {
    "packages": [],
    "notify-batch": "https://packagist.example/downloads/",
    "providers-url": "/p/%package%$%hash%.json",
    "metadata-url": "https://repo.example/p2/%package%.json",
    "metadata-changes-url": "https://packagist.example/metadata/changes.json",
    "search": "https://packagist.example/search.json?q=%query%&type=%type%",
    "list": "https://packagist.example/packages/list.json",
    "security-advisories": {"metadata": True, "api-url": "https://packagist.example/api/security-advisories/"},
    "providers-api": "https://packagist.example/providers/%package%.json",
    "warning": "Composer 1 is over",
    "warning-versions": "<1.999",
    "filter": {
        "metadata": True,
        "lists": {"malware": {"enabled": True}},
        "summary-url": "https://repo.example/lists/all/summary.json",
        "api-url": "https://repo.example/filter",
    },
    "mirrors": [{"dist-url": "https://cdn.example/%package%.zip"}, {"dist-url": "/m/%package%", "preferred": True}],
    "novelty": {"kept": [1, None]},
}


def read(document: object, url: str = UP) -> Root:
    return Root.read(json.dumps(document).encode(), url)


class RootTests(SynchronousTestCase):
    """One root, ours and theirs."""

    def test_every_address_on_us(self) -> None:
        """No address of upstream is left; flags and unknown keys are."""
        root = read(PACKAGIST)
        offer = Offer(mirror_url="https://p.example/x/mirror/up", mirrors_dists=True, notify=True)
        ours = offered(root, offer)
        text = json.dumps({key: value for key, value in ours.items() if key != "novelty"})
        self.assertNotIn("packagist.example", text)
        self.assertNotIn("repo.example", text)
        self.assertNotIn("cdn.example", text)
        self.assertEqual("https://p.example/x/mirror/up/p2/%package%.json", ours["metadata-url"])
        self.assertEqual(
            {"metadata": True, "api-url": "https://p.example/x/mirror/up/api/security-advisories/"},
            ours["security-advisories"],
        )
        self.assertEqual({"malware": {"enabled": True}}, ours["filter"]["lists"])
        self.assertEqual("https://p.example/x/mirror/up/filter/summary.json", ours["filter"]["summary-url"])
        self.assertEqual({"kept": [1, None]}, ours["novelty"])
        self.assertEqual("<1.999", ours["warning-versions"])
        self.assertTrue(ours["mirrors"][0]["preferred"])
        self.assertNotIn("providers-url", ours)
        self.assertEqual("https://packagist.example/downloads/", root.document["notify-batch"])

    def test_only_what_upstream_offers(self) -> None:
        """What upstream has not is not made up."""
        root = read({"packages": [], "metadata-url": "/p2/%package%.json"})
        ours = offered(root, Offer(mirror_url="https://p", notify=True, info="hello"))
        self.assertEqual({"packages": [], "metadata-url": "https://p/p2/%package%.json", "info": "hello"}, ours)

    def test_without_notification(self) -> None:
        """Notification addresses go when they are not wanted."""
        self.assertNotIn("notify-batch", offered(read(PACKAGIST), Offer(mirror_url="https://p")))

    def test_addresses(self) -> None:
        """Absolute, host-absolute and relative ones lead where they should; variables are encoded."""
        for template, expected in (
            ("https://cdn.example/p2/%package%.json", "https://cdn.example/p2/acme/foo~dev.json"),
            ("/p2/%package%.json", "https://repo.example/p2/acme/foo~dev.json"),
            ("p2/%package%.json", "https://repo.example/sub/p2/acme/foo~dev.json"),
        ):
            root = read({"packages": [], "metadata-url": template})
            self.assertEqual(expected, root.address(Resource.METADATA, package="acme/foo~dev"))
        found = read(PACKAGIST).address(Resource.SEARCH, query="a&b=c/d é", type="")
        self.assertEqual("https://packagist.example/search.json?q=a%26b%3Dc%2Fd%20%C3%A9&type=", found)
        with self.assertRaises(NotFound):
            read({"metadata-url": "/x", "packages": []}).address(Resource.SEARCH)
        with self.assertRaises(NotFound):
            read({"search": "file:///etc/%query%", "packages": {"a/b": []}}).address(Resource.SEARCH)

    def test_mirrors_in_order(self) -> None:
        """Preferred mirrors come first, resolved against the root."""
        self.assertEqual(
            ["https://repo.example/m/%package%", "https://cdn.example/%package%.zip"], read(PACKAGIST).dist_mirrors()
        )

    def test_not_a_root(self) -> None:
        """HTML, another document and packages that are none are refused by name."""
        for content, reason in (
            (b"<!doctype html>", "an HTML page"),
            (b'{"hello": 1}', "no packages.json"),
            (b'{"packages": "x"}', "no map"),
            (b'{"packages": ["acme/a"]}', "no map"),
            (b'{"packages": {"acme/a": [1]}}', "versions that are no objects"),
            (b'{"packages": {"acme/a": 1}}', "versions that are no objects"),
            (b'{"packages": {"acme/a": "x"}}', "versions that are no objects"),
            (b'{"packages": {"acme/a": {"1.0": null}}}', "versions that are no objects"),
            (b'{"metadata-url": 5}', "whose metadata-url is no address"),
            (b'{"metadata-url": ["/p2/%package%.json"]}', "whose metadata-url is no address"),
            (b'{"metadata-url": "http://[bad/%package%.json"}', "whose metadata-url is no address"),
            (b'{"packages": [], "providers-url": "ftp://x/%package%"}', "whose providers-url is no address"),
            (b'{"packages": [], "includes": ["all.json"]}', "whose includes are no map"),
            (b'{"packages": [], "includes": {"http://[bad/all.json": {"sha1": ""}}}', "what is no address"),
            (b'{"packages": [], "x": ' + b"[" * 300 + b"]" * 300 + b"}", "nested too deeply"),
            (b'{"packages": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "broken JSON"),
        ):
            with self.assertRaises(BadContent) as caught:
                Root.read(content, UP)
            self.assertIn(reason, str(caught.exception))

    def test_nonsense_beside(self) -> None:
        """Addresses that are none, where nothing depends on them, are no addresses; empty ones are left out."""
        told = {"metadata-url": None, "packages": [], "includes": [], "search": "http://[bad/", "list": {}, "mirrors": [{"dist-url": "http://[bad/"}, 1]}
        root = Root.read(json.dumps(told).encode(), UP)
        self.assertEqual((None, None, []), (root.template(Resource.SEARCH), root.template(Resource.LIST), root.dist_mirrors()))

    def test_root_url(self) -> None:
        """A path with .json is the root itself."""
        self.assertEqual("https://a/packages.json", root_url("https://a"))
        self.assertEqual("https://a/b/packages.json", root_url("https://a/b/"))
        self.assertEqual("https://a/other.json", root_url("https://a/other.json"))

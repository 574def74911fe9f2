"""Feeds as readers want them."""

from datetime import UTC, datetime
from unittest import TestCase
from xml.etree import ElementTree as ET

from packeton.core.reports.feeds import Entry, Feed, atom, rss

AT = datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC)
ODD = "<b>&amp;\x00\x0b \U0001f600 ]]>"


def feed(*entries: Entry) -> Feed:
    return Feed(title="T", description=ODD, link="https://x/", own="https://x/feed?a=1&b=2", updated=AT, entries=entries)


def entry(**fields: object) -> Entry:
    values: dict[str, object] = {"id": "acme/a 1.0", "title": "acme/a (1.0)", "link": "https://x/packages/acme/a", "description": ODD, "at": AT}
    return Entry(**(values | fields))  # type: ignore[arg-type]


class FeedTests(TestCase):
    """rss() and atom()."""

    def test_rss(self) -> None:
        """Texts survive but for what XML cannot hold; ids are no addresses; dates as in mails."""
        root = ET.fromstring(rss(feed(entry(authors=("Ann", "Ben")))))
        self.assertEqual("Fri, 02 Jan 2026 03:04:05 +0000", root.findtext("channel/pubDate"))
        self.assertEqual("<b>&amp; \U0001f600 ]]>", root.findtext("channel/item/description"))
        guid = root.find("channel/item/guid")
        assert guid is not None
        self.assertEqual(("acme/a 1.0", "false"), (guid.text, guid.get("isPermaLink")))
        self.assertEqual(["Ann", "Ben"], [one.text for one in root.findall("channel/item/{*}creator")])

    def test_atom(self) -> None:
        """With a link to itself, and an author wherever an entry has none."""
        root = ET.fromstring(atom(feed(entry(authors=("Ann",)), entry())))
        self.assertEqual("{http://www.w3.org/2005/Atom}feed", root.tag)
        self.assertEqual({"alternate": "https://x/", "self": "https://x/feed?a=1&b=2"}, {one.get("rel"): one.get("href") for one in root.findall("{*}link")})
        self.assertEqual("2026-01-02T03:04:05+00:00", root.findtext("{*}entry/{*}updated"))
        self.assertEqual(["Ann"], [one.text for one in root.findall("{*}entry/{*}author/{*}name")])
        self.assertIsNotNone(root.find("{*}author"))
        self.assertIsNone(ET.fromstring(atom(feed())).find("{*}entry"))

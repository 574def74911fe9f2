"""RSS 2.0 and Atom. Source: the RSS Advisory Board's specification, and RFC 4287."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from attrs import frozen

__all__ = ["Entry", "Feed", "atom", "rss"]

ATOM: Final = "http://www.w3.org/2005/Atom"
DC: Final = "http://purl.org/dc/elements/1.1/"
GENERATOR: Final = "Packagist"
"""As the reference has it."""
NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""
register_namespace("atom", ATOM)
register_namespace("dc", DC)


@frozen(kw_only=True)
class Entry:
    """One thing in a feed."""

    id: str
    title: str
    link: str
    description: str
    at: datetime
    authors: Sequence[str] = ()


@frozen(kw_only=True)
class Feed:
    """A feed, newest entry first."""

    title: str
    description: str
    link: str
    """The page that it is about."""
    own: str
    """Its own address."""
    updated: datetime
    entries: Sequence[Entry]


def rss(feed: Feed) -> bytes:
    """Return a feed as RSS 2.0."""
    root = Element("rss", version="2.0")
    channel = SubElement(root, "channel")
    for name, text in (
        ("title", feed.title), ("description", feed.description), ("link", feed.link), ("generator", GENERATOR),
        ("pubDate", _rfc822(feed.updated)),
    ):  # fmt: skip
        _add(channel, name, text)
    SubElement(channel, f"{{{ATOM}}}link", rel="self", type="application/rss+xml", href=feed.own)
    for entry in feed.entries:
        item = SubElement(channel, "item")
        for name, text in (("title", entry.title), ("description", entry.description), ("link", entry.link)):
            _add(item, name, text)
        _add(item, "pubDate", _rfc822(entry.at))
        _add(item, "guid", entry.id).set("isPermaLink", "false")
        for author in entry.authors:
            _add(item, f"{{{DC}}}creator", author)
    return _document(root)


def atom(feed: Feed) -> bytes:
    """Return a feed as Atom."""
    root = Element("feed", xmlns=ATOM)
    _add(root, "title", feed.title)
    _add(root, "subtitle", feed.description)
    _add(root, "updated", _rfc3339(feed.updated))
    _add(root, "generator", GENERATOR)
    _add(root, "id", feed.own)
    SubElement(root, "link", rel="alternate", type="text/html", href=feed.link)
    SubElement(root, "link", rel="self", type="application/atom+xml", href=feed.own)
    if not all(entry.authors for entry in feed.entries):
        _add(SubElement(root, "author"), "name", GENERATOR)  # one is needed for entries that have none
    for entry in feed.entries:
        item = SubElement(root, "entry")
        for name, text in (
            ("title", entry.title), ("summary", entry.description), ("id", entry.id),
            ("published", _rfc3339(entry.at)), ("updated", _rfc3339(entry.at)),
        ):  # fmt: skip
            _add(item, name, text)
        SubElement(item, "link", rel="alternate", type="text/html", href=entry.link)
        for author in entry.authors:
            _add(SubElement(item, "author"), "name", author)
    return _document(root)


def _add(parent: Element, name: str, text: str) -> Element:
    element = SubElement(parent, name)
    element.text = NO_XML.sub("", text)
    return element


def _document(root: Element) -> bytes:
    content: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{content}\n'.encode()


def _rfc822(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")

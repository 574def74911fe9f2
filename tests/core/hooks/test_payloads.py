"""Payloads of forges."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import SkipTest

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.hooks.payloads import CustomPattern, canonical_url, package_names, push_event, read_payload
from packeton.errors import Invalid

SAME = (
    "https://github.com/Acme/A", "http://github.com/acme/a.git", "git@github.com:acme/a.git", "ssh://git@github.com/acme/a", "git://github.com/acme/a/",
    "https://api.github.com/repos/acme/a", "org-123@github.com:Acme/A.git", "ssh://git@github.com:22/acme/a.git",
)  # fmt: skip
PLACES = {
    "ssh://git@stash.example:7999/proj/repo.git": ("stash.example", "proj/repo"),
    "https://gitlab.example/group/sub/repo.git": ("gitlab.example", "group/sub/repo"),
    "gitea@gitea.example:acme/a.git": ("gitea.example", "acme/a"),
    "https://gitea.example/api/v1/repos/acme/a": ("gitea.example", "acme/a"),
    "https://ghe.example/api/v3/repos/acme/a": ("ghe.example", "acme/a"),
    "git@host:123/a": ("host", "123/a"),
    "https://api.bitbucket.org/acme/a": ("bitbucket.org", "acme/a"),
    "https://stash.example/scm/~user/a.git": ("stash.example", "scm/~user/a"),
}
NOT_PLACES = ("", "github.com", "https://github.com/acme", "/srv/git/a/b", "https://h/a/b?x=1", "https://h/a b/c", "file:///a/b", "x" * 3000, "https://é.example/a/b")
SHAPES: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "GitHub push": ({"ref": "refs/heads/main", "repository": {"url": "https://github.com/Acme/A", "html_url": "https://github.com/Acme/A"}}, ("github.com", "acme/a")),
    "GitHub API form": ({"repository": {"url": "https://api.github.com/repos/acme/a"}}, ("github.com", "acme/a")),
    "GitLab push": (
        {"object_kind": "push", "project": {"git_http_url": "https://gitlab.example/g/s/a.git", "git_ssh_url": "git@gitlab.example:g/s/a.git"},
         "repository": {"url": "git@wrong.example:g/s/a.git"}}, ("gitlab.example", "g/s/a")),
    "GitLab tag": ({"object_kind": "tag_push", "project": {"git_http_url": "http://gitlab.example/g/a.git"}}, ("gitlab.example", "g/a")),
    "Gitea push": ({"repository": {"html_url": "https://gitea.example/acme/a", "clone_url": "https://gitea.example/acme/a.git", "ssh_url": "gitea@ssh.gitea.example:acme/a.git"}}, ("gitea.example", "acme/a")),
    "Forgejo push with an API address": ({"repository": {"url": "https://codeberg.example/api/v1/repos/acme/a", "html_url": "https://codeberg.example/acme/a"}}, ("codeberg.example", "acme/a")),
    "Bitbucket Cloud": ({"push": {}, "repository": {"links": {"html": {"href": "https://bitbucket.org/acme/a"}, "self": {"href": "x"}}}}, ("bitbucket.org", "acme/a")),
    "Bitbucket Server": (
        {"eventKey": "repo:refs_changed", "repository": {"links": {"clone": [{"href": "https://stash.example/scm/p/a.git", "name": "http"}, {"href": "ssh://git@stash.example:7999/p/a.git", "name": "ssh"}]}}},
        ("stash.example", "p/a")),
    "old Bitbucket": ({"canon_url": "https://bitbucket.org", "repository": {"absolute_url": "/acme/a/"}}, ("bitbucket.org", "acme/a")),
    "Packagist": ({"repository": {"url": "https://git.example/acme/a.git"}}, ("git.example", "acme/a")),
}  # fmt: skip
UNKNOWN: tuple[dict[str, Any], ...] = (
    {}, {"repository": "x"}, {"repository": {"links": {"html": {"href": "https://evil.example/acme/a"}}}}, {"repository": {"links": {"html": {"href": "https://bitbucket.org/a/b/c"}}}},
    {"canon_url": "https://evil.example", "repository": {"absolute_url": "/acme/a/"}}, {"repository": {"links": {"clone": "x"}}}, {"project": None, "repository": []},
)  # fmt: skip
PHP_PATTERN = r"{^(?:ssh://git@|https?://|git@)?(?<host>[a-z0-9.-]+)(?::[0-9]+/|[:/])(?P<path>[\w.-]+(?:/[\w.-]+?)+)(?:\.git|/)?$}i"


class AddressTests(SynchronousTestCase):
    """canonical_url()."""

    def test_same(self) -> None:
        """Every address of a repository stands for one place."""
        self.assertEqual({("github.com", "acme/a")}, {canonical_url(url) for url in SAME})

    def test_places(self) -> None:
        """Ports, nested groups, API prefixes."""
        for url, place in PLACES.items():
            self.assertEqual(place, canonical_url(url), url)

    def test_not_places(self) -> None:
        """What is no address of a repository on a host."""
        for url in NOT_PLACES:
            self.assertIsNone(canonical_url(url), url)

    @given(st.text(alphabet="ab.:/@-~?é ", max_size=60))
    def test_any_text(self, text: str) -> None:
        """A place has a host and at least two segments."""
        place = canonical_url(text)
        if place is not None:
            self.assertTrue(place[0] and "/" in place[1])

    def test_hostile(self) -> None:
        """Long nonsense takes no time."""
        for text in ("a@" * 1000, "a" * 2048, "a/" * 1000 + "?", "." * 2000 + ":", "git@h:" + "a-" * 1000 + "!", "1:" * 1000):
            began = time.thread_time()
            canonical_url(text)
            self.assertLess(time.thread_time() - began, 0.5)


class EventTests(SynchronousTestCase):
    """push_event()."""

    def test_shapes(self) -> None:
        """The place that each forge's payload is about comes first."""
        for name, (payload, place) in SHAPES.items():
            event = push_event(payload)
            self.assertEqual(place, event.places[0], name)
            self.assertIsNone(event.pattern)

    def test_other_addresses(self) -> None:
        """The other addresses that a payload gives of the same repository are looked for too."""
        event = push_event(SHAPES["Gitea push"][0])
        self.assertEqual((("gitea.example", "acme/a"), ("ssh.gitea.example", "acme/a")), event.places)
        self.assertEqual((("stash.example", "p/a"), ("stash.example", "scm/p/a")), push_event(SHAPES["Bitbucket Server"][0]).places)

    def test_unknown(self) -> None:
        """What is no payload of anybody is about nothing."""
        for payload in UNKNOWN:
            event = push_event(payload)
            self.assertEqual(((), (), None), (event.packages, event.places, event.url))

    def test_names(self) -> None:
        """Packages by name, as text or list."""
        self.assertEqual(("acme/a",), push_event({"composer": {"package_name": "Acme/A"}}).packages)
        self.assertEqual(("a/b", "c/d"), push_event({"composer": {"package_name": ["a/b", 1, "c/d", "a/b", ""]}}).packages)
        self.assertEqual(("a/b", "c/d"), package_names(" a/b , c/d,"))
        self.assertEqual(200, len(package_names([f"a/{number}" for number in range(1000)])))

    def test_own_pattern(self) -> None:
        """A payload may say what a place is."""
        event = push_event({"repository": {"url": "https://git.example/acme/a.git"}, "packeton": {"regex": PHP_PATTERN}})
        assert event.pattern is not None
        self.assertEqual(event.pattern.place("git@git.example:ACME/a.git"), event.pattern.place(event.url or ""))
        self.assertIsNone(event.pattern.place("nowhere"))
        self.assertEqual(("h", "p"), CustomPattern.read("(?P<host>h)/(?P<path>p)").place("h/p"))

    def test_bad_patterns(self) -> None:
        """No groups, no linear time, no end, too long: refused."""
        for text in ("{a}", "{(?<host>a)}i", "{(?<host>(?=a))(?<path>b)}", "{(?<host>a)", "{(?<host>a)(?<path>b)}e", "x" * 2000, r"#(?<host>a)\1(?<path>b)#", "{(}", "#"):
            with self.assertRaises(Invalid):
                push_event({"packeton": {"regex": text}})

    def test_patterns_are_linear(self) -> None:
        """A pattern that explodes elsewhere does not here."""
        pattern = CustomPattern.read("{^(?<host>(a+)+)(?<path>(b|b)+)$}")
        began = time.thread_time()
        self.assertIsNone(pattern.place("a" * 1000 + "b" * 1000 + "!"))
        self.assertLess(time.thread_time() - began, 1)


class BodyTests(SynchronousTestCase):
    """read_payload()."""

    def test_bodies(self) -> None:
        """JSON, nothing."""
        payload = {"repository": {"url": "https://git.example/a/b?c&d=é"}}
        text = json.dumps(payload)
        self.assertEqual(payload, read_payload(text.encode()))
        self.assertEqual([None] * 2, [read_payload(b""), read_payload(b" \n")])

    def test_bad_bodies(self) -> None:
        """What is neither."""
        for body in (b"[]", b"{", b"\xff", b"[" * 100_000):
            with self.assertRaises(Invalid):
                read_payload(body)


class RealPayloadTests(SynchronousTestCase):
    """The examples that GitHub's Octokit collected."""

    def examples(self) -> list[dict[str, Any]]:
        """Return events with their examples. Raises SkipTest where npm does not work."""
        if not shutil.which("npm"):
            raise SkipTest("npm is not installed")
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", "--cache", f"{folder}/cache", "@octokit/webhooks-examples@7"]
            try:
                run = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
                archive = (Path(folder) / run.stdout.decode().split()[-1]).read_bytes()
            except (subprocess.SubprocessError, OSError, IndexError) as error:
                raise SkipTest("the npm registry does not answer") from error
        with tarfile.open(fileobj=io.BytesIO(archive)) as package:
            member = package.extractfile("package/api.github.com/index.json")
            assert member is not None
            return list(json.load(member))

    def test_every_event(self) -> None:
        """Every example with a repository leads to its place, and none breaks."""
        seen = 0
        for event in self.examples():
            for example in event["examples"]:
                result = push_event(example)
                repository = example.get("repository")
                if isinstance(repository, dict) and repository.get("full_name"):
                    self.assertIn(("github.com", repository["full_name"].lower()), result.places, event["name"])
                    seen += 1
        self.assertGreater(seen, 100)

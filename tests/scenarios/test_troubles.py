"""Upstreams that are no repository, need a login, moved, or break off: said so, and nobody else notices."""

import tempfile
from pathlib import Path
from unittest import TestCase

from tests.support.client import fetch
from tests.support.origin import Fault, Origin, Package, make_zip
from tests.support.server import Server

GOOD = Package("acme/foo", "1.0.0", make_zip("acme/foo", "foo"))
PLANNED = {
    "html": (Fault("html", times=None), 502, "an HTML page"),
    "login": (Fault("status", at=401, times=None), 424, "it needs a login that we have not"),
    "forbidden": (Fault("status", at=403, times=None), 424, "we may not have it"),
    "none": (Fault("status", at=404, times=None), 502, "there is no packages.json"),
    "odd": (Fault("body", body=b'{"hello": 1}', times=None), 502, "no packages.json"),
    "broken": (Fault("body", body=b'{"packages": {', times=None), 502, "broken JSON"),
    "failing": (Fault("status", at=500, times=None), 502, "upstream answered 500"),
}


class TroubleTests(TestCase):
    """One mirror for each trouble, and a good one between them."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.origin = Origin([GOOD]).start()
        cls.addClassCleanup(cls.origin.stop)
        host = cls.origin.url.removeprefix("http://")
        mirrors = {}
        for name, (fault, _, _) in PLANNED.items():
            cls.origin.fault(f"/{name}/packages.json", fault)
            mirrors[name] = {"url": f"http://user:s3cret@{host}/{name}", "public_access": True}
        cls.origin.fault("/moved/packages.json", Fault("redirect", body=b"/packages.json", times=None))
        mirrors["moved"] = {"url": f"http://user:s3cret@{host}/moved", "public_access": True}
        mirrors["good"] = {"url": cls.origin.url, "public_access": True, "sync_interval": 0}
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.server = Server(Path(holder.name) / "s", {"mirrors": mirrors}).start()
        cls.addClassCleanup(cls.server.stop)

    def test_told(self) -> None:
        """By the address, without its secret; the same for roots and packages; the good one is well throughout."""
        for name, (_, status, reason) in PLANNED.items():
            for path in ("packages.json", "p2/acme/foo.json"):
                answer = fetch(f"{self.server.url}/mirror/{name}/{path}")
                if "a moment ago" not in str(answer.body):  # nobody asks twice at once
                    self.assertEqual(status, answer.status, (name, path, answer.body))
                    self.assertIn(reason, answer.json()["detail"])
                    self.assertIn(f"/{name}/packages.json", answer.json()["detail"])
            self.assertEqual(200, fetch(f"{self.server.url}/mirror/good/p2/acme/foo.json").status)
        self.assertNotIn("s3cret", self.server.log)

    def test_moved(self) -> None:
        """A redirect is followed; the operator is told where it leads."""
        answer = fetch(f"{self.server.url}/mirror/moved/p2/acme/foo.json")
        self.assertEqual(200, answer.status, answer.body)
        self.assertIn(f"/moved/packages.json leads to {self.origin.url}/packages.json", self.server.log)

    def test_becomes_bad(self) -> None:
        """What was good and goes bad is served as it was, date and all."""
        root = fetch(f"{self.server.url}/mirror/good/packages.json")
        document = fetch(f"{self.server.url}/mirror/good/p2/acme/foo.json")
        for fault in (Fault("status", at=404, times=None), Fault("html", times=None), Fault("cut", at=20, times=None), Fault("status", at=401, times=None)):
            self.origin.fault("/packages.json", fault)
            self.origin.fault("/p2/acme/foo.json", fault)
            for before, path in ((root, "packages.json"), (document, "p2/acme/foo.json")):
                answer = fetch(f"{self.server.url}/mirror/good/{path}")
                self.assertEqual((200, before.body), (answer.status, answer.body), fault)
                self.assertEqual(before.headers["last-modified"], answer.headers["last-modified"])
        self.origin.faults.pop("/packages.json")
        self.origin.faults.pop("/p2/acme/foo.json")

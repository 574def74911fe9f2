"""The clients of the benchmark refuse what is not the expected, whole answer, and count what they asked."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

from tests.bench import load
from tests.bench.cases import CASES, CPU, MEMORY, RATE
from tests.bench.compare import ratios, row
from tests.bench.sites import Content, reference
from tests.support.origin import Fault, Origin, Package, make_zip

PACKAGE = Package("acme/foo", "1.0.0", make_zip("acme/foo", "foo", 200_000))


class LoadTests(TestCase):
    """Against an origin in this process."""

    def setUp(self) -> None:
        self.origin = Origin([PACKAGE]).start()
        self.addCleanup(self.origin.stop)
        self.path = self.origin.zip_path(PACKAGE)
        self.url = self.origin.url + self.path

    def test_hammer(self) -> None:
        """Our own client asks until the time is over, and counts as the origin does."""
        done = load.hammer(self.url, {"X-A": "b"}, seconds=0.3, client="own client")
        self.assertGreater(done.requests, load.CONNECTIONS)
        self.assertEqual(done.requests, self.origin.count(self.path))
        self.assertEqual({"b"}, {headers.get("X-A") for _, _, headers in self.origin.log})

    def test_each_once(self) -> None:
        """Each URL is asked for once, chunked or not."""
        self.origin.extra = {f"/x{number}": ("text/plain", b"x" * 3000) for number in range(40)}
        for number in range(0, 40, 3):
            self.origin.fault(f"/x{number}", Fault("chunked", at=1000))
        load.ask_each([f"{self.origin.url}/x{number}" for number in range(40)], {})
        self.assertEqual({f"/x{number}": 1 for number in range(40)}, dict(self.origin.counts()))

    def test_wrong_status(self) -> None:
        """An answer of another status ends the measurement."""
        with self.assertRaises(RuntimeError):
            load.ask_each([self.origin.url + "/absent"], {})

    def test_cut(self) -> None:
        """A body that ends early ends the measurement."""
        self.origin.fault(self.path, Fault("cut", at=1000, times=None))
        with self.assertRaises(RuntimeError):
            load.read_once(self.url)
        with self.assertRaises(RuntimeError):
            load.ask_each([self.url], {})

    def test_crowd(self) -> None:
        """All read all of it, and the first byte comes before the last."""
        self.origin.fault(self.path, *[Fault("slow", at=2_000_000)] * 3)
        reading = load.crowd(self.url, 3)
        self.assertEqual(len(PACKAGE.content), reading.size)
        self.assertLess(reading.first_byte_seconds, reading.seconds)


class TableTests(TestCase):
    """What is printed."""

    def test_ratios(self) -> None:
        """Above 1 is better for us, for rates and for costs."""
        self.assertEqual([2.0], ratios(RATE, [(20, 10)]))
        self.assertEqual([0.5], ratios(CPU, [(20, 10)]))

    def test_row(self) -> None:
        """Medians of figures and of the ratios of each round; no ratio where it would mean nothing."""
        case = CASES[0]
        line = row(case, RATE, [(10.0, 10.0), (30.0, 10.0), (20.0, 5.0)])
        self.assertEqual(f"| {case.name} | requests/s | 20.0 | 10.0 | 3.00 (1.00 to 4.00) |", line)
        self.assertTrue(row(case, MEMORY, [(1.0, 2.0)]).endswith("| 1.0 | 2.0 |  |"))


class ContentTests(TestCase):
    """The origin's files."""

    def test_sizes(self) -> None:
        """The document has about 60 KB, and its dists the references that our URLs are made of."""
        with TemporaryDirectory() as holder:
            content = Content(Path(holder), rounds=1, archive=lambda name, seed, size: b"zip")
            content.write("http://127.0.0.1:1")
            text = (content.folder / "p2" / "bench" / "document.json").read_text()
        self.assertAlmostEqual(60_000, len(text), delta=6000)
        self.assertIn(reference("document", 0), text)

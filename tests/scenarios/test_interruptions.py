"""An upstream that changes, trickles, storms or asks for peace; clients that go, come back and want parts."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from tests.scenarios.test_faults import package
from tests.scenarios.test_http import HttpTestCase
from tests.support.client import Answer, fetch
from tests.support.origin import Fault, Package, make_zip


class InterruptionTestCase(HttpTestCase):
    """Every test takes packages of its own."""

    packages: ClassVar[list[Package]] = [package(number) for number in range(100, 124)]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.origin.packages += cls.packages
        cls.fresh = iter(cls.packages)

    def asked(self, wanted: Package) -> int:
        """Return how often upstream was asked for the bytes of *wanted*."""
        return self.origin.count(self.origin.zip_path(wanted))

    def wait_until_asked(self, wanted: Package, times: int = 1) -> None:
        deadline = time.monotonic() + 10
        while self.asked(wanted) < times and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertGreaterEqual(self.asked(wanted), times)

    def get_until(self, wanted: Package, status: int, seconds: float) -> Answer:
        """Ask again, as a patient user does, until *status* comes."""
        deadline = time.monotonic() + seconds
        while (answer := self.dist(wanted)).status != status and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(status, answer.status, answer.body[:300])
        return answer


class ChangeTests(InterruptionTestCase):
    """The body becomes another one while we fetch it."""

    settings: ClassVar[dict[str, object]] = {"upstream": {"idle_timeout": "1s", "response_timeout": "2s"}}

    def change_half_way(self) -> None:
        wanted = next(self.fresh)
        first, other = wanted.content, make_zip(wanted.name, "g" + wanted.name[-3:], 300_000)
        self.assertEqual(len(first), len(other))
        self.origin.fault(self.origin.zip_path(wanted), Fault("stall", at=150_000))
        with ThreadPoolExecutor(3) as pool:
            answers = [pool.submit(self.dist, wanted) for _ in range(3)]
            self.wait_until_asked(wanted)
            wanted.content = other
            for answer in (one.result() for one in answers):
                self.assertFalse(answer.status == 200 and answer.complete)
                if answer.status == 200:
                    self.assertTrue(first.startswith(answer.body), "bytes of two bodies in one answer")
        answer = self.dist(wanted)
        self.assertIn((answer.status, answer.body == other), {(200, True), (502, False), (503, False)})

    def test_noticed_by_the_validator(self) -> None:
        """If-Range gives the new body from its start: all clients are cut off, and nothing of the two is kept."""
        self.change_half_way()

    def test_noticed_without_ranges(self) -> None:
        """The same where the whole is sent again and there is no validator: the bytes tell."""
        self.origin.ranges = self.origin.etags = False
        self.addCleanup(setattr, self.origin, "ranges", True)
        self.addCleanup(setattr, self.origin, "etags", True)
        self.change_half_way()

    def test_wrong_coding(self) -> None:
        """A zip said to be gzip, which it is not, is never taken for the dist."""
        wanted = next(self.fresh)
        self.origin.fault(self.origin.zip_path(wanted), Fault("", headers={"Content-Encoding": "gzip"}, times=None))
        answer = self.dist(wanted)
        if answer.status == 200:
            self.assertEqual(wanted.content, answer.body)
        self.origin.faults.clear()


class TrickleTests(InterruptionTestCase):
    """A byte a second."""

    settings: ClassVar[dict[str, object]] = {"upstream": {"total_timeout": "2s", "idle_timeout": "5s"}}

    def test_bounded(self) -> None:
        """It is given up after the time allowed, and holds up nobody else meanwhile."""
        slow, other = next(self.fresh), next(self.fresh)
        self.get(f"p2/{slow.name}.json")
        self.get(f"p2/{other.name}.json")
        self.origin.fault(self.origin.zip_path(slow), Fault("slow", at=1, times=None))
        answers: list[Answer] = []
        began = time.monotonic()
        thread = threading.Thread(target=lambda: answers.append(self.dist(slow)))
        thread.start()
        self.wait_until_asked(slow)
        self.assertEqual(other.content, self.dist(other).body)
        self.assertTrue(thread.is_alive(), "the other had to wait for the slow one")
        thread.join(60)
        self.assertFalse(thread.is_alive())
        self.assertFalse(answers[0].status == 200 and answers[0].complete)
        self.assertNotIn(b"no zip", answers[0].body)
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertLess(time.monotonic() - began, 30)


class WordsTests(InterruptionTestCase):
    """What a client is told."""

    def test_same_words(self) -> None:
        """An error that many wait for, or that is remembered, names the mirror once."""
        wanted = next(self.fresh)
        self.get(f"p2/{wanted.name}.json")
        self.origin.fault(self.origin.zip_path(wanted), Fault("html", times=None))
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: self.dist(wanted), range(12)))
        self.assertEqual({502, 424}, {answer.status for answer in answers})
        self.assertEqual({1}, {answer.json()["detail"].count("mirror up") for answer in answers})


class StormTests(InterruptionTestCase):
    """An upstream in trouble is left alone."""

    def test_errors(self) -> None:
        """Many clients that ask again and again during an outage cost upstream a few requests, and other dists none."""
        broken, fine = next(self.fresh), next(self.fresh)
        path = self.origin.zip_path(broken)
        self.origin.fault(path, Fault("status", at=500, times=None))
        deadline = time.monotonic() + 3
        with ThreadPoolExecutor(10) as pool:
            while time.monotonic() < deadline:
                for answer in pool.map(lambda _: self.dist(broken), range(10)):
                    self.assertIn(answer.status, {502, 503})
                time.sleep(0.05)
        self.assertLess(self.asked(broken), 20)
        self.assertEqual(fine.content, self.dist(fine).body)
        self.origin.faults.clear()
        self.assertEqual(broken.content, self.get_until(broken, 200, 30).body)

    def test_retry_after(self) -> None:
        """For the time that upstream asks for, it is asked for nothing; what we hold is served; we say how long."""
        held, limited, other = next(self.fresh), next(self.fresh), next(self.fresh)
        for wanted in (held, limited, other):
            self.get(f"p2/{wanted.name}.json")
        self.dist(held)
        self.origin.fault(self.origin.zip_path(limited), Fault("status", at=429, headers={"Retry-After": "3"}))
        began = time.monotonic()
        answer = self.dist(limited)
        self.assertIn(answer.status, {429, 503})
        before = len(self.origin.log)
        refused = self.dist(other)
        if time.monotonic() - began < 2:
            self.assertEqual(503, refused.status)
            self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
            self.assertEqual(before, len(self.origin.log))
            self.assertEqual(held.content, self.dist(held).body)
        self.assertEqual(limited.content, self.get_until(limited, 200, 20).body)
        self.assertGreater(time.monotonic() - began, 2.5)

    def test_restart(self) -> None:
        """Connections that upstream closed meanwhile are replaced, without an error to anybody."""
        first, second = next(self.fresh), next(self.fresh)
        self.assertEqual(first.content, self.dist(first).body)
        self.origin.stop()
        self.origin.start()
        self.assertEqual(second.content, self.dist(second).body)


class ClientTests(InterruptionTestCase):
    """What clients may do."""

    def test_left_alone(self) -> None:
        """A fill that everybody left is finished: the next client gets a hit, and upstream was asked once."""
        wanted = next(self.fresh)
        self.get(f"p2/{wanted.name}.json")
        self.origin.fault(self.origin.zip_path(wanted), Fault("slow", at=600_000))
        with self.assertRaises(TimeoutError):
            fetch(f"{self.server.url}/mirror/up/{self.origin.our_path(wanted)}", timeout=0.1)
        time.sleep(1)
        answer = self.dist(wanted)
        self.assertEqual(wanted.content, answer.body)
        self.assertEqual("hit", answer.headers["x-cache"])
        self.assertEqual(1, self.asked(wanted))

    def test_parts(self) -> None:
        """Ranges of a stored dist: from the start, the end, several; not when If-Range names another; 416."""
        wanted = next(self.fresh)
        content, path, size = wanted.content, self.origin.our_path(wanted), len(wanted.content)
        self.dist(wanted)
        etag = self.dist(wanted).headers["etag"]
        for span, part in (("0-9", content[:10]), ("-7", content[-7:]), (f"{size - 5}-", content[-5:])):
            answer = self.get(path, Range=f"bytes={span}", If_Range=etag)
            self.assertEqual((206, part), (answer.status, answer.body), span)
            self.assertEqual(str(len(part)), answer.headers["content-length"])
        several = self.get(path, Range="bytes=0-9,100-109")
        self.assertEqual(206, several.status)
        self.assertTrue(several.headers["content-type"].startswith("multipart/byteranges"))
        self.assertIn(content[100:110], several.body)
        beyond = self.get(path, Range=f"bytes={size}-")
        self.assertEqual((416, f"bytes */{size}"), (beyond.status, beyond.headers["content-range"]))
        other = self.get(path, Range="bytes=0-9", If_Range='"other"')
        self.assertEqual((200, content), (other.status, other.body))
        self.assertEqual(1, self.asked(wanted))

    def test_part_of_a_cold_dist(self) -> None:
        """A range of what we do not hold yet: that part, or the whole; and the whole is stored."""
        wanted = next(self.fresh)
        answer = self.get(self.origin.our_path(wanted), Range="bytes=10-19")
        self.assertIn((answer.status, answer.body), {(206, wanted.content[10:20]), (200, wanted.content)})
        self.assertEqual(wanted.content, self.dist(wanted).body)
        self.assertEqual(1, self.asked(wanted))

    def test_head_of_a_cold_dist(self) -> None:
        """HEAD has the length and no body, and costs no second fetch."""
        wanted = next(self.fresh)
        head = fetch(f"{self.server.url}/mirror/up/{self.origin.our_path(wanted)}", "HEAD")
        self.assertEqual((200, b""), (head.status, head.body))
        self.assertEqual(str(len(wanted.content)), head.headers["content-length"])
        self.assertEqual(wanted.content, self.dist(wanted).body)
        self.assertEqual(1, self.asked(wanted))

"""The feed of changes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.changes import FeedChange, feed_answer, needed_since, since_of, ticks

NOW = datetime(2026, 11, 24, 12, 0, 0, 999_999, UTC)
UNIX = int(NOW.timestamp())
URL = "https://us.example/metadata/changes.json"


def change(package: str, minutes: float, *, is_dev: bool = False, deleted: bool = False) -> FeedChange:
    """A change some minutes ago."""
    return FeedChange(package=package, is_dev=is_dev, at=NOW - timedelta(minutes=minutes), deleted=deleted)


class FeedTests(SynchronousTestCase):
    """feed_answer()."""

    def test_hint(self) -> None:
        """Nothing, zero, nonsense and times before the feed began are answered by a hint that works."""
        for text in (None, "", "0", "-1", "x", "1.5", "1585061224", "5", "٣", "9" * 30):
            answer = feed_answer(text, (), now=NOW, url=URL)
            self.assertFalse(answer.is_good, text)
            self.assertEqual(UNIX * 10_000, answer.document["timestamp"])
            again = answer.document["error"].rpartition("since=")[2]
            self.assertEqual({"actions": [], "timestamp": UNIX * 10_000}, feed_answer(again, (), now=NOW, url=URL).document)

    def test_units(self) -> None:
        """Seconds are taken for seconds."""
        for text, since in (("1585061225", 15850612250000), ("15850612239999", 158506122399990000), ("15850612240000", 15850612240000), (str(UNIX), UNIX * 10_000), (str(UNIX * 10_000), UNIX * 10_000)):
            self.assertEqual(since, since_of(text))

    def test_too_old(self) -> None:
        """Who was away for more than thirty days reads all again."""
        answer = feed_answer(str(UNIX - 30 * 86_400 - 1), iter(()), now=NOW, url=URL)
        self.assertEqual({"actions": [{"type": "resync", "time": UNIX, "package": "*"}], "timestamp": UNIX * 10_000}, answer.document)
        self.assertEqual([], feed_answer(str(UNIX - 30 * 86_400), (), now=NOW, url=URL).document["actions"])

    def test_actions(self) -> None:
        """Development first, the newest of each, nothing from before or from the future."""
        changes = [
            change("a/b", 5), change("a/b", 3), change("c/d", 4, is_dev=True), change("a/b", 9, is_dev=True), change("e/f", 61), change("g/h", -5), change("i/j", 60.02),
            change("k/l", 8), change("k/l", 6, deleted=True),
        ]  # fmt: skip
        document = feed_answer(str(UNIX - 3600), changes, now=NOW, url=URL).document
        expected = [("update", "a/b~dev", 540), ("update", "c/d~dev", 240), ("delete", "k/l", 360), ("update", "a/b", 180)]
        self.assertEqual([{"type": kind, "package": name, "time": UNIX - ago} for kind, name, ago in expected], document["actions"])

    @given(st.integers(0, 29 * 86_400), st.integers(1, 2_000_000))
    def test_nothing_is_missed(self, ago: int, later: int) -> None:
        """Who asks with the timestamp of an answer hears of every later change, also of one in the same second."""
        then = NOW.replace(microsecond=0) - timedelta(seconds=ago)
        told = feed_answer(str(ticks(then)), (), now=then, url=URL).document["timestamp"]
        changed = then + timedelta(microseconds=later)
        asked = needed_since(str(told), NOW + timedelta(seconds=2))
        assert asked is not None
        self.assertLessEqual(asked, changed)
        answer = feed_answer(str(told), [FeedChange(package="a/b", is_dev=False, at=changed)], now=NOW + timedelta(seconds=2), url=URL)
        self.assertEqual(1, len(answer.document["actions"]))

    def test_what_is_needed(self) -> None:
        """No changes have to be read for questions that are wrong or too old."""
        for text in (None, "0", str(UNIX - 31 * 86_400)):
            self.assertIsNone(needed_since(text, NOW), text)
        self.assertEqual(NOW.replace(microsecond=0), needed_since(str(ticks(NOW) + 5 * 86_400 * 10_000), NOW))
